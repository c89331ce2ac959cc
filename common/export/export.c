/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks an image and writes it out entry by entry. */
#include "common/export/export.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/export/export-job.h"

#define SEALED_FLAGS (INODE_RO_VERITY | INODE_IMMUTABLE)	/* what sealing sets on a regular file */

/*
 * Flags set with chattr that no output format can express. How data are stored (compressed, without checksums) is not a property of the
 * file.
 */
#define LOST_FLAGS (INODE_SYNC | INODE_IMMUTABLE | INODE_APPEND | INODE_NODUMP | INODE_NOATIME | INODE_DIRSYNC)

#define HASHED_HOLES_MAX (1ull << 40)	/* of one file: longer ones are not hashed byte by byte */

/* --- telling --------------------------------------------------------------------------------------------------------- */

void export_tell(struct export_job *job, struct report report)
{
	struct export_summary *s = job->summary;

	switch (report.kind) {
	case REPORT_LOST: s->lost_bytes += report.end - report.first; job->is_incomplete = true; break;
	case REPORT_DOUBTFUL: s->doubtful_bytes += report.end - report.first; break;
	case REPORT_DAMAGED: s->n_damaged++; break;
	case REPORT_FAILED: s->n_failed++; break;
	case REPORT_REFUSED: s->n_refused++; break;
	case REPORT_SEALED: s->n_sealed++; break;
	case REPORT_NESTED: s->n_nested++; break;
	case REPORT_CIPHERTEXT: s->n_ciphertext++; break;
	case REPORT_CONVERTING: s->n_converting++; break;
	case REPORT_UNPROVEN: s->n_unproven++; break;
	default: break;
	}
	if (report.kind == REPORT_LOST || report.kind == REPORT_DOUBTFUL || report.kind == REPORT_UNPROVEN)
		job->marks |= EXPORT_NOT_AS_IT_WAS;
	else if (report.kind == REPORT_CIPHERTEXT)
		job->marks |= EXPORT_AS_ON_DISK;
	report.path = (const uint8_t *)job->path;
	report.path_len = strlen(job->path);
	report.subvolume = job->subvolume;
	report.inode = job->inode;
	report_to(&job->above, &report);
}

void export_find(struct export_job *job, enum report_kind kind, const char *text)
{
	export_tell(job, (struct report){ .kind = kind, .text = text });
}

static void take_loss(void *context, const struct report *report)
{
	struct export_job *job = context;

	job->summary->losses[report->loss]++;
	report_to(&job->above, report);
}

/* Writes to path what the walk calls `walked`, below the prefix. */
static void set_path(const struct export_job *job, char *path, const uint8_t *walked, size_t len)
{
	memcpy(path, job->prefix, job->prefix_len);
	path += job->prefix_len;
	if (job->prefix_len > 0 && len > 0)
		*path++ = '/';
	memcpy(path, walked, len);
	path[len] = '\0';
}

static void take_path(struct export_job *job, const struct walk_entry *entry)
{
	set_path(job, job->path, entry->path, entry->path_len);
	job->subvolume = entry->is_stub ? 0 : entry->tree->id;
	job->inode = entry->is_stub ? 0 : entry->number;
}

static struct export_kept *kept_of(const struct walk_entry *entry)
{
	return entry->link ? (struct export_kept *)(void *)entry->link->user : NULL;
}

/* --- one entry ------------------------------------------------------------------------------------------------------------ */

static bool read_attributes(struct export_job *job, const struct walk_entry *entry, bool leaving, struct out_entry *out,
			    struct error *err)
{
	struct error damaged;

	if (entry->is_stub || (S_ISDIR(entry->inode.mode) && ((job->out->is_directory && !leaving) || job->is_neutral[entry->depth])))
		return true;
	if (!attributes_read(&job->attributes, entry->tree, entry->number, &damaged, err))
		return false;
	if (damaged.kind != ERROR_NONE)
		export_tell(job, report_of(REPORT_DAMAGED, &damaged));
	out->xattr = job->attributes.at;
	out->n_xattrs = job->attributes.n;
	return true;
}

