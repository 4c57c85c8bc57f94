/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts.h -- what only the master knows and the status page shows (operations.md 7), as a JSON text
 * in its stats page: last reload, source of tenants, certificates, key sets. The master writes it
 * when it changes; any worker reads it, whole or not at all.
 */
#pragma once
#include "common/bytes.h"
#include "common/words.h"

enum { FACTS_MAX = 60 * KIB };

struct facts { /* zeroed: nothing was said yet */
	_Atomic uint32_t seq; /* odd: being written */
	_Atomic uint32_t bytes;
	shared_word words[FACTS_MAX / sizeof(uint64_t)];
};

void facts_set(struct facts *f, struct bytes text); /* the master; FACTS_MAX at most */
/* To be freed; NULL if there are none, or none at rest: the master may have died over them. */
char *facts_get(const struct facts *f) MUST_USE;
