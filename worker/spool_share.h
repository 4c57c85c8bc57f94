/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_share.h -- how many bytes each tenant has in this worker's part of the spool, by its id:
 * rows of before may be those of a tenant that no table knows any more.
 */
#pragma once
#include "common/bytes.h"

struct spool_shares;
struct spool_shares *spool_shares_new(uint64_t most); /* of one tenant */
void spool_shares_free(struct spool_shares *s);
bool spool_shares_may(const struct spool_shares *s, struct bytes tenant, uint64_t bytes);
void spool_shares_add(struct spool_shares *s, struct bytes tenant, uint64_t rows, uint64_t bytes);
void spool_shares_clear(struct spool_shares *s); /* nobody has any */
/* One row less. With the last one the tenant is forgotten. */
void spool_shares_sub(struct spool_shares *s, struct bytes tenant, uint64_t bytes);
