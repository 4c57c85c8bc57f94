/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_build.c -- the master's side of a tenant table: collect, place, write into a memfd,
 * seal. Called by master/tenants.c for each change; the writable view is gone before the seal, so
 * that from then on nobody, the master included, can change a byte.
 */
#include "common/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "common/snapshot_layout.h"

enum {
	SLOTS_LOG2_MIN = 4,
	GROWN_MAX = 4, /* doublings, and multipliers tried for each size */
	TRIES_MAX = 4,
	TOKENS_MAX = 1 << 27, /* eight times the greatest limits.max_tokens */
};

/* Memory that grows by doubling. */
struct heap {
	uint8_t *p;
	size_t n, cap;
};

struct snapshot_builder {
	uint64_t generation;
	struct heap tenants; /* struct table_tenant */
	struct heap tokens; /* struct table_entry, in the order they came */
	struct heap cidrs; /* struct snapshot_cidr */
	struct heap details;
};

/* Where each token goes: 1 + its index for each slot, 0 for an empty one. */
struct placing {
	uint32_t *slot;
	unsigned slots_log2;
	uint64_t multiplier;
	uint64_t placed;
	unsigned longest;
};

static size_t heap_take(struct heap *h, size_t bytes)
{
	size_t at = h->n;

	if (bytes > h->cap - h->n) {
		h->cap = max_size(2 * h->cap, h->n + max_size(bytes, 4096));
		h->p = xrealloc(h->p, h->cap, 1);
	}
	memset(h->p + at, 0, bytes);
	h->n += bytes;
	return at;
}

struct snapshot_builder *snapshot_builder_new(uint64_t generation)
{
	struct snapshot_builder *b = xcalloc(1, sizeof(*b));

	b->generation = generation;
	return b;
}

void snapshot_builder_free(struct snapshot_builder *b)
{
	if (!b)
		return;
	free(b->tenants.p);
	free(b->tokens.p);
	free(b->cidrs.p);
	free(b->details.p);
	free(b);
}

uint32_t snapshot_add_tenant(struct snapshot_builder *b, const struct snapshot_tenant *t)
{
	size_t at = heap_take(&b->tenants, sizeof(struct table_tenant));
	struct table_tenant *out = (void *)(b->tenants.p + at);

	assert(tenant_id_ok(t->id));
	out->ordinal = t->ordinal;
	out->state = t->state;
	out->block_until = t->block_until;
	out->id_bytes = (uint8_t)t->id.n;
	memcpy(out->id, t->id.p, t->id.n);
	return (uint32_t)(at / sizeof(struct table_tenant));
}

static uint32_t add_detail(struct snapshot_builder *b, const struct snapshot_token *t)
{
	size_t bytes = sizeof(struct table_detail) + t->id.n, align = _Alignof(struct table_detail);
	size_t at = heap_take(&b->details, (bytes + align - 1) / align * align);
	struct table_detail *d = (void *)(b->details.p + at);

	assert(t->id.n <= UINT8_MAX && t->cidr_count <= UINT8_MAX && at <= UINT32_MAX);
	d->cidr_first = (uint32_t)(b->cidrs.n / sizeof(struct snapshot_cidr));
	d->cidr_count = (uint8_t)t->cidr_count;
	d->id_bytes = (uint8_t)t->id.n;
	memcpy(d->id, t->id.p, t->id.n);
	if (t->cidr_count > 0) {
		size_t cidrs_bytes = t->cidr_count * sizeof(*t->cidrs);
		size_t cidrs_at = heap_take(&b->cidrs, cidrs_bytes);

		memcpy(b->cidrs.p + cidrs_at, t->cidrs, cidrs_bytes);
	}
	return (uint32_t)at;
}

void snapshot_add_token(struct snapshot_builder *b, const struct snapshot_token *t)
{
	size_t at = heap_take(&b->tokens, sizeof(struct table_entry));
	struct table_entry *e = (void *)(b->tokens.p + at);

	assert(t->tenant < b->tenants.n / sizeof(struct table_tenant));
	memcpy(e->digest, t->digest, TOKEN_DIGEST_BYTES);
	e->not_before = t->not_before;
	e->not_after = t->not_after;
	e->tenant = t->tenant;
	e->detail = add_detail(b, t);
	e->flags = ENTRY_USED | (t->revoked ? ENTRY_REVOKED : 0u) |
	           (t->replaced ? ENTRY_REPLACED : 0u) |
	           (t->scopes & SCOPE_ALL) << ENTRY_SCOPES_SHIFT;
	e->ordinal = t->ordinal;
}

static const struct table_entry *token_at(const struct snapshot_builder *b, uint64_t i)
{
	return (const struct table_entry *)(const void *)b->tokens.p + i;
}

