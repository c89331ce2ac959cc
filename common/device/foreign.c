/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recognises containers by their first bytes. Filesystems and the like are left to libblkid. */
#include "common/device/foreign.h"

#include <stdio.h>
#include <string.h>

#include <blkid/blkid.h>

#include "common/device/probe-fd.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct foreign foreign_begins(const uint8_t head[FOREIGN_HEAD])
{
	static const struct {
		size_t at, len;
		const char *magic;
		enum foreign_way way;
		const char *name, *format;
	} known[] = {
		{ 0, 4, "QFI\xfb", FOREIGN_VIRTUAL_DISK, "a qcow2 disk image", "qcow2" },
		{ 0, 4, "QED\0", FOREIGN_VIRTUAL_DISK, "a QED disk image", "qed" },
		{ 0, 4, "KDMV", FOREIGN_VIRTUAL_DISK, "a sparse VMDK disk image", "vmdk" },
		{ 0, 4, "COWD", FOREIGN_VIRTUAL_DISK, "a sparse VMDK disk image", "vmdk" },
		{ 0, 21, "# Disk DescriptorFile", FOREIGN_VIRTUAL_DISK, "the descriptor of a VMDK disk image", "vmdk" },
		{ 64, 4, "\x7f\x10\xda\xbe", FOREIGN_VIRTUAL_DISK, "a VDI disk image", "vdi" },
		{ 0, 8, "conectix", FOREIGN_VIRTUAL_DISK, "a dynamic VHD disk image", "vpc" },
		{ 0, 8, "vhdxfile", FOREIGN_VIRTUAL_DISK, "a VHDX disk image", "vhdx" },
		{ 0, 8, "EVF\x09\x0d\x0a\xff\0", FOREIGN_EVIDENCE, "an E01 (EWF) image", NULL },
		{ 0, 8, "EVF2\x0d\x0a\x81\0", FOREIGN_EVIDENCE, "an Ex01 (EWF) image", NULL },
		{ 0, 13, "btrfs-stream\0", FOREIGN_STREAM, "a stream of `btrfs send`", NULL },
		{ 0, 8, "\x8b\x66\x95\x72\xe2\x25\x5c\xbd", FOREIGN_DUMP, "a dump of `btrfs-image`", NULL },
	};
	struct foreign found = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(known) && found.way == FOREIGN_UNKNOWN; i++) {
		if (memcmp(head + known[i].at, known[i].magic, known[i].len) == 0) {
			found.way = known[i].way;
			found.format = known[i].format;
			snprintf(found.name, sizeof(found.name), "%s", known[i].name);
		}
	}
	return found;
}

struct foreign foreign_container(struct device *device)
{
	uint8_t head[FOREIGN_HEAD] = { 0 };
	struct error unread;

	if (!device_read(device, head, device->size < FOREIGN_HEAD ? (size_t)device->size : FOREIGN_HEAD, 0, &unread))
		return (struct foreign){ 0 };
	return foreign_begins(head);
}

/* Translates the name that libblkid gives. Names that are not listed are those of filesystems. */
static struct foreign named(const char *type)
{
	static const struct {
		const char *type;
		enum foreign_way way;
		const char *name;
	} known[] = {
		{ "crypto_LUKS", FOREIGN_LUKS, "LUKS, encrypted" },
		{ "BitLocker", FOREIGN_LUKS, "BitLocker, encrypted" },
		{ "LVM2_member", FOREIGN_LVM, "a physical volume of LVM" },
		{ "LVM1_member", FOREIGN_LVM, "a physical volume of LVM" },
		{ "swap", FOREIGN_OTHER, "swap space" },
		{ "swsuspend", FOREIGN_OTHER, "swap space" },
		{ "linux_raid_member", FOREIGN_OTHER, "a device of a Linux software RAID" },
		{ "zfs_member", FOREIGN_OTHER, "a device of ZFS" },
	};
	struct foreign found = { .way = FOREIGN_FILESYSTEM };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(type, known[i].type) == 0) {
			found.way = known[i].way;
			type = known[i].name;
			break;
		}
	}
	snprintf(found.name, sizeof(found.name), "%s", type);
	return found;
}

struct foreign foreign_content(const char *path, struct device *device, uint64_t offset, uint64_t length)
{
	struct foreign found = { 0 };
	struct error unread;
	const int fd = probe_fd(path, device, offset, length, &unread);
	blkid_probe probe = fd >= 0 ? blkid_new_probe() : NULL;
	const char *type = NULL;

	/* For libblkid, 0 bytes means everything. */
	if (probe && length > 0 && blkid_probe_set_device(probe, fd, (blkid_loff_t)offset, (blkid_loff_t)length) == 0 &&
	    blkid_probe_enable_superblocks(probe, 1) == 0 && blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE) == 0 &&
	    blkid_do_probe(probe) == 0 && blkid_probe_lookup_value(probe, "TYPE", &type, NULL) == 0 && strcmp(type, "btrfs") != 0)
		found = named(type);
	blkid_free_probe(probe);
	probe_fd_close(fd);
	return found;
}

bool foreign_is_known(const char *path, struct device *device, uint64_t offset, uint64_t length)
{
	return foreign_content(path, device, offset, length).way != FOREIGN_UNKNOWN;
}
