/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spool_share.h"

enum { BUCKETS = 256 };

struct share {
	struct share *next; /* of its bucket; who has no row leaves */
	uint64_t rows, bytes;
	size_t tenant_n;
	char tenant[];
};

struct spool_shares {
	uint64_t most;
	struct share *buckets[BUCKETS];
};

static struct share **find(struct spool_shares *s, struct bytes tenant)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	struct share **at;

	for (size_t i = 0; i < tenant.n; i++)
		h = (h ^ tenant.p[i]) * 16777619u;
	at = &s->buckets[h % BUCKETS];
	while (*at && !bytes_eq(tenant, bytes_of((*at)->tenant, (*at)->tenant_n)))
		at = &(*at)->next;
	return at;
}

struct spool_shares *spool_shares_new(uint64_t most)
{
	struct spool_shares *s = xcalloc(1, sizeof(*s));

	s->most = most;
	return s;
}

void spool_shares_clear(struct spool_shares *s)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		for (struct share *at = take_ptr(&s->buckets[i]), *next; at; at = next) {
			next = at->next;
			free(at);
		}
	}
}

void spool_shares_free(struct spool_shares *s)
{
	if (!s)
		return;
	spool_shares_clear(s);
	free(s);
}

bool spool_shares_may(const struct spool_shares *s, struct bytes tenant, uint64_t bytes)
{
	const struct share *share = *find((struct spool_shares *)(uintptr_t)s, tenant);
	uint64_t held = share ? share->bytes : 0;

	return held <= s->most && bytes <= s->most - held;
}

void spool_shares_add(struct spool_shares *s, struct bytes tenant, uint64_t rows, uint64_t bytes)
{
	struct share **at = find(s, tenant);

	if (!*at) {
		*at = xcalloc(1, sizeof(**at) + tenant.n);
		(*at)->tenant_n = tenant.n;
		memcpy((*at)->tenant, tenant.p, tenant.n);
	}
	(*at)->rows += rows;
	(*at)->bytes += bytes;
}

void spool_shares_sub(struct spool_shares *s, struct bytes tenant, uint64_t bytes)
{
	struct share **at = find(s, tenant), *share = *at;

	if (!share)
		return;
	share->bytes -= min_size(bytes, share->bytes);
	if (--share->rows)
		return;
	*at = share->next;
	free(share);
}
