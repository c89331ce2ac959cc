/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes for people, as btrfs-progs print them. */
#ifndef CMD_SIZE_TEXT_H
#define CMD_SIZE_TEXT_H

#include <stdint.h>

/* "8.00MiB", "512.00B" */
#define SIZE_TEXT_SIZE 32
const char *size_text(uint64_t bytes, char text[SIZE_TEXT_SIZE]);

/* "544.00KiB (557056 bytes)", or only the bytes if they are few. */
#define SIZE_WITH_BYTES 64
const char *size_with_bytes(uint64_t bytes, char text[SIZE_WITH_BYTES]);

#endif /* CMD_SIZE_TEXT_H */