/* Flags that sealing set are not the file's own. */
static uint64_t lost_flags(const struct inode *inode)
{
	const bool is_sealed = S_ISREG(inode->mode) && (inode->flags & SEALED_FLAGS) == SEALED_FLAGS;

	return inode->flags & LOST_FLAGS & ~(is_sealed ? SEALED_FLAGS : 0);
}

/* The inode of the entry, or a neutral one for a directory of which only the name is proven. */
static const struct inode *inode_of(const struct export_job *job, const struct walk_entry *entry)
{
	static const struct inode neutral = { .n_links = 1, .mode = S_IFDIR | 0755 };

	return S_ISDIR(entry->inode.mode) && job->is_neutral[entry->depth] ? &neutral : &entry->inode;
}

/* Hands the entry to the out. *taken false: the reason was reported. */
static bool begin(struct export_job *job, const struct walk_entry *entry, struct out_entry *out, bool *taken, struct error *err)
{
	struct export_kept *kept = kept_of(entry);
	struct error refused = { 0 };

	out->path = job->path;
	out->inode = inode_of(job, entry);
	out->number = kept && kept->number ? kept->number : ++job->last_number;
	if (!out->link_to && !read_attributes(job, entry, false, out, err))
		return false;
	if (!job->out->ops->begin(job->out, out, taken, &refused, err))
		return false;
	if (!*taken && refused.kind != ERROR_NONE)
		export_find(job, REPORT_REFUSED, refused.text);
	if (*taken && !out->link_to && job->out->keeps_attributes && lost_flags(&entry->inode))
		out_lose(job->out, OUT_LOSS_FLAGS, job->path);
	if (*taken && kept) {
		kept->number = out->number;
		kept->taken = true;
	}
	return true;
}

/* Was the image restored by btrfs-image? Then nobody expects data in it. */
static bool is_dump(const struct export_job *job)
{
	return job->volume->super.flags & SUPER_FLAG_METADUMP_V2;
}

/* Is this a file of a sealed subvolume, according to its own metadata? */
static bool looks_sealed(const struct export_job *job, const struct walk_entry *entry)
{
	return job->map.has_sealed || (job->map.has_inline && (entry->inode.flags & SEALED_FLAGS) == SEALED_FLAGS);
}

/*
 * Data that no key opens are given out with a finding, if that was asked for. *given false: reported as left out. This does not apply to an
 * empty file or a hole; only the key can say whether it was empty when it was sealed.
 */
static void give_closed(struct export_job *job, bool looks_sealed, const char *what, bool *given)
{
	*given = job->options->raw || (job->options->accept_unsealed && !looks_sealed);
	export_find(job, job->options->raw ? REPORT_CIPHERTEXT : *given ? REPORT_UNPROVEN : REPORT_SEALED, what);
}

/* Returns false and reports it if the holes are longer than the output can take. */
static bool take_holes(struct export_job *job, uint64_t size)
{
	const uint64_t holes = size - job->map.bytes;
	char text[128];

	job->is_hashed = job->hash && holes <= HASHED_HOLES_MAX;
	if (holes > job->out->holes_max) {
		snprintf(text, sizeof(text), "its holes of %" PRIu64 " bytes are too long for this kind of archive", holes);
		export_find(job, REPORT_REFUSED, text);
		return false;
	}
	if (job->hash && !job->is_hashed)
		out_lose(job->out, OUT_LOSS_HASH, job->path);
	return true;
}

