/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Argon2id and PBKDF2: bounds, calibration, derivation. */
#include "common/crypto/kdf.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/crypto/crypto.h"
#include "common/crypto/sodium.h"
#include "common/util/cpu-time.h"
#include "common/util/take.h"

#define MEASURED_MEMORY_KIB_MAX	(128u << 10)

/* Half of MemAvailable in KiB. If the kernel does not tell, only the fixed bound counts. */
static uint64_t half_of_available_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t kib = 0;

	while (file && kib == 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) != 1)
			kib = 0;
	if (file)
		fclose(file);
	return kib ? kib / 2 : KDF_MEMORY_KIB_MAX;
}

static bool argon2id_check(const struct kdf_cost *cost, struct error *err)
{
	const uint64_t work = (uint64_t)cost->memory_kib * cost->passes;
	const uint64_t half = half_of_available_kib();

	if (cost->memory_kib < ARGON2ID_MEMORY_KIB_MIN || cost->memory_kib > KDF_MEMORY_KIB_MAX)
		return error_set(err, ERROR_REFUSED, "Argon2id has %" PRIu32 " KiB of memory, not %u to %u",
				 cost->memory_kib, ARGON2ID_MEMORY_KIB_MIN, KDF_MEMORY_KIB_MAX);
	if (cost->passes == 0 || cost->passes > KDF_PASSES_MAX)
		return error_set(err, ERROR_REFUSED, "Argon2id has %" PRIu32 " passes, not 1 to %u", cost->passes,
				 KDF_PASSES_MAX);
	if (work > KDF_WORK_KIB_MAX)
		return error_set(err, ERROR_REFUSED, "Argon2id has %" PRIu32 " KiB of memory and %" PRIu32 " passes; their product is "
			"not 8 to %u", cost->memory_kib, cost->passes, KDF_WORK_KIB_MAX);
	if (cost->memory_kib > half)
		return error_set(err, ERROR_REFUSED, "Argon2id needs %" PRIu32 " KiB of memory; only %" PRIu64
				 " KiB, half of the available memory, may be used", cost->memory_kib, half);
	return true;
}

bool kdf_check(const struct kdf_cost *cost, struct error *err)
{
	switch (cost->kdf) {
	case KDF_ARGON2ID:
		return argon2id_check(cost, err);
	case KDF_PBKDF2_SHA512:
		if (cost->iterations == 0 || cost->iterations > KDF_ITERATIONS_MAX)
			return error_set(err, ERROR_REFUSED, "PBKDF2 has %" PRIu32 " iterations, not 1 to %u",
					 cost->iterations, KDF_ITERATIONS_MAX);
		return true;
	case KDF_NONE:
		break;
	}
	return error_set(err, ERROR_REFUSED, "key derivation function %d is unknown", (int)cost->kdf);
}

bool kdf_derive(const struct kdf_cost *cost, const struct secret *secret, const uint8_t salt[KDF_SALT_SIZE],
		struct secret **out, struct error *err)
{
	cleanup_secret struct secret *new = NULL;
	bool ok;

	if (!kdf_check(cost, err) || !secret_new(KDF_OUT_SIZE, &new, err))
		return false;
	if (cost->kdf == KDF_ARGON2ID)
		ok = argon2id(secret_view(secret), secret_len(secret), salt, cost->memory_kib, cost->passes,
			      secret_bytes(new), err);
	else
		ok = pbkdf2_sha512(secret_view(secret), secret_len(secret), salt, cost->iterations,
				   secret_bytes(new), err);
	if (!ok)
		return false;
	*out = TAKE(new);
	return true;
}

/* --- calibration ----------------------------------------------------------------- */

bool kdf_measure(const struct kdf_cost *cost, double *milliseconds, struct error *err)
{
	static const uint8_t salt[KDF_SALT_SIZE];
	cleanup_secret struct secret *secret = NULL, *out = NULL;
	double begin;

	if (!secret_random(KDF_OUT_SIZE, &secret, err))
		return false;
	begin = cpu_milliseconds();
	if (!kdf_derive(cost, secret, salt, &out, err))
		return false;
	*milliseconds = cpu_milliseconds() - begin + 1e-3;
	return true;
}