/* False: a chain grew beyond what a lookup may take. */
static bool place_token(const struct snapshot_builder *b, struct placing *p, uint32_t i)
{
	const struct table_entry *e = token_at(b, i);
	uint64_t mask = (1ull << p->slots_log2) - 1;
	uint64_t at = table_hash(e->digest, p->multiplier) >> (64 - p->slots_log2);

	for (unsigned steps = 1; steps <= SNAPSHOT_LONGEST_MAX; steps++, at = (at + 1) & mask) {
		if (p->slot[at] == 0) {
			p->slot[at] = i + 1;
			p->placed++;
			if (steps > p->longest)
				p->longest = steps;
			return true;
		}
		if (memcmp(token_at(b, p->slot[at] - 1)->digest, e->digest, TOKEN_DIGEST_BYTES) ==
		    0)
			return true; /* the first one wins */
	}
	return false;
}

static bool place_all(const struct snapshot_builder *b, struct placing *p)
{
	uint64_t tokens = b->tokens.n / sizeof(struct table_entry);

	memset(p->slot, 0, sizeof(*p->slot) << p->slots_log2);
	p->placed = 0;
	p->longest = 0;
	for (uint64_t i = 0; i < tokens; i++)
		if (!place_token(b, p, (uint32_t)i))
			return false;
	return true;
}

/* Load <= 0.5; another multiplier while a chain is too long, then twice the slots: nearly always
 * the first multiplier will do. */
static int place(const struct snapshot_builder *b, struct placing *p, struct err *err)
{
	uint64_t tokens = b->tokens.n / sizeof(struct table_entry);

	if (tokens > TOKENS_MAX)
		return err_set(err, "too many tokens for one table");
	p->slots_log2 = SLOTS_LOG2_MIN;
	while (1ull << p->slots_log2 < 2 * tokens)
		p->slots_log2++;
	for (unsigned grown = 0; grown < GROWN_MAX; grown++, p->slots_log2++) {
		p->slot = xrealloc(p->slot, 1ull << p->slots_log2, sizeof(*p->slot));
		for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
			if (getrandom(&p->multiplier, sizeof(p->multiplier), 0) !=
			    (ssize_t)sizeof(p->multiplier))
				return err_errno(err, "no random number for a tenant table");
			p->multiplier |= 1;
			if (place_all(b, p))
				return 0;
		}
	}
	return err_set(err, "no tenant table without chains longer than %d", SNAPSHOT_LONGEST_MAX);
}

static uint64_t align_up(uint64_t n)
{
	return (n + TABLE_ALIGN - 1) / TABLE_ALIGN * TABLE_ALIGN;
}

static struct table_head make_head(const struct snapshot_builder *b, const struct placing *p)
{
	struct table_head h = {
		.magic = TABLE_MAGIC,
		.layout = TABLE_LAYOUT,
		.slots_log2 = p->slots_log2,
		.build_id = table_build_id,
		.generation = b->generation,
		.multiplier = p->multiplier,
		.tokens = p->placed,
		.tenants = b->tenants.n / sizeof(struct table_tenant),
		.cidrs = b->cidrs.n / sizeof(struct snapshot_cidr),
		.details_bytes = b->details.n,
		.longest = p->longest,
	};

	h.entries_at = align_up(sizeof(h));
	h.tenants_at = h.entries_at + (sizeof(struct table_entry) << p->slots_log2);
	h.cidrs_at = align_up(h.tenants_at + b->tenants.n);
	h.details_at = align_up(h.cidrs_at + b->cidrs.n);
	h.table_bytes = align_up(h.details_at + b->details.n);
	return h;
}

static void copy_area(uint8_t *to, const struct heap *from)
{
	if (from->n > 0)
		memcpy(to, from->p, from->n);
}

static void write_table(const struct snapshot_builder *b, const struct placing *p,
                        const struct table_head *head, uint8_t *out)
{
	struct table_entry *entries = (void *)(out + head->entries_at);
	struct table_head *h = (void *)out;

	*h = *head;
	for (uint64_t i = 0; i < 1ull << p->slots_log2; i++)
		if (p->slot[i])
			entries[i] = *token_at(b, p->slot[i] - 1);
	copy_area(out + head->tenants_at, &b->tenants);
	copy_area(out + head->cidrs_at, &b->cidrs);
	copy_area(out + head->details_at, &b->details);
	h->checksum = table_checksum(bytes_of(out, head->table_bytes));
}

int snapshot_seal(struct snapshot_builder *b, struct err *err)
{
	autoclose int fd = memfd_create("headgate-tenants", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct placing p = { .slot = NULL };
	struct table_head head;
	void *map;

	if (fd < 0)
		return err_errno(err, "no memfd for a tenant table");
	if (place(b, &p, err) < 0) {
		free(p.slot);
		return -1;
	}
	head = make_head(b, &p);
	/* Asked for now: a full machine says no here, not by SIGBUS in the middle of writing. */
	errno = posix_fallocate(fd, 0, (off_t)head.table_bytes);
	map = errno ? MAP_FAILED
	            : mmap(NULL, head.table_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		free(p.slot);
		return err_errno(err, "no memory for a tenant table of %llu bytes",
		                 (unsigned long long)head.table_bytes);
	}
	write_table(b, &p, &head, map);
	free(p.slot);
	munmap(map, head.table_bytes); /* before the seal: with a writable view it is EBUSY */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_errno(err, "can't seal a tenant table");
	return take_fd(&fd);
}