static bool export_file(struct export_job *job, const struct walk_entry *entry, struct error *err)
{
	struct out_entry out = { 0 };
	struct extent_source *source;
	bool taken, given, ciphertext = false, opens = true;

	if (entry->inode.size > INT64_MAX) {
		export_find(job, REPORT_FAILED, "its size exceeds 2^63");
		return true;
	}
	if (!job->options->source(job->options->context, entry->tree->id, &source, err) ||
	    !file_map_read(entry->tree, entry->number, entry->inode.size, &job->map, err))
		return false;
	if (source && source->opens && !source->opens(source, entry->tree, entry->number, &opens, err))
		return false;
	/* A marked extent that the key does not open is sealed as well. */
	if (!source || !opens || (source == &plain_source && job->map.has_sealed)) {
		give_closed(job, !opens || looks_sealed(job, entry), NULL, &given);
		if (!given)
			return true;
		ciphertext = job->options->raw;
	}
	if (!take_holes(job, entry->inode.size))
		return true;
	if (is_dump(job) && job->map.bytes > 0) {
		export_find(job, REPORT_REFUSED, "the image was restored from a btrfs-image dump, which has no data");
		job->summary->n_without_data++;
		return true;
	}
	out.data = job->map.at;
	out.n_data = job->map.n;
	if (!begin(job, entry, &out, &taken, err))
		return false;
	if (!taken)
		return true;
	job->summary->n_files++;
	return export_bytes(job, entry, source ? source : &plain_source, ciphertext, kept_of(entry), err);
}

static bool export_symlink(struct export_job *job, const struct walk_entry *entry, struct error *err)
{
	struct out_entry out = { .target = job->target };
	struct extent_source *source;
	struct error what = { 0 };
	bool taken, given, sealed = true;

	if (!job->options->source(job->options->context, entry->tree->id, &source, err) ||
	    (!source && job->options->accept_unsealed && job->options->link_is_sealed &&
	     !job->options->link_is_sealed(job->options->context, entry, &sealed, err)))
		return false;
	if (!source && !job->options->raw && sealed) {
		export_find(job, REPORT_SEALED, "a symbolic link");
		return true;
	}
	if (!symlink_read(job->reader, source ? source : &plain_source, entry->tree, entry->number, entry->inode.size, job->target, &what)) {
		if (!error_is_damage(&what) && what.kind != ERROR_REFUSED)
			return (*err = what, false);
		/* Ciphertext cannot be the target of a link. */
		if (!source) {
			export_find(job, REPORT_SEALED, "a symbolic link");
			return true;
		}
		export_tell(job, report_of(is_dump(job) ? REPORT_REFUSED : REPORT_FAILED, &what));
		job->summary->n_without_data += is_dump(job);
		return true;
	}
	if (!source)
		give_closed(job, false, "a symbolic link", &given);
	if (!begin(job, entry, &out, &taken, err))
		return false;
	job->summary->n_symlinks += taken;
	return !taken || links_out_add(&job->links, job->path, err);
}

static bool export_link(struct export_job *job, const struct walk_entry *entry, struct error *err)
{
	struct out_entry out = { .link_to = job->link_path };
	const struct export_kept *kept = kept_of(entry);
	bool taken;

	set_path(job, job->link_path, entry->link->path, entry->link->path_len);
	if (!begin(job, entry, &out, &taken, err))
		return false;
	if (!taken)
		return true;
	job->summary->n_links++;
	job->summary->n_files++;
	if (S_ISLNK(entry->inode.mode) && !links_out_add(&job->links, job->path, err))
		return false;
	return !kept->has_hash || job->options->hashed(job->options->context, job->path, kept->hash, job->marks | kept->marks, err);
}

static bool export_directory(struct export_job *job, const struct walk_entry *entry, bool *descend, struct error *err)
{
	struct out_entry out = { 0 };
	bool taken;

	if (!begin(job, entry, &out, &taken, err))
		return false;
	if (!taken) {
		*descend = false;
		job->skips_leave = true;
		return true;
	}
	job->summary->n_directories++;
	if (entry->is_subvolume && entry->depth > 0 && !job->options->recursive &&
	    !(job->options->enters && job->options->enters(job->options->context, entry->tree->id))) {
		*descend = false;
		export_find(job, REPORT_NESTED, NULL);
	}
	return true;
}

