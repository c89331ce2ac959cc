/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is encrypted in subvolumes in the format of 2016, and with which IVs. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/convert/legacy-run.h"
#include "common/sealed/extent-part.h"
#include "format/dir-entry.h"
#include "format/inode.h"

bool legacy_inode_of(struct legacy_run *run, uint32_t member, uint64_t number, const struct legacy_inode **inode, struct error *err)
{
	const struct tree *const tree = &run->scan->tree[member];

	*inode = &run->inode;
	return (run->inode.number == number && run->inode.tree == tree->id) ||
	       legacy_inode_read(tree, number, run->ciphers, &run->inode, err) || error_prefix(err, "subvolume %" PRIu64, tree->id);
}

bool legacy_extent_is_ours(const struct legacy_run *run, const struct legacy_inode *inode, const struct file_extent *e)
{
	return legacy_extent_mark(e) || legacy_is_encrypted(&run->legacy, inode->flags, e);
}

/* --- extents --------------------------------------------------------------------------------------------------------------- */

struct finding {
	struct legacy_run *run;
	const struct scan_block *at;
	struct key key;			/* of the item */
	uint64_t n_inline;
	uint64_t n_refused, n_doubtful;	/* doubtful: only their last page speaks against them */
	uint64_t refused;		/* the last one, an inode or address, so that each is told once */
};

/* "home/a.txt", escaped; the caller's. NULL: out of memory. */
static char *label_of(const struct legacy_run *run, uint32_t member, uint64_t inode)
{
	return file_label(&run->list, &run->scan->tree[member], inode);
}

static bool tell_file(struct finding *f, const char *why, bool is_refused, struct error *err)
{
	char *label;

	if (f->refused == f->key.objectid)
		return true;
	label = label_of(f->run, f->at->member, f->key.objectid);
	if (!label)
		return error_memory(err);
	legacy_note(f->run, "%.300s: %s", label, why);
	free(label);
	f->refused = f->key.objectid;
	f->n_refused += is_refused;
	return true;
}

static bool refuse_file(struct finding *f, const char *why, struct error *err)
{
	return tell_file(f, why, true, err);
}

static bool refuse_extent(struct finding *f, const struct legacy_extent *first, uint64_t logical, struct error *err)
{
	char *const one = label_of(f->run, first->member, first->inode), *const other = label_of(f->run, f->at->member, f->key.objectid);
	const bool ok = (one && other) || error_memory(err);

	if (ok && f->refused != logical) {
		legacy_note(f->run, "%.200s and %.200s use the same data (at %" PRIu64 "), but would not decrypt them alike", one, other, logical);
		f->n_refused++;
	}
	f->refused = logical;
	free(one);
	free(other);
	return ok;
}

/* All who use an extent must read it alike, or nobody can say what it is to become. */
static bool take_extent(struct finding *f, const struct file_extent *e, const struct legacy_inode *inode, bool is_ours, struct error *err)
{
	struct legacy_run *const run = f->run;
	const struct scan_extent *const extent = scan_extent_at(run->scan, e->disk_bytenr);
	struct legacy_extent *const have = extent ? &run->extent[extent - run->scan->extent] : NULL;

	if (!have)
		return error_set(err, ERROR_CORRUPT, "inode %" PRIu64 " refers to an extent at %" PRIu64 ", which was not there before", f->key.objectid,
				 e->disk_bytenr);
	if (have->is == LEGACY_UNSEEN) {
		*have = (struct legacy_extent){ is_ours ? LEGACY_ENCRYPTED : LEGACY_PLAIN, f->at->member, f->key.objectid, { 0 } };
		memcpy(have->iv, inode->iv, sizeof(have->iv));
	} else if ((have->is == LEGACY_ENCRYPTED) != is_ours || (is_ours && memcmp(have->iv, inode->iv, sizeof(have->iv)) != 0)) {
		return refuse_extent(f, have, e->disk_bytenr, err);
	}
	return true;
}

static bool check_fields(struct finding *f, const struct file_extent *e, struct error *err)
{
	const uint64_t ram_bytes = e->type == FILE_EXTENT_INLINE ? e->payload.left : e->disk_num_bytes;

	if (e->encryption > 1)
		return refuse_file(f, "the field `encryption` of an extent is neither 0 nor 1", err);
	if (e->ram_bytes != ram_bytes)
		return refuse_file(f, "the field `ram_bytes` of an encrypted extent is not the number of its bytes", err);
	if (e->type != FILE_EXTENT_INLINE && e->disk_num_bytes > (uint64_t)JOURNAL_CARRIED_MAX * CRYPT_BLOCK)
		return refuse_file(f, "an encrypted extent has more than 128 KiB", err);
	return true;
}

