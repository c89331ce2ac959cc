/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives every file of the directories named as operands, and every truncation of the small ones, to a fuzz target: what
 * libFuzzer once found stays found where clang is not installed.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX (16u << 20)
#define TRUNCATE_MAX 512u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* In memory of exactly len bytes, so that the sanitizer sees a read past it. */
static void give(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static size_t replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(FILE_MAX);

	if (!file || !bytes) {
		perror(path);
		exit(1);
	}

	const size_t len = fread(bytes, 1, FILE_MAX, file);
	size_t n = 1;

	fclose(file);
	give(bytes, len);
	for (size_t part = 0; len <= TRUNCATE_MAX && part < len; part++, n++)
		give(bytes, part);
	free(bytes);
	return n;
}

static size_t replay_directory(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	if (!directory) {
		perror(path);
		exit(1);
	}
	while ((entry = readdir(directory))) {
		char name[4096];
		struct stat st;

		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
			n += replay_file(name);
	}
	closedir(directory);
	return n;
}

int main(int argc, char **argv)
{
	size_t n = 0;

	for (int i = 1; i < argc; i++)
		n += replay_directory(argv[i]);
	printf("%zu inputs\n", n);
	if (n == 0)
		fprintf(stderr, "no corpus\n");
	return n == 0;
}
