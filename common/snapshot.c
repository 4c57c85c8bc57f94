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

struct table { /* one memfd, mapped */
	struct bytes map;
	const struct table_head *head;
	/* What each lookup needs of the head, where it is at hand. */
	uint64_t multiplier;
	unsigned slots_log2, longest;
	const uint32_t *slots;
	const struct table_entry *entries;
	const struct table_tenant *tenants;
	const struct snapshot_cidr *cidrs;
	const uint8_t *details;
	const uint32_t *replaced; /* NULL: none is */
};

struct snapshot {
	struct table base;
	struct table delta; /* map.n is 0: none */
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
struct table_sum table_sum_begin(uint64_t table_bytes)
{
	return (struct table_sum){ { table_bytes, 1, 2, 3 } };
}

static uint64_t mixed(uint64_t lane, uint64_t word)
{
	return ((lane << 29 | lane >> 35) ^ word) * UINT64_C(0x9e3779b97f4a7c15); /* odd */
}

void table_sum_add(struct table_sum *sum, struct bytes piece)
{
	struct table_sum s = *sum;

	assert(piece.n % TABLE_ALIGN == 0);
	for (size_t at = 0; at < piece.n; at += sizeof(s.lane)) {
		const uint64_t *w = words_at(piece.p + at);

		for (unsigned i = 0; i < ARRAY_LEN(s.lane); i++)
			s.lane[i] = mixed(s.lane[i], w[i]);
	}
	*sum = s;
}

uint64_t table_sum_end(const struct table_sum *sum)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < ARRAY_LEN(sum->lane); i++)
		all = mixed(all, sum->lane[i]);
	return all ^ all >> 32;
}

uint64_t table_checksum(struct bytes table)
{
	struct table_sum sum = table_sum_begin(table.n);
	struct table_head head;

	assert(table.n >= sizeof(head));
	memcpy(&head, table.p, sizeof(head));
	head.checksum = 0;
	table_sum_add(&sum, bytes_of(&head, sizeof(head)));
	table_sum_add(&sum, bytes_from(table, sizeof(head)));
	return table_sum_end(&sum);
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
	    h->longest > SNAPSHOT_LONGEST_MAX || h->entries_used > 1ull << h->slots_log2 ||
	    h->iterations_count > SNAPSHOT_ITERATIONS_MAX)
		return "a tenant table with a broken head";
	if (!area_ok(h, h->slots_at, 1ull << h->slots_log2, sizeof(uint32_t)) ||
	    !area_ok(h, h->entries_at, h->entries_used, sizeof(struct table_entry)) ||
	    !area_ok(h, h->tenants_at, h->tenants, sizeof(struct table_tenant)) ||
	    !area_ok(h, h->cidrs_at, h->cidrs, sizeof(struct snapshot_cidr)) ||
	    !area_ok(h, h->details_at, h->details_bytes, 1) ||
	    !area_ok(h, h->replaced_at, h->replaced, sizeof(uint32_t)))
		return "a tenant table whose parts lie outside of it";
	if (h->replaced != 0 && (h->base == 0 || h->replaced != h->base_tenants))
		return "a tenant table with a broken head";
	if (table_checksum(map) != h->checksum)
		return "a tenant table with a wrong checksum";
	return NULL;
}

static bool detail_ok(const struct table *t, const struct table_entry *e)
{
	const struct table_detail *d;
	uint64_t room = t->head->details_bytes;

	if (e->detail % _Alignof(struct table_detail) != 0 || e->detail > room ||
	    room - e->detail < sizeof(*d))
		return false;
	d = (const void *)(t->details + e->detail);
	return e->id_bytes <= room - e->detail - sizeof(*d) && e->cidr_count <= t->head->cidrs &&
	       d->cidr_first <= t->head->cidrs - e->cidr_count;
}

static bool tenant_ok(const struct table *t, const struct table_tenant *tenant)
{
	uint64_t room = t->head->details_bytes;

	return tenant->state <= TENANT_DELETING && tenant->id_bytes <= TENANT_ID_MAX &&
	       tenant->prefix_bytes <= TENANT_PREFIX_MAX && tenant->prefix_at <= room &&
	       tenant->prefix_bytes <= room - tenant->prefix_at;
}

/* Without branches: of random slots each would be guessed wrong half of the time. */
static const char *slots_fault(const struct table *t)
{
	uint32_t numbers = table_slot_numbers(t->slots_log2);
	uint64_t entries = t->head->entries_used, used = 0;
	bool outside = false;

	for (uint64_t i = 0; i <= numbers; i++) {
		uint32_t slot = t->slots[i];

		used += slot != 0;
		outside |= (slot != 0) & ((slot & numbers) - 1 >= entries);
	}
	if (outside)
		return "a tenant table with a slot that leads outside";
	return used == entries ? NULL : "a tenant table with a wrong count of tokens";
}