/*
 * If the last page of a file speaks against the IV, its data were perhaps cloned from a file that is gone. Decrypted with this IV they would be lost,
 * because afterwards nothing would tell, and nobody would have the IV any more. Only before anything is changed: later the extent may be plain text.
 */
static bool check_padding(struct finding *f, const struct file_extent *e, const struct legacy_inode *inode, struct error *err)
{
	struct legacy_run *const run = f->run;
	enum legacy_padding padding;

	if (run->at.epoch || f->refused == e->disk_bytenr || inode->size == 0 || inode->size - 1 < f->key.offset || inode->size - 1 - f->key.offset >= e->num_bytes)
		return true;
	if (!legacy_probe(&run->scan->tree[f->at->member], &run->legacy, run->ciphers, inode, e->disk_bytenr, &padding, err))
		return false;
	if (padding != LEGACY_PADDING_WRONG)
		return true;
	f->n_doubtful += f->refused != f->key.objectid;
	return tell_file(f, "its last page does not end in zeros: its data were perhaps cloned from a file that is gone, whose IV nobody has any more",
			 !run->force_key, err);
}

static bool find_in_item(struct finding *f, struct cursor item, struct error *err)
{
	struct legacy_run *const run = f->run;
	const struct legacy_inode *inode;
	struct file_extent e;
	bool is_ours;

	if (f->key.type != KEY_EXTENT_DATA)
		return true;
	if (!legacy_inode_of(run, f->at->member, f->key.objectid, &inode, err) ||
	    !file_extent_read(&item, f->key.offset, run->volume->super.sector_size, &e, err))
		return false;
	is_ours = legacy_extent_is_ours(run, inode, &e);
	if (e.other_encoding != 0 && !(run->at.epoch && legacy_extent_mark(&e)))
		return refuse_file(f, "the field `other_encoding` of an extent is in use", err);
	if (is_ours && (!check_fields(f, &e, err) || (!inode->has_iv && !refuse_file(f, inode->no_iv.text, err))))
		return false;
	f->n_inline += is_ours && e.type == FILE_EXTENT_INLINE;
	return e.type == FILE_EXTENT_INLINE || e.disk_bytenr == 0 ||
	       (take_extent(f, &e, inode, is_ours, err) && (!is_ours || check_padding(f, &e, inode, err)));
}

/* After a resume the numbers of the leaves that were converted already are those of the marks. */
bool legacy_extents_find(struct legacy_run *run, uint64_t *n_inline, struct error *err)
{
	struct finding f = { .run = run };

	run->extent = calloc(run->scan->n_extents + 1, sizeof(*run->extent));
	if (!run->extent)
		return error_memory(err);
	for (size_t i = 0; i < run->scan->n_blocks; i++) {
		cleanup_block struct block *block = NULL;

		f.at = &run->scan->block[i];
		if (f.at->level != 0)
			continue;
		if (!scan_block_get(run->scan, f.at, &block, err))
			return false;
		for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
			f.key = node_key(&block->node, slot);
			if (!find_in_item(&f, leaf_item(&block->node, slot), err))
				return error_prefix(err, "tree block %" PRIu64 ": item %" PRIu32, f.at->logical, slot);
		}
	}
	*n_inline = f.n_inline;
	if (f.n_refused == 0)
		return true;
	error_set(err, ERROR_REFUSED, "%" PRIu64 " file%s cannot be decrypted in place, see above", f.n_refused, f.n_refused == 1 ? "" : "s");
	return error_hint(err, "nothing was changed; `btrfs-crypt export` decrypts what can be read%s", f.n_doubtful < f.n_refused ? "" :
			  "; --force-key decrypts all the same, and afterwards nothing tells which data are wrong");
}

/* --- the digest -------------------------------------------------------------------------------------------------------------- */

struct digesting {
	struct legacy_run *run;
	const struct scan_block *at;
	struct mac *mac;
	bool is_whole;
};

static void put_head(struct digesting *d, const struct key *key, size_t len)
{
	const struct { struct disk_key key; struct le64 len; } head = { key_to_disk(key), to_le64(len) };

	mac_update(d->mac, &head, sizeof(head));
}

static void put_item(struct digesting *d, const struct key *key, const void *bytes, size_t len)
{
	put_head(d, key, len);
	mac_update(d->mac, bytes, len);
}

/* Without the two xattrs, and not at all if there are no others. */
static bool put_xattrs(struct digesting *d, const struct key *key, struct cursor item, struct error *err)
{
	for (bool any = false; item.left > 0;) {
		const uint8_t *const from = item.at;
		struct dir_entry xattr;

		if (!xattr_next(&item, &xattr, err))
			return false;
		if (legacy_xattr_is_ours(&xattr.name))
			continue;
		if (!any)
			put_head(d, key, 0);
		any = true;
		mac_update(d->mac, from, (size_t)(item.at - from));
	}
	return true;
}

