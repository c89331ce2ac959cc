/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other sealings of the filesystem: while something is unfinished nobody changes them. If records would put another header of theirs in
 * place than is there, these records are of the past: somebody put an old state and its journal back.
 */
#ifndef COMMON_CONVERT_OTHERS_H
#define COMMON_CONVERT_OTHERS_H

#include <stdlib.h>

#include "common/sealed/domain.h"

struct others {
	struct other { uint16_t number; uint8_t mac[CRYPT_MAC_SIZE]; } *at;	/* the MAC of its header, not checked */
	size_t n;
};

/*
 * All but `own` and the one with this key check value, which a rekeying takes out; as the trees are on disk. A power cut may have torn those, so
 * what cannot be read is left out. ERROR_MEMORY.
 */
bool others_look(struct volume *volume, uint16_t own, const uint8_t kcv_old[CRYPT_MAC_SIZE], struct others *others, struct error *err) must_use;
/* Are they the same in the trees as they are now, with the records laid over them? ERROR_STATE. */
bool others_check(struct volume *volume, const struct others *others, struct error *err) must_use;

static inline void others_free(struct others *others) { free(others->at); }
#define cleanup_others __attribute__((cleanup(others_free)))

#endif /* COMMON_CONVERT_OTHERS_H */