/* All offsets and enums, so that snapshot_find() need trust nothing else. */
static const char *content_fault(const struct table *t)
{
	for (uint64_t i = 0; i < t->head->tenants; i++)
		if (!tenant_ok(t, &t->tenants[i]))
			return "a tenant table with a broken tenant";
	for (uint64_t i = 0; i < t->head->replaced; i++)
		if (t->replaced[i] > t->head->tenants)
			return "a tenant table with a broken tenant";
	for (uint64_t i = 0; i < t->head->entries_used; i++) {
		const struct table_entry *e = &t->entries[i];

		if (e->flags & ENTRY_TOMBSTONE) {
			if (t->head->base == 0)
				return "a base of tenants with a tombstone";
		} else if (e->tenant >= t->head->tenants ||
		           (!(e->flags & ENTRY_TENANT) && !detail_ok(t, e))) {
			return "a tenant table with a broken token";
		}
	}
	return slots_fault(t);
}

static void table_unmap(struct table *t)
{
	if (t->map.n > 0)
		munmap((void *)(uintptr_t)t->map.p, t->map.n);
	*t = (struct table){ .map = BYTES_NONE };
}

static void table_read_head(struct table *t)
{
	const struct table_head *h = (const void *)t->map.p;

	t->head = h;
	t->multiplier = h->multiplier;
	t->slots_log2 = h->slots_log2;
	t->longest = h->longest;
	t->slots = (const void *)(t->map.p + h->slots_at);
	t->entries = (const void *)(t->map.p + h->entries_at);
	t->tenants = (const void *)(t->map.p + h->tenants_at);
	t->cidrs = (const void *)(t->map.p + h->cidrs_at);
	t->details = t->map.p + h->details_at;
	t->replaced = h->replaced ? (const void *)(t->map.p + h->replaced_at) : NULL;
}

static int table_map(struct table *t, int fd, struct err *err)
{
	const char *fault;

	*t = (struct table){ .map = BYTES_NONE };
	if (sealed_map(fd, &t->map, err) < 0)
		return -1;
	fault = head_fault(t->map);
	if (!fault) {
		table_read_head(t);
		fault = content_fault(t);
	}
	if (!fault)
		return 0;
	table_unmap(t);
	return err_set(err, "%s", fault);
}

struct snapshot *snapshot_map(int fd, struct err *err)
{
	struct table base;
	struct snapshot *s;