/* As it was before the leaf was converted: the mark tells. */
static void put_whole_extent(struct digesting *d, const struct key *key, const struct cursor *item, const struct file_extent *e, size_t len)
{
	struct disk_file_extent disk;

	memcpy(&disk, item->at, len);
	if (legacy_extent_mark(e)) {
		disk.compression = COMPRESS_ENCRYPTED;
		disk.encryption = le16(disk.other_encoding) - LEGACY_MARK;
		disk.other_encoding = to_le16(0);
	}
	put_item(d, key, &disk, len);
}

/* Inline payloads do not count: nothing tells afterwards which of them were encrypted. */
static bool put_extent(struct digesting *d, const struct key *key, struct cursor item, struct error *err)
{
	struct cursor whole = item;
	const struct legacy_inode *inode;
	struct disk_file_extent disk;
	struct file_extent e;
	size_t len;

	if (!file_extent_read(&whole, key->offset, d->run->volume->super.sector_size, &e, err))
		return false;
	len = e.type == FILE_EXTENT_INLINE ? FILE_EXTENT_INLINE_HEADER : sizeof(disk);
	if (d->is_whole) {
		put_whole_extent(d, key, &item, &e, len);
		return true;
	}
	memcpy(&disk, item.at, len);
	if (e.compression == COMPRESS_ENCRYPTED && !legacy_inode_of(d->run, d->at->member, key->objectid, &inode, err))
		return false;
	if (legacy_extent_mark(&e) || (e.compression == COMPRESS_ENCRYPTED && legacy_extent_is_ours(d->run, inode, &e))) {
		disk.compression = COMPRESS_NONE;
		disk.encryption = 0;
		disk.other_encoding = to_le16(0);
	}
	put_item(d, key, &disk, len);
	return true;
}

static bool put(struct digesting *d, const struct key *key, struct cursor item, struct error *err)
{
	struct disk_inode_item inode;

	if (key->type == KEY_EXTENT_DATA)
		return put_extent(d, key, item, err);
	if (key->type == KEY_XATTR_ITEM && !d->is_whole)
		return put_xattrs(d, key, item, err);
	if (key->type == KEY_INODE_ITEM && !d->is_whole && item.left == sizeof(inode)) {
		memcpy(&inode, item.at, sizeof(inode));
		inode.flags = to_le64(le64(inode.flags) & ~INODE_ENCRYPT);
		put_item(d, key, &inode, sizeof(inode));
		return true;
	}
	put_item(d, key, item.at, item.left);
	return true;
}

static bool put_leaf(struct digesting *d, struct error *err)
{
	cleanup_block struct block *block = NULL;

	if (!scan_block_get(d->run->scan, d->at, &block, err))
		return false;
	for (uint32_t slot = 0; slot < block->node.n_items; slot++) {
		const struct key key = node_key(&block->node, slot);

		if (!put(d, &key, leaf_item(&block->node, slot), err))
			return error_prefix(err, "tree block %" PRIu64 ": item %" PRIu32, d->at->logical, slot);
	}
	return true;
}

bool legacy_digest(struct legacy_run *run, bool is_whole, uint8_t digest[CRYPT_MAC_SIZE], struct error *err)
{
	const char *const begin = is_whole ? "whole-2016" : "begin-2016";
	cleanup_mac struct mac *mac = NULL;
	struct digesting d = { .run = run, .is_whole = is_whole };

	if (!mac_new(run->schedule, "state", run->op.state.op_id, sizeof(run->op.state.op_id), &mac, err))
		return false;
	d.mac = mac;
	run->inode.number = 0;
	mac_start(mac);
	mac_update(mac, begin, strlen(begin));
	for (size_t i = 0; i < run->scan->n_members; i++) {
		const struct le64 id = to_le64(run->scan->member[i]);

		mac_update(mac, &id, sizeof(id));
	}
	for (size_t i = 0; i < run->scan->n_blocks; i++) {
		d.at = &run->scan->block[i];
		if (d.at->level == 0 && !put_leaf(&d, err))
			return false;
	}
	return mac_finish(mac, digest, err);
}

bool legacy_is_as_begun(struct legacy_run *run, bool *is, struct error *err)
{
	uint8_t digest[CRYPT_MAC_SIZE];

	if (!legacy_digest(run, false, digest, err))
		return false;
	run->inode.number = 0;	/* it was perhaps read without a key */
	*is = secret_same(digest, run->op.state.begin_digest, sizeof(digest));
	if (!*is || run->at.phase == CRYPT_PHASE_STRUCTURE)
		return true;
	if (!legacy_digest(run, true, digest, err))
		return false;
	*is = secret_same(digest, run->op.state.whole_digest, sizeof(digest));
	return true;
}
