/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.c -- layout of a tenant table and the worker's side: check a sealed memfd once, whole,
 * when it is mapped, then find digests in it. After the check every offset in it is known to lie
 * within, and nobody can change a byte, so a lookup checks nothing again. Never writes.
 */
#include "common/snapshot.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include "common/channel.h"
#include "common/snapshot_layout.h"

struct snapshot {
	struct bytes map;
	const struct table_head *head;
	const struct table_entry *entries;
	const struct table_tenant *tenants;
	const struct snapshot_cidr *cidrs;
	const uint8_t *details;
	unsigned shift;
};

static const uint64_t *words_at(const uint8_t *p)
{
	return (const uint64_t *)(const void *)p;
}

/*
 * Not cryptographic: seals keep others out, this finds a builder's bug or a mixed-up file. Each
 * step is a bijection of the lane, so any one changed word always shows; four lanes do not wait for
 * each other, which makes it as fast as memory (128 MiB: 15 ms; CRC32C by table would take 90 ms,
 * and the instruction is not on every CPU). The checksum's own word counts as 0.
 */
uint64_t table_checksum(struct bytes table)
{
	static const uint64_t odd = 0x9e3779b97f4a7c15;
	uint64_t lane[4] = { table.n, 1, 2, 3 }, sum = 0;

	assert(table.n % TABLE_ALIGN == 0 && table.n >= sizeof(struct table_head));
	for (size_t at = 0; at < table.n; at += sizeof(lane)) {
		const uint64_t *w = words_at(table.p + at);

		for (unsigned i = 0; i < ARRAY_LEN(lane); i++) {
			bool own = at + i * sizeof(*w) == offsetof(struct table_head, checksum);

			lane[i] = ((lane[i] << 29 | lane[i] >> 35) ^ (own ? 0 : w[i])) * odd;
		}
	}
	for (unsigned i = 0; i < ARRAY_LEN(lane); i++)
		sum = ((sum << 29 | sum >> 35) ^ lane[i]) * odd;
	return sum ^ sum >> 32;
}

const struct table_build_id table_build_id = { HEADGATE_BUILD_ID };

/* Whether `count` things of `size` bytes fit behind `offset`, aligned for them. */
static bool area_ok(const struct table_head *h, uint64_t offset, uint64_t count, size_t size)
{
	uint64_t bytes, end;

	return offset % TABLE_ALIGN == 0 && !__builtin_mul_overflow(count, size, &bytes) &&
	       !__builtin_add_overflow(offset, bytes, &end) && end <= h->table_bytes;
}

static const char *head_fault(struct bytes map)
{
	const struct table_head *h = (const void *)map.p;

	if (map.n < sizeof(*h) || h->magic != TABLE_MAGIC)
		return "no tenant table";
	if (h->layout != TABLE_LAYOUT)
		return "a tenant table of another layout";
	if (memcmp(&h->build_id, &table_build_id, sizeof(table_build_id)) != 0)
		return "a tenant table of another build";
	if (h->table_bytes != map.n || map.n % TABLE_ALIGN != 0)
		return "a tenant table of a wrong size";
	if (h->slots_log2 < 1 || h->slots_log2 > TABLE_SLOTS_LOG2_MAX || h->multiplier % 2 == 0 ||
	    h->longest > SNAPSHOT_LONGEST_MAX || h->tokens > 1ull << h->slots_log2)
		return "a tenant table with a broken head";
	if (!area_ok(h, h->entries_at, 1ull << h->slots_log2, sizeof(struct table_entry)) ||
	    !area_ok(h, h->tenants_at, h->tenants, sizeof(struct table_tenant)) ||
	    !area_ok(h, h->cidrs_at, h->cidrs, sizeof(struct snapshot_cidr)) ||
	    !area_ok(h, h->details_at, h->details_bytes, 1))
		return "a tenant table whose parts lie outside of it";
	if (table_checksum(map) != h->checksum)
		return "a tenant table with a wrong checksum";
	return NULL;
}

static bool detail_ok(const struct snapshot *s, const struct table_entry *e)
{
	const struct table_detail *d;
	uint64_t room = s->head->details_bytes;

	if (e->detail % _Alignof(struct table_detail) != 0 || e->detail > room ||
	    room - e->detail < sizeof(*d))
		return false;
	d = (const void *)(s->details + e->detail);
	return d->id_bytes <= room - e->detail - sizeof(*d) && d->cidr_count <= s->head->cidrs &&
	       d->cidr_first <= s->head->cidrs - d->cidr_count;
}

