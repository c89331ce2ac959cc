/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and ways out for what is not btrfs. */
#include "cmd/foreign.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/command.h"
#include "common/device/foreign.h"
#include "common/device/partition.h"

#define KINDS_MAX 8		/* of which a way out is named */
#define WORD_MAX 56u		/* as many as a hint has room for */
#define COMMAND_MAX (WORD_MAX + 136)

static bool is_packed_part(const struct image_part *part)
{
	return part->in_container || strcmp(part->path, part->opened) != 0;
}

static bool is_whole(const struct image_part *part)
{
	return part->offset == 0 && part->length >= part->size;
}

static bool is_block(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

/* The image in a command: its name, quoted for a shell. UNPACKED: the file does not exist yet; IMAGE: the name is too long for a hint. */
static void name_word(const struct image_part *part, const char *after, char word[WORD_MAX + 8])
{
	char *path = NULL, *quoted = NULL;

	if (is_packed_part(part))
		snprintf(word, WORD_MAX, "UNPACKED%s", after);
	else if (asprintf(&path, "%s%s", part->path, after) >= 0 && (quoted = shell_word(path)) && strlen(quoted) < WORD_MAX)
		snprintf(word, WORD_MAX, "%s", quoted);
	else
		snprintf(word, WORD_MAX, "IMAGE%s", after);
	free(quoted);
	free(path);
}

static const char *unpack_first(const struct image_part *part)
{
	if (part->in_container)
		return "copy it to UNPACKED with `qemu-img convert -O raw` first; ";
	return is_packed_part(part) ? "unpack it first; " : "";
}

/* The command that makes a device of a part of an image. */
static void attach_command(const struct image_part *part, const char *options, char *text, size_t size)
{
	char word[WORD_MAX + 8];

	name_word(part, "", word);
	snprintf(text, size, "losetup --find %s--offset %" PRIu64 " --sizelimit %" PRIu64 " %s", options, part->offset, part->length, word);
}

/* For commands that want a device, from its beginning to its end. */
static void device_word(const struct image_part *part, const char *options, char *text, size_t size)
{
	char command[COMMAND_MAX];

	if (is_whole(part)) {
		name_word(part, "", text);
		return;
	}
	if (is_block(part->opened)) {		/* its partitions are already devices */
		snprintf(text, size, "PARTITION");
		return;
	}
	attach_command(part, options, command, sizeof(command));
	snprintf(text, size, "\"$(%s)\"", command);
}

/* Even a mount that is read-only replays a journal, which changes the disk: these options keep kernels from it. */
static const char *without_journal(const char *filesystem)
{
	if (strncmp(filesystem, "ext", 3) == 0)
		return ",noload";
	return strcmp(filesystem, "xfs") == 0 || strcmp(filesystem, "f2fs") == 0 ? ",norecovery" : "";
}

static void mount_hint(const struct image_part *part, const char *filesystem, struct error *err)
{
	const char *journal = without_journal(filesystem);
	char word[WORD_MAX + 8];

	name_word(part, "", word);
	if (is_whole(part))
		error_hint(err, "%s`mount -o ro%s %s DIRECTORY` reads it", unpack_first(part), journal, word);
	else
		error_hint(err, "%s`mount -o ro,loop%s,offset=%" PRIu64 ",sizelimit=%" PRIu64 " %s DIRECTORY` reads it", unpack_first(part),
			   journal, part->offset, part->length, word);
}

static void way_out(const struct image_part *part, const struct foreign *foreign, struct error *err)
{
	char word[WORD_MAX + 8], raw[WORD_MAX + 8], device[COMMAND_MAX + 8];
	const char *first = unpack_first(part);

	name_word(part, "", word);
	name_word(part, ".raw", raw);
	device_word(part, "--show --read-only ", device, sizeof(device));
	switch (foreign->way) {
	case FOREIGN_VIRTUAL_DISK:
		error_hint(err, "%s`qemu-img convert -O raw %s %s` makes an image that can be read", first, word, raw);
		return;
	case FOREIGN_EVIDENCE:
		error_hint(err, "%s`ewfmount %s DIRECTORY` shows the image as DIRECTORY/ewf1", first, word);
		return;
	case FOREIGN_STREAM:
		error_hint(err, "%s`btrfs receive -f %s DIRECTORY` makes subvolumes of it, in a mounted btrfs", first, word);
		return;
	case FOREIGN_DUMP:
		error_hint(err, "%s`btrfs-image -r %s %s` makes an image of the metadata in it", first, word, raw);
		return;
	case FOREIGN_LUKS:
		error_hint(err, "%s`cryptsetup open --readonly %s NAME` opens it: then give /dev/mapper/NAME", first, device);
		return;
	case FOREIGN_LVM:
		attach_command(part, "", device, sizeof(device));
		if (is_whole(part))
			snprintf(device, sizeof(device), "losetup --find %s", word);
		if (is_block(part->opened))
			error_hint(err, "`vgchange -a y` makes devices of the logical volumes, and `lvs` lists them");
		else
			error_hint(err, "%s`%s` and `vgchange -a y` make devices of the logical volumes, and `lvs` lists them", first, device);
		return;
	case FOREIGN_FILESYSTEM:
		mount_hint(part, foreign->name, err);
		return;
	case FOREIGN_OTHER:
	case FOREIGN_UNKNOWN:
		return;
	}
}

static bool not_btrfs(const struct image_part *part, const struct foreign *foreign, struct error *err)
{
	if (foreign->way == FOREIGN_UNKNOWN)
		return true;
	error_set(err, ERROR_NOT_FOUND, "%s: not a btrfs filesystem, but %s", part->path, foreign->name);
	if (!is_whole(part))
		error_set(err, ERROR_NOT_FOUND, "%s: at byte %" PRIu64 " is no btrfs filesystem, but %s", part->path, part->offset, foreign->name);
	way_out(part, foreign, err);
	return false;
}

bool foreign_check_container(const struct image_part *part, struct error *err)
{
	const struct foreign found = foreign_container(part->device);

	return not_btrfs(part, &found, err);
}

/* --- partitions -------------------------------------------------------------------------------------------------------- */

/* What the partitions of a disk contain. */
struct contents {
	size_t n;		/* partitions of which that is known */
	uint64_t btrfs;		/* where the first with btrfs begins; 0: none has it */
	char text[384];		/* ends with ... if it is_cut */
	bool is_cut;
	char hint[512];		/* how to read what is not btrfs, once for each kind */
	char told[KINDS_MAX][48];
	size_t n_told;
};

static bool is_told(const struct contents *contents, const char *name)
{
	for (size_t i = 0; i < contents->n_told; i++)
		if (strcmp(contents->told[i], name) == 0)
			return true;
	return false;
}

/* Leaves out what there is no room for. */
static void add_way_out(const struct image_part *there, const struct foreign *found, struct contents *contents)
{
	const size_t used = strlen(contents->hint);
	char text[sizeof(contents->hint)];
	struct error way = { 0 };

	if (contents->n_told == KINDS_MAX || is_told(contents, found->name))
		return;
	way_out(there, found, &way);
	if (!way.hint[0] ||
	    snprintf(text, sizeof(text), "%spartition %d: %s", used ? ", " : "", there->partition.number, way.hint) >= (int)(sizeof(text) - used))
		return;
	strcpy(contents->hint + used, text);
	strcpy(contents->told[contents->n_told++], found->name);
}

static bool is_known(const char *path, struct device *device, uint64_t offset, uint64_t length)
{
	return partition_is_btrfs(device, offset, length) || foreign_is_known(path, device, offset, length);
}

static void add_partition(const struct partition *partition, const char *name, struct contents *contents)
{
	static const char more[] = ", ...";
	const size_t used = strlen(contents->text), room = sizeof(contents->text) - used;
	char text[128];
	const int n = snprintf(text, sizeof(text), "%spartition %d at %" PRIu64 " is %s", used ? ", " : "", partition->number, partition->offset,
			       name);

	if (contents->is_cut)
		return;
	contents->is_cut = (size_t)n + sizeof(more) > room;
	snprintf(contents->text + used, room, "%s", contents->is_cut ? more : text);
}

static void read_contents(const struct image_part *part, struct contents *contents)
{
	struct partitions found;
	struct error unread;

	*contents = (struct contents){ 0 };
	if (!partitions_find(part->opened, part->device, is_known, &found, &unread))
		return;
	contents->n = found.n;
	for (size_t i = 0; i < found.n; i++) {
		const struct partition *at = &found.at[i];
		const bool is_btrfs = partition_is_btrfs(part->device, at->offset, at->length);
		const struct foreign foreign = foreign_content(part->opened, part->device, at->offset, at->length);
		const struct image_part there = {
			.path = part->path, .opened = part->opened, .device = part->device, .in_container = part->in_container, .size = part->size,
			.offset = at->offset, .length = at->length, .partition = *at,
		};

		add_partition(at, is_btrfs ? "btrfs" : foreign.name, contents);
		if (is_btrfs && contents->btrfs == 0)
			contents->btrfs = at->offset;
		if (!is_btrfs)
			add_way_out(&there, &foreign, contents);
	}
}

/* The number of the partition is said only if there are several ways. */
static bool hint_ways(const struct contents *contents, struct error *err)
{
	const char *const first = strstr(contents->hint, ": ");

	return first && error_hint(err, "%s", contents->n_told == 1 ? first + 2 : contents->hint);
}

static bool check_partitions(const struct image_part *part, struct error *err)
{
	struct contents contents;

	read_contents(part, &contents);
	if (contents.n == 0)
		return true;
	error_set(err, ERROR_NOT_FOUND, "%s: a disk without btrfs in its partitions: %s", part->path, contents.text);
	return hint_ways(&contents, err);
}

bool foreign_check_content(const struct image_part *part, struct error *err)
{
	const struct foreign found = foreign_content(part->opened, part->device, part->offset, part->length);

	err->hint[0] = '\0';
	return not_btrfs(part, &found, err) && (!is_whole(part) || check_partitions(part, err));
}

bool foreign_check_offset(const struct image_part *part, struct error *err)
{
	const struct foreign found = part->offset < part->size ? foreign_content(part->opened, part->device, part->offset, part->length) :
				     (struct foreign){ 0 };
	struct contents contents;

	read_contents(part, &contents);
	if (contents.n == 0)
		return not_btrfs(part, &found, err);
	if (part->offset >= part->size)
		error_set(err, ERROR_NOT_FOUND, "%s: offset %" PRIu64 " is beyond the end at %" PRIu64 "; %s", part->path, part->offset, part->size,
			  contents.text);
	else
		error_set(err, ERROR_NOT_FOUND, "%s: at byte %" PRIu64 " is no btrfs filesystem%s%s; %s", part->path, part->offset,
			  found.name[0] ? ", but " : "", found.name, contents.text);
	if (contents.btrfs > 0)
		return error_hint(err, "give --image-offset %" PRIu64, contents.btrfs);
	return hint_ways(&contents, err);
}

/* --- parts of one image ------------------------------------------------------------------------------------------------ */

/* Adds one to the number that the last n characters are, in digits or letters. False if they are no number. */
static bool count_on(char *at, size_t n, int by)
{
	const bool is_digit = isdigit((unsigned char)at[0]);
	const char low = is_digit ? '0' : 'a', high = is_digit ? '9' : 'z';

	for (size_t i = n; i-- > 0;) {
		if (at[i] != (by > 0 ? high : low)) {
			at[i] = (char)(at[i] + by);
			return true;
		}
		at[i] = by > 0 ? low : high;
	}
	return false;
}

static bool has_neighbour(const char *path, size_t n, int by)
{
	char *other = strdup(path);
	const bool has = other && count_on(other + strlen(other) - n, n, by) && access(other, F_OK) == 0;

	free(other);
	return has;
}

/* Parts made by split(1) begin with 0 or a, those of imaging tools with 1. */
static bool has_first(const char *path, size_t n)
{
	char *first = strdup(path);
	bool has = false;

	if (first) {
		char *const at = first + strlen(first) - n;
		const bool is_digit = isdigit((unsigned char)at[0]);

		memset(at, is_digit ? '0' : 'a', n);
		has = access(first, F_OK) == 0 || (is_digit && count_on(at, n, 1) && access(first, F_OK) == 0);
	}
	free(first);
	return has;
}

/* How many characters at the end count the parts of an image, as split(1) and imaging tools do; 0: none. */
static size_t counted(const char *path)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	const size_t len = strlen(base);
	size_t digits = 0, letters = 0;

	while (digits < len && isdigit((unsigned char)base[len - 1 - digits]))
		digits++;
	while (letters < len && islower((unsigned char)base[len - 1 - letters]))
		letters++;
	if (digits >= 2 && digits < len)
		return digits;
	/* split(1) counts with two letters, after any name. */
	return digits == 0 && letters >= 2 && len > 2 ? 2 : 0;
}

void foreign_hint_split(const char *path, struct error *err)
{
	const size_t n = counted(path);
	char pattern[64] = "", *stem = NULL, *word = NULL;

	if (n == 0 || n > 4 || is_block(path) || !has_first(path, n) || !(has_neighbour(path, n, 1) || has_neighbour(path, n, -1)))
		return;
	stem = strndup(path, strlen(path) - n);
	word = stem ? shell_word(stem) : NULL;
	for (size_t i = 0; i < n; i++)
		strcat(pattern, isdigit((unsigned char)path[strlen(path) - 1]) ? "[0-9]" : "[a-z]");
	if (word && strlen(word) < WORD_MAX)
		error_hint(err, "it is one part of several: `cat %s%s > WHOLE` joins them", word, pattern);
	free(word);
	free(stem);
}
