/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/pbkdf-options.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/command.h"

static struct {
	char *pbkdf;
	char *memory, *iterations, *milliseconds;	/* numbers, as given */
} opt;

struct poptOption options_pbkdf[] = {
	{ "pbkdf", 0, POPT_ARG_STRING, &opt.pbkdf, 0, "how the key slot is made expensive (default: argon2id)", "argon2id|pbkdf2" },
	{ "pbkdf-memory", 0, POPT_ARG_STRING, &opt.memory, 0, "memory of argon2id", "KIB" },
	{ "pbkdf-force-iterations", 0, POPT_ARG_STRING, &opt.iterations, 0, "passes of argon2id, iterations of pbkdf2", "N" },
	{ "iter-time", 'i', POPT_ARG_STRING, &opt.milliseconds, 0, "time that opening the key slot takes here (default 1000)", "MS" },
	POPT_TABLEEND
};

const char *pbkdf_options_given(void)
{
	return opt.pbkdf ? "--pbkdf" : opt.memory ? "--pbkdf-memory" : opt.iterations ? "--pbkdf-force-iterations" : opt.milliseconds ? "--iter-time" : NULL;
}

bool pbkdf_options_chosen(void)
{
	return opt.pbkdf;
}

#define KDF_MILLISECONDS_MAX 600000u

static bool read_argon2id_cost(struct kdf_cost *cost, struct error *err)
{
	uint64_t memory = 0, passes = 0;

	if (!option_number("--pbkdf-memory", opt.memory, KDF_MEMORY_KIB_NEW_MIN, KDF_MEMORY_KIB_MAX, &memory, err) ||
	    !option_number("--pbkdf-force-iterations", opt.iterations, KDF_PASSES_NEW_MIN, KDF_PASSES_MAX, &passes, err))
		return false;
	if (memory * passes > KDF_WORK_KIB_MAX)
		return error_set(err, ERROR_USAGE, "--pbkdf-memory %" PRIu64 " and --pbkdf-force-iterations %" PRIu64
				 ": their product is more than %u", memory, passes, KDF_WORK_KIB_MAX);
	*cost = (struct kdf_cost){ .kdf = KDF_ARGON2ID, .memory_kib = (uint32_t)memory, .passes = (uint32_t)passes };
	return true;
}

static bool read_pbkdf2_cost(struct kdf_cost *cost, struct error *err)
{
	uint64_t iterations = 0;

	if (opt.memory)
		return error_set(err, ERROR_USAGE, "--pbkdf-memory goes with --pbkdf argon2id");
	if (!option_number("--pbkdf-force-iterations", opt.iterations, KDF_ITERATIONS_NEW_MIN, KDF_ITERATIONS_MAX, &iterations, err))
		return false;
	*cost = (struct kdf_cost){ .kdf = KDF_PBKDF2_SHA512, .iterations = (uint32_t)iterations };
	return true;
}

bool pbkdf_options_read(struct kdf_cost *cost, unsigned *milliseconds, struct error *err)
{
	const char *pbkdf = opt.pbkdf ? opt.pbkdf : "argon2id";
	const bool argon2id = strcmp(pbkdf, "argon2id") == 0;
	uint64_t time = 0;

	if (!argon2id && strcmp(pbkdf, "pbkdf2") != 0)
		return error_set(err, ERROR_USAGE, "--pbkdf takes argon2id or pbkdf2");
	if (opt.iterations && opt.milliseconds)
		return error_set(err, ERROR_USAGE, "only one of --iter-time and --pbkdf-force-iterations");
	if (!option_number("--iter-time", opt.milliseconds, 1, KDF_MILLISECONDS_MAX, &time, err))
		return false;
	*milliseconds = (unsigned)time;
	return argon2id ? read_argon2id_cost(cost, err) : read_pbkdf2_cost(cost, err);
}