static uint32_t clamp(double value, uint32_t least, uint32_t most)
{
	return value <= least ? least : value >= most ? most : (uint32_t)value;
}

/* First more memory as far as possible, then more passes. */
static bool calibrate_argon2id(struct kdf_cost *cost, unsigned milliseconds, struct error *err)
{
	const uint64_t half = half_of_available_kib();
	const uint32_t most = half < MEASURED_MEMORY_KIB_MAX ? half : MEASURED_MEMORY_KIB_MAX;
	const uint32_t least = most < KDF_MEMORY_KIB_NEW_MIN ? most : KDF_MEMORY_KIB_NEW_MIN;
	struct kdf_cost probe = {
		.kdf = KDF_ARGON2ID,
		.memory_kib = cost->memory_kib ? cost->memory_kib : least,
		.passes = KDF_PASSES_NEW_MIN,	/* a single pass would mostly measure the kernel clearing pages */
	};
	double one_pass;	/* with probe.memory_kib */

	/* Nobody seals with a slot that can be guessed, by mistake or on purpose. */
	if (cost->memory_kib && cost->memory_kib < least)
		return error_set(err, ERROR_REFUSED, "Argon2id has %" PRIu32 " KiB of memory, but a new slot needs at least %" PRIu32,
				 cost->memory_kib, least);
	if (cost->passes && cost->passes < KDF_PASSES_NEW_MIN)
		return error_set(err, ERROR_REFUSED, "Argon2id has %" PRIu32 " passes, but a new slot needs at least %u", cost->passes,
				 KDF_PASSES_NEW_MIN);
	if (cost->memory_kib && cost->passes)
		return kdf_check(cost, err);
	if (!kdf_measure(&probe, &one_pass, err))
		return false;
	one_pass /= probe.passes;
	if (!cost->memory_kib) {
		const uint32_t passes = cost->passes ? cost->passes : KDF_PASSES_NEW_MIN;

		cost->memory_kib = clamp(probe.memory_kib * (milliseconds / (one_pass * passes)), least, most);
		one_pass *= (double)cost->memory_kib / probe.memory_kib;
	}
	if (!cost->passes) {
		const uint32_t passes_most = KDF_WORK_KIB_MAX / cost->memory_kib;

		cost->passes = clamp(milliseconds / one_pass, KDF_PASSES_NEW_MIN,
				     passes_most < KDF_PASSES_MAX ? passes_most : KDF_PASSES_MAX);
	}
	return kdf_check(cost, err);
}

static bool calibrate_pbkdf2(struct kdf_cost *cost, unsigned milliseconds, struct error *err)
{
	struct kdf_cost probe = { .kdf = KDF_PBKDF2_SHA512, .iterations = 20000 };
	double took;

	if (cost->iterations == 0) {
		if (!kdf_measure(&probe, &took, err))
			return false;
		cost->iterations = clamp(probe.iterations * (milliseconds / took), KDF_ITERATIONS_NEW_MIN,
					 KDF_ITERATIONS_MAX);
	}
	if (cost->iterations < KDF_ITERATIONS_NEW_MIN)
		return error_set(err, ERROR_REFUSED, "PBKDF2 has %" PRIu32 " iterations, but a new slot needs at least %u",
				 cost->iterations, KDF_ITERATIONS_NEW_MIN);
	return kdf_check(cost, err);
}

bool kdf_calibrate(struct kdf_cost *cost, unsigned milliseconds, struct error *err)
{
	struct kdf_cost filled = *cost;

	if (filled.kdf == 0)
		filled.kdf = KDF_ARGON2ID;
	if (milliseconds == 0)
		milliseconds = KDF_MILLISECONDS;
	if (filled.kdf == KDF_ARGON2ID ? !calibrate_argon2id(&filled, milliseconds, err)
				       : filled.kdf == KDF_PBKDF2_SHA512 && !calibrate_pbkdf2(&filled, milliseconds, err))
		return false;
	*cost = filled;
	return true;
}