static bool export_special(struct export_job *job, const struct walk_entry *entry, struct error *err)
{
	struct out_entry out = { 0 };
	bool taken;

	if (!begin(job, entry, &out, &taken, err))
		return false;
	job->summary->n_special += taken;
	return true;
}

/* --- what the walk calls ------------------------------------------------------------------------------------------------ */

static bool copies(const struct out *out, mode_t mode)
{
	return out->copies_links || (out->copies_special_links && !S_ISREG(mode));
}

static bool on_entry(void *context, const struct walk_entry *entry, bool *descend, struct error *err)
{
	struct export_job *job = context;
	const mode_t mode = entry->inode.mode;
	const struct export_kept *kept = kept_of(entry);
	bool skip;

	take_path(job, entry);
	job->marks = 0;
	if (job->options->progress)
		job->options->progress(job->options->context, job->summary);
	if (links_out_has(&job->links, job->path, entry->depth == 0)) {
		export_find(job, REPORT_FAILED, "a symbolic link has the same name and was exported");
		*descend = false;
		job->skips_leave = S_ISDIR(mode);
		return true;
	}
	if (!export_prove(job, entry, &skip, err))
		return false;
	if (skip) {
		*descend = false;
		job->skips_leave = S_ISDIR(mode);
		return true;
	}
	if (S_ISDIR(mode))
		return export_directory(job, entry, descend, err);
	if (entry->is_later_link && kept->taken && !copies(job->out, mode))
		return export_link(job, entry, err);
	if (entry->is_later_link && kept->taken && job->out->loses_links)
		out_lose(job->out, OUT_LOSS_LINK, job->path);
	if (S_ISREG(mode))
		return export_file(job, entry, err);
	if (S_ISLNK(mode))
		return export_symlink(job, entry, err);
	return export_special(job, entry, err);
}

static bool on_leave(void *context, const struct walk_entry *entry, struct error *err)
{
	struct export_job *job = context;
	struct out_entry out = { .path = job->path, .inode = inode_of(job, entry) };
	const bool skips = job->skips_leave;

	job->skips_leave = false;
	if (!job->out->is_directory || skips)
		return true;
	take_path(job, entry);
	return read_attributes(job, entry, true, &out, err) && job->out->ops->leave(job->out, &out, err);
}

static void on_report(void *context, const struct report *report)
{
	struct export_job *job = context;

	job->inode = 0;
	set_path(job, job->path, report->path, report->path_len);
	job->summary->n_too_long += report->kind == REPORT_REFUSED;
	export_tell(job, *report);
}

bool export_tree(struct export_job *job, const struct file_id *start, const char *prefix, struct error *err)
{
	static const struct walk_visitor visitor = { .entry = on_entry, .leave = on_leave, .report = on_report };

	job->prefix = prefix;
	job->prefix_len = strlen(prefix);
	if (job->prefix_len > PATH_BYTES_MAX)
		return error_set(err, ERROR_USAGE, "a path is longer than %u bytes", PATH_BYTES_MAX);
	return walk(job->volume, start, &visitor, job, err);
}

void export_end(struct export_job *job)
{
	if (!job)
		return;
	export_bytes_free(job);
	file_map_free(&job->map);
	links_out_free(&job->links);
	attributes_free(&job->attributes);
	free(job);
}

bool export_begin(struct volume *volume, struct out *out, const struct export_options *options, struct export_summary *summary,
		  struct export_job **result, struct error *err)
{
	struct export_job *job = calloc(1, sizeof(*job));

	if (!job)
		return error_memory(err);
	job->volume = volume;
	job->out = out;
	job->options = options;
	job->summary = summary;
	out->reporter = (struct reporter){ take_loss, job };
	if (!export_bytes_init(job, err)) {
		export_end(job);
		return false;
	}
	*result = job;
	return true;
}
