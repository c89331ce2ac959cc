/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File names in commands that people are told to run. */
#ifndef CMD_SHELL_WORD_H
#define CMD_SHELL_WORD_H

/*
 * A file name as a shell takes it back, for printing: quoted where it must be, in the way of $'...' where it has to be escaped as well, for there
 * \\ and \xNN mean the same.  Malloced; NULL: no memory.
 */
char *shell_word(const char *path);

#endif /* CMD_SHELL_WORD_H */
