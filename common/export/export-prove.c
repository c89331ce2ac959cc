/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leaves out, or reports, what is not as it was sealed in a sealed subvolume. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/export/export-job.h"

/* With the range of bytes concerned: the file may then contain another file's data. */
static void find_unproven(struct export_job *job, const struct walk_entry *entry, const char *text)
{
	const struct export_options *options = job->options;
	const uint64_t size = S_ISREG(entry->inode.mode) ? entry->inode.size : 0;
	const uint64_t end = options->end != 0 && options->end < size ? options->end : size;
	const bool has_bytes = options->first < end;

	export_tell(job, (struct report){
		.kind = REPORT_UNPROVEN, .first = has_bytes ? options->first : 0, .end = has_bytes ? end : 0, .text = text });
}

static void tell(struct export_job *job, const struct walk_entry *entry, enum report_kind kind, const char *text)
{
	if (job->options->accepts_unproven)
		find_unproven(job, entry, text);
	else
		export_find(job, kind, text);
}

/* text says what differs. If that cannot be read, the damage is reported instead. */
static void tell_differs(struct export_job *job, const struct walk_entry *entry, enum report_kind kind, const struct export_proven *proven,
			 const char *text, const char *left_out)
{
	char unread[sizeof(proven->unread.text) + 160];

	if (proven->unread.kind != ERROR_NONE)
		snprintf(unread, sizeof(unread), "%s%s", proven->unread.text, left_out);
	else
		snprintf(unread, sizeof(unread), "%s%s", text, left_out);
	tell(job, entry, kind, unread);
}

static bool prove_directory(struct export_job *job, const struct walk_entry *entry, const struct export_proven *proven)
{
	const bool accepts = job->options->accepts_unproven;

	if (proven->differs & EXPORT_NAME_DIFFERS) {
		tell_differs(job, entry, REPORT_FAILED, proven, "it was not sealed under this name here", accepts ? "" :
			     ", and is left out with all that is in it");
		if (!accepts)
			return false;
	}
	if (proven->differs & EXPORT_INODE_DIFFERS) {
		job->is_neutral[entry->depth] = !accepts;
		tell_differs(job, entry, REPORT_DAMAGED, proven, "its mode, owner, times or attributes are not as they were when it was "
			"sealed", accepts ? "" :
			     proven->unread.kind != ERROR_NONE ? ": its mode, owner, times and attributes are left out" : ", and are left out");
	}
	if (proven->differs & EXPORT_LISTING_DIFFERS)
		tell_differs(job, entry, REPORT_DAMAGED, proven, "names were added or removed since it was sealed",
			     proven->unread.kind != ERROR_NONE ? ": names in it may be missing" : "");
	return true;
}

static void tell_tree(struct export_job *job, const struct walk_entry *entry, const struct export_proven *proven)
{
	char text[sizeof(proven->tree_unread.text) + 80];

	if (proven->tree_unread.kind != ERROR_NONE) {
		snprintf(text, sizeof(text), "%s: the subvolume cannot be checked as a whole; each file is checked by itself", proven->tree_unread.text);
		tell(job, entry, REPORT_DAMAGED, text);
	}
	if (proven->differs & EXPORT_TREE_DIFFERS)
		tell(job, entry, REPORT_DAMAGED, "the subvolume is not as it was sealed: what is exported is proven file by file; other "
			"files may be missing, or may come from another of the subvolumes sealed together");
}

bool export_prove(struct export_job *job, const struct walk_entry *entry, bool *skip, struct error *err)
{
	struct export_proven proven = { 0 };

	*skip = false;
	if (S_ISDIR(entry->inode.mode))
		job->is_neutral[entry->depth] = false;
	if (!job->options->proof)
		return true;
	if (!job->options->proof(job->options->context, entry, &proven, err)) {
		if (err->kind != ERROR_UNFINISHED)
			return false;
		export_find(job, REPORT_CONVERTING, err->text);
		*err = (struct error){ 0 };
		*skip = true;
		return true;
	}
	if (proven.differs & EXPORT_NOT_VOUCHED) {
		tell(job, entry, REPORT_FAILED, "its unsealing was begun with changes accepted and is unfinished: nothing tells whether "
			"this is as it was sealed");
		*skip = !job->options->accepts_unproven;
		return true;
	}
	if (proven.lost)
		tell(job, entry, REPORT_DAMAGED, proven.lost);
	tell_tree(job, entry, &proven);
	if (S_ISDIR(entry->inode.mode)) {
		*skip = !prove_directory(job, entry, &proven);
	} else if (proven.differs & (EXPORT_NAME_DIFFERS | EXPORT_INODE_DIFFERS)) {
		tell_differs(job, entry, REPORT_FAILED, &proven, proven.differs & EXPORT_INODE_DIFFERS ?
			     "it is not the file that was sealed: it was changed or added since, or its data belong to another file" :
			     "it was not sealed under this name here", "");
		*skip = !job->options->accepts_unproven;
	}
	return true;
}
