/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log tree holds what was fsynced after the last commit of a filesystem that was not unmounted. A kernel puts it into the subvolumes
 * when it mounts the filesystem and writes them. Here the same happens in memory, to overlays of the trees.
 */
#ifndef COMMON_FS_LOG_REPLAY_H
#define COMMON_FS_LOG_REPLAY_H

#include "common/tree/tree.h"

static inline bool log_is_there(const struct volume *volume)
{
	return volume->super.log_root != 0;
}

/*
 * From here on all subvolumes and the csum tree read as after a mount: their trees have overlays. The extent tree stays as it was. If links
 * are removed, the times of the directory are those in the log or on disk; a kernel sets some of them to the time of the mount.
 */
bool log_replay(struct volume *volume, struct error *err) must_use;

#endif /* COMMON_FS_LOG_REPLAY_H */