	if (table_map(&base, fd, err) < 0)
		return NULL;
	if (base.head->base != 0) {
		table_unmap(&base);
		err_set(err, "a delta of tenants, where a base was to be");
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->base = base;
	return s;
}

int snapshot_set_delta(struct snapshot *s, int fd, struct err *err)
{
	const struct table_head *base = s->base.head;
	struct table delta;

	if (table_map(&delta, fd, err) < 0)
		return -1;
	if (delta.head->base != base->generation || delta.head->base_tenants != base->tenants) {
		err_set(err, "a delta of tenants over base %llu, not over %llu",
		        (unsigned long long)delta.head->base, (unsigned long long)base->generation);
		table_unmap(&delta);
		return -1;
	}
	table_unmap(&s->delta);
	s->delta = delta;
	return 0;
}

void snapshot_unmap(struct snapshot *s)
{
	if (!s)
		return;
	table_unmap(&s->delta);
	table_unmap(&s->base);
	free(s);
}

static bool has_delta(const struct snapshot *s)
{
	return s->delta.map.n > 0;
}

static const struct table_head *newest(const struct snapshot *s)
{
	return has_delta(s) ? s->delta.head : s->base.head;
}

uint64_t snapshot_generation(const struct snapshot *s)
{
	return newest(s)->generation;
}

uint64_t snapshot_tenants(const struct snapshot *s)
{
	return newest(s)->all_tenants;
}

uint64_t snapshot_tokens(const struct snapshot *s)
{
	return newest(s)->all_tokens;
}

unsigned snapshot_longest(const struct snapshot *s)
{
	unsigned base = s->base.head->longest;

	return has_delta(s) && s->delta.head->longest > base ? s->delta.head->longest : base;
}

unsigned snapshot_iterations(const struct snapshot *s, uint32_t out[static SNAPSHOT_ITERATIONS_MAX])
{
	const struct table_head *h = newest(s);

	memcpy(out, h->iterations, sizeof(h->iterations));
	return h->iterations_count;
}

void snapshot_key(const uint8_t derived[static SNAPSHOT_PBKDF2_BYTES], uint32_t iterations,
                  uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	memset(digest, 0, TOKEN_DIGEST_BYTES);
	memcpy(digest, derived, SNAPSHOT_PBKDF2_BYTES);
	memcpy(digest + SNAPSHOT_PBKDF2_BYTES, &iterations, sizeof(iterations));
}

static const struct table_entry *find_entry(const struct table *t,
                                            const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	uint64_t hash = table_hash(digest, t->multiplier);
	uint32_t numbers = table_slot_numbers(t->slots_log2);
	uint32_t mark = table_slot_mark(hash, t->slots_log2);
	uint32_t at = (uint32_t)(hash >> (64 - t->slots_log2));

	for (unsigned step = 0; step < t->longest; step++, at = (at + 1) & numbers) {
		uint32_t slot = t->slots[at];
		const struct table_entry *e;

		if (!slot)
			return NULL;
		/* Neighbours in a chain are told by their marks: how long that takes says nothing
		 * that the chain's length does not. */
		if ((slot & ~numbers) != mark)
			continue;
		e = &t->entries[(slot & numbers) - 1];
		if (CRYPTO_memcmp(e->digest, digest, TOKEN_DIGEST_BYTES) == 0)
			return e;
	}
	return NULL;
}

static void fill_tenant(const struct table *t, uint32_t index, struct snapshot_hit *hit)
{
	const struct table_tenant *tenant = &t->tenants[index];

	*hit = (struct snapshot_hit){
		.tenant_id = bytes_of(tenant->id, tenant->id_bytes),
		.tenant_ordinal = tenant->ordinal,
		.tenant_state = (enum tenant_state)tenant->state,
		.block_until = tenant->block_until,
		.limits = &tenant->limits,
		.topic_prefix = bytes_of(t->details + tenant->prefix_at, tenant->prefix_bytes),
	};
}

static void fill_token(const struct table *t, const struct table_entry *e, struct snapshot_hit *hit)
{
	const struct table_detail *d = (const void *)(t->details + e->detail);

	hit->token_id = bytes_of(d->id, e->id_bytes);
	hit->token_ordinal = e->ordinal;
	hit->not_before = e->not_before;
	hit->not_after = e->not_after;
	hit->revoked = (e->flags & ENTRY_REVOKED) != 0;
	hit->replaced = (e->flags & ENTRY_REPLACED) != 0;
	hit->scopes = e->flags >> ENTRY_SCOPES_SHIFT & SCOPE_ALL;
	hit->cidrs = e->cidr_count > 0 ? t->cidrs + d->cidr_first : NULL;
	hit->cidr_count = e->cidr_count;
}

/* As the delta has it, if it has. */
static void fill_tenant_of_base(const struct snapshot *s, uint32_t index, struct snapshot_hit *hit)
{
	uint32_t by = s->delta.replaced ? s->delta.replaced[index] : 0;

	if (by)
		fill_tenant(&s->delta, by - 1, hit);
	else
		fill_tenant(&s->base, index, hit);
}

/* What base and delta together hold of it, its tenant in *hit, and whose entry it is; NULL:
 * nothing. */
static const struct table_entry *find(const struct snapshot *s,
                                      const uint8_t digest[static TOKEN_DIGEST_BYTES],
                                      const struct table **of, struct snapshot_hit *hit)
{
	const struct table_entry *e = NULL;

	*of = &s->delta;
	if (has_delta(s)) {
		/* Nearly all are in the base alone: its slot comes while the delta is searched. */
		__builtin_prefetch(&s->base.slots[table_hash(digest, s->base.multiplier) >>
		                                  (64 - s->base.slots_log2)]);
		e = find_entry(&s->delta, digest);
		if (e && e->flags & ENTRY_TOMBSTONE)
			return NULL;
		if (e)
			fill_tenant(&s->delta, e->tenant, hit);
	}
	if (!e) {
		*of = &s->base;
		e = find_entry(&s->base, digest);
		if (e)
			fill_tenant_of_base(s, e->tenant, hit);
	}
	return e;
}

bool snapshot_find(const struct snapshot *s, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                   struct snapshot_hit *hit)
{
	const struct table *of;
	const struct table_entry *e = find(s, digest, &of, hit);

	if (!e || e->flags & ENTRY_TENANT) /* Basic may bring any bytes */
		return false;
	fill_token(of, e, hit);
	return true;
}

bool snapshot_find_tenant(const struct snapshot *s, struct hasher *hasher, struct bytes id,
                          struct snapshot_hit *hit)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];
	const struct table_entry *e;
	const struct table *of;

	if (id.n > TENANT_ID_MAX)
		return false;
	table_name(hasher, id, digest);
	e = find(s, digest, &of, hit);
	return e && e->flags & ENTRY_TENANT;
}