/* All offsets and enums, so that snapshot_find() need trust nothing else. */
static const char *content_fault(const struct snapshot *s)
{
	uint64_t used = 0;

	for (uint64_t i = 0; i < s->head->tenants; i++)
		if (s->tenants[i].state > TENANT_DELETING || s->tenants[i].id_bytes > TENANT_ID_MAX)
			return "a tenant table with a broken tenant";
	for (uint64_t i = 0; i < 1ull << s->head->slots_log2; i++) {
		const struct table_entry *e = &s->entries[i];

		if (!(e->flags & ENTRY_USED))
			continue;
		used++;
		if (e->tenant >= s->head->tenants || !detail_ok(s, e))
			return "a tenant table with a broken token";
	}
	return used == s->head->tokens ? NULL : "a tenant table with a wrong count of tokens";
}

struct snapshot *snapshot_map(int fd, struct err *err)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));
	const char *fault;

	if (sealed_map(fd, &s->map, err) < 0) {
		free(s);
		return NULL;
	}
	fault = head_fault(s->map);
	if (!fault) {
		s->head = (const void *)s->map.p;
		s->entries = (const void *)(s->map.p + s->head->entries_at);
		s->tenants = (const void *)(s->map.p + s->head->tenants_at);
		s->cidrs = (const void *)(s->map.p + s->head->cidrs_at);
		s->details = s->map.p + s->head->details_at;
		s->shift = 64 - s->head->slots_log2;
		fault = content_fault(s);
	}
	if (fault) {
		err_set(err, "%s", fault);
		snapshot_unmap(s);
		return NULL;
	}
	return s;
}

void snapshot_unmap(struct snapshot *s)
{
	if (!s)
		return;
	if (s->map.n > 0)
		munmap((void *)(uintptr_t)s->map.p, s->map.n);
	free(s);
}

uint64_t snapshot_generation(const struct snapshot *s)
{
	return s->head->generation;
}

uint64_t snapshot_tenants(const struct snapshot *s)
{
	return s->head->tenants;
}

uint64_t snapshot_tokens(const struct snapshot *s)
{
	return s->head->tokens;
}

unsigned snapshot_longest(const struct snapshot *s)
{
	return s->head->longest;
}

static uint64_t first_slot(const struct snapshot *s,
                           const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	return table_hash(digest, s->head->multiplier) >> s->shift;
}

static void fill_hit(const struct snapshot *s, const struct table_entry *e,
                     struct snapshot_hit *hit)
{
	const struct table_tenant *t = &s->tenants[e->tenant];
	const struct table_detail *d = (const void *)(s->details + e->detail);

	*hit = (struct snapshot_hit){
		.tenant_id = bytes_of(t->id, t->id_bytes),
		.token_id = bytes_of(d->id, d->id_bytes),
		.tenant_ordinal = t->ordinal,
		.token_ordinal = e->ordinal,
		.tenant_state = (enum tenant_state)t->state,
		.block_until = t->block_until,
		.not_before = e->not_before,
		.not_after = e->not_after,
		.revoked = (e->flags & ENTRY_REVOKED) != 0,
		.replaced = (e->flags & ENTRY_REPLACED) != 0,
		.scopes = e->flags >> ENTRY_SCOPES_SHIFT & SCOPE_ALL,
		.cidrs = d->cidr_count > 0 ? s->cidrs + d->cidr_first : NULL,
		.cidr_count = d->cidr_count,
	};
}

bool snapshot_find(const struct snapshot *s, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                   struct snapshot_hit *hit)
{
	uint64_t mask = (1ull << s->head->slots_log2) - 1, at = first_slot(s, digest);

	for (unsigned step = 0; step < s->head->longest; step++, at = (at + 1) & mask) {
		const struct table_entry *e = &s->entries[at];

		if (!(e->flags & ENTRY_USED))
			return false;
		if (CRYPTO_memcmp(e->digest, digest, TOKEN_DIGEST_BYTES) == 0) {
			fill_hit(s, e, hit);
			return true;
		}
	}
	return false;
}

void snapshot_prefetch(const struct snapshot *s, const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	__builtin_prefetch(&s->entries[first_slot(s, digest)]);
}
