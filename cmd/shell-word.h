/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File names in commands that people are told to run. */
#ifndef CMD_SHELL_WORD_H
#define CMD_SHELL_WORD_H

/*
 * A file name in a form that a shell reads back, for printing: quoted if necessary, as $'...' if it also needs escaping, because \\ and
 * \xNN mean the same there. Malloced; NULL: out of memory.
 */
char *shell_word(const char *path);

#endif /* CMD_SHELL_WORD_H */
