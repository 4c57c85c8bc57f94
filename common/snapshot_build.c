/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_build.c -- the master's side of a tenant table, base or delta: it grows in memory of the
 * master's own, is written into a memfd at once, and that is sealed. Called by
 * master/tenants_table.c for each change; nobody, the master included, ever has a writable view of
 * the memfd, and from the seal on nobody can change a byte.
 */
#include "common/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>

#include "common/snapshot_layout.h"

enum {
	SLOTS_LOG2_MIN = 4,
	GROWN_MAX = 4, /* doublings for a chain's sake, and multipliers tried for each size */
	TRIES_MAX = 4,
	ALIKE_MAX = 8, /* that begin with the same bytes: all of them lie in one chain */
	TOKENS_MAX = 1 << 27, /* twice the greatest limits.max_tokens */
};

/* Memory that grows by doubling. */
struct heap {
	uint8_t *p;
	size_t n, cap;
};

/* Where entries are found; see snapshot_layout.h. */
struct index {
	uint32_t *slots; /* NULL: none yet */
	unsigned slots_log2;
	uint64_t multiplier;
	unsigned longest;
	bool crowded; /* why slot_for() found none: see ALIKE_MAX */
};

struct snapshot_builder {
	uint64_t generation;
	struct snapshot_delta of; /* base 0: this is one */
	uint64_t all_tenants, all_tokens; /* of a delta */
	struct index index;
	struct heap entries; /* struct table_entry */
	struct heap tenants; /* struct table_tenant */
	struct heap cidrs; /* struct snapshot_cidr */
	struct heap details;
	struct hasher *hasher; /* of the names of tenants; NULL: failed */
	uint64_t names; /* of the entries: tenants */
	uint32_t iterations[SNAPSHOT_ITERATIONS_MAX];
	unsigned iterations_count;
	uint32_t *replaced; /* of.base_tenants; NULL: none is */
	bool crowded; /* something was left out: see ALIKE_MAX */
	bool failed; /* then why says so, and whatever comes is dropped */
	struct err why;
};

static size_t heap_take(struct heap *h, size_t bytes)
{
	size_t at = h->n;

	if (bytes > h->cap - h->n) {
		h->cap = max_size(2 * h->cap, h->n + max_size(bytes, 512));
		h->p = xrealloc(h->p, h->cap, 1);
	}
	memset(h->p + at, 0, bytes);
	h->n += bytes;
	return at;
}

/* ---- slots ---- */

static struct table_entry *entry_of(const struct heap *entries, uint32_t number)
{
	return (struct table_entry *)(void *)entries->p + (number - 1);
}

static uint64_t entry_count(const struct snapshot_builder *b)
{
	return b->entries.n / sizeof(struct table_entry);
}

static int index_open(struct index *x, unsigned slots_log2, struct err *err)
{
	*x = (struct index){ .slots_log2 = slots_log2 };
	if (getrandom(&x->multiplier, sizeof(x->multiplier), 0) != (ssize_t)sizeof(x->multiplier))
		return err_errno(err, "no random number for a tenant table");
	x->multiplier |= 1;
	x->slots = xcalloc(1ull << slots_log2, sizeof(*x->slots));
	return 0;
}

static uint32_t first_slot(const struct index *x, uint64_t hash)
{
	return (uint32_t)(hash >> (64 - x->slots_log2));
}

static bool begin_alike(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, sizeof(uint64_t)) == 0; /* all that table_hash() looks at */
}

/*
 * The slot for this digest, free or its own; NULL: a chain is longer than a lookup may follow,
 * which another multiplier may mend; or it is crowded, which none does: digests that begin alike
 * have one hash by all of them. Of random ones not even two do.
 */
static uint32_t *slot_for(struct index *x, const struct heap *entries,
                          const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	uint64_t hash = table_hash(digest, x->multiplier);
	uint32_t numbers = table_slot_numbers(x->slots_log2), at = first_slot(x, hash);
	uint32_t mark = table_slot_mark(hash, x->slots_log2);
	unsigned alike = 0;

	for (unsigned steps = 1; steps <= SNAPSHOT_LONGEST_MAX; steps++, at = (at + 1) & numbers) {
		uint32_t slot = x->slots[at];
		const uint8_t *other;

		if (slot && (slot & ~numbers) != mark)
			continue;
		other = slot ? entry_of(entries, slot & numbers)->digest : digest;
		if (memcmp(other, digest, TOKEN_DIGEST_BYTES) != 0) {
			alike += begin_alike(other, digest);
			continue;
		}
		if (!slot && alike >= ALIKE_MAX)
			break;
		if (!slot && steps > x->longest)
			x->longest = steps;
		x->crowded = false;
		return &x->slots[at];
	}
	x->crowded = alike >= ALIKE_MAX;
	return NULL;
}

static void slot_set(const struct index *x, uint32_t *slot,
                     const uint8_t digest[static TOKEN_DIGEST_BYTES], uint64_t number)
{
	*slot = table_slot_mark(table_hash(digest, x->multiplier), x->slots_log2) |
	        (uint32_t)number;
}

static bool index_all(struct index *x, const struct heap *entries)
{
	for (size_t i = 1; i <= entries->n / sizeof(struct table_entry); i++) {
		const struct table_entry *e = entry_of(entries, (uint32_t)i);
		uint32_t *slot = slot_for(x, entries, e->digest);

		if (!slot)
			return false;
		slot_set(x, slot, e->digest, i);
	}
	return true;
}

static void fail(struct snapshot_builder *b, const struct err *err)
{
	b->failed = true;
	b->why = *err;
}

/* So that what is there fits, and this digest (may be NULL) too. Another multiplier while a chain
 * is too long, then twice the slots: nearly always the first one will do. */
static void index_anew(struct snapshot_builder *b, unsigned slots_log2, const uint8_t *digest)
{
	struct err err = { "" };

	for (unsigned tries = 0; tries < GROWN_MAX * TRIES_MAX; tries++) {
		struct index next;

		if (index_open(&next, slots_log2 + tries / TRIES_MAX, &err) < 0) {
			fail(b, &err);
			return;
		}
		if (index_all(&next, &b->entries) &&
		    (!digest || slot_for(&next, &b->entries, digest) || next.crowded)) {
			free(b->index.slots);
			b->index = next;
			return;
		}
		free(next.slots);
	}
	err_set(&err, "no tenant table without chains longer than %d", SNAPSHOT_LONGEST_MAX);
	fail(b, &err);
}

/* Load <= 0.5 */
static unsigned slots_log2_for(uint64_t tokens)
{
	unsigned log2 = SLOTS_LOG2_MIN;

	while (1ull << log2 < 2 * tokens)
		log2++;
	return log2;
}

/* NULL: it is there already, is crowded out, or nothing more can be added. Valid until the next
 * one. */
static struct table_entry *new_entry(struct snapshot_builder *b,
                                     const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	struct index *x = &b->index;
	uint64_t number = entry_count(b) + 1;
	struct table_entry *e;
	uint32_t *slot = NULL;

	if (!b->failed && number > TOKENS_MAX)
		b->failed = err_set(&b->why, "too many tokens for one table") < 0;
	if (!b->failed && (!x->slots || 1ull << x->slots_log2 < 2 * number))
		index_anew(b, slots_log2_for(number), digest);
	if (!b->failed && !(slot = slot_for(x, &b->entries, digest)) && !x->crowded) {
		index_anew(b, x->slots_log2, digest);
		slot = b->failed ? NULL : slot_for(x, &b->entries, digest);
	}
	b->crowded |= x->crowded;
	if (!slot || *slot)
		return NULL; /* the first one wins */
	heap_take(&b->entries, sizeof(*e));
	e = entry_of(&b->entries, (uint32_t)number);
	memcpy(e->digest, digest, TOKEN_DIGEST_BYTES);
	slot_set(x, slot, digest, number);
	return e;
}

/* ---- what is put in ---- */

struct snapshot_builder *snapshot_builder_new(uint64_t generation)
{
	struct snapshot_builder *b = xcalloc(1, sizeof(*b));

	b->generation = generation;
	b->hasher = hasher_open(&b->why);
	b->failed = !b->hasher;
	return b;
}

struct snapshot_builder *snapshot_builder_new_delta(uint64_t generation,
                                                    const struct snapshot_delta *of)
{
	struct snapshot_builder *b = snapshot_builder_new(generation);

	assert(of->base != 0);
	b->of = *of;
	return b;
}

void snapshot_builder_free(struct snapshot_builder *b)
{
	if (!b)
		return;
	free(b->index.slots);
	hasher_close(b->hasher);
	free(b->entries.p);
	free(b->tenants.p);
	free(b->cidrs.p);
	free(b->details.p);
	free(b->replaced);
	free(b);
}

void snapshot_expect(struct snapshot_builder *b, uint64_t tokens)
{
	assert(!b->index.slots && !b->entries.p);
	if (b->failed || tokens > TOKENS_MAX)
		return;
	b->entries.cap = max_size(tokens, 1) * sizeof(struct table_entry);
	b->entries.p = xcalloc(b->entries.cap, 1);
	index_anew(b, slots_log2_for(tokens), NULL);
}

static struct table_entry *add_name(struct snapshot_builder *b, struct bytes id)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];

	if (b->failed)
		return NULL;
	table_name(b->hasher, id, digest);
	return new_entry(b, digest);
}

/* Room among the details, and for cidrs: offsets and indexes of both have 32 bits. */
static bool take_detail(struct snapshot_builder *b, size_t bytes, size_t cidrs, uint32_t *at)
{
	size_t align = _Alignof(struct table_detail);

	bytes = (bytes + align - 1) / align * align;
	if (b->details.n + bytes > UINT32_MAX ||
	    b->cidrs.n / sizeof(struct snapshot_cidr) + cidrs > UINT32_MAX) {
		b->failed = err_set(&b->why, "too many names and addresses of tokens for one "
		                             "table") < 0;
		return false;
	}
	*at = (uint32_t)heap_take(&b->details, bytes);
	return true;
}

uint32_t snapshot_add_tenant(struct snapshot_builder *b, const struct snapshot_tenant *t)
{
	struct table_entry *name = add_name(b, t->id);
	size_t at = heap_take(&b->tenants, sizeof(struct table_tenant));
	struct table_tenant *out = (void *)(b->tenants.p + at);
	struct bytes prefix = t->topic_prefix;

	assert(tenant_id_ok(t->id) && (prefix.n == 0 || tenant_prefix_ok(prefix)));
	out->ordinal = t->ordinal;
	out->state = (uint8_t)t->state;
	out->block_until = t->block_until;
	out->id_bytes = (uint8_t)t->id.n;
	out->limits = t->limits;
	memcpy(out->id, t->id.p, t->id.n);
	if (prefix.n > 0 && take_detail(b, prefix.n, 0, &out->prefix_at)) {
		memcpy(b->details.p + out->prefix_at, prefix.p, prefix.n);
		out->prefix_bytes = (uint8_t)prefix.n;
	}
	if (name) {
		name->flags = ENTRY_USED | ENTRY_TENANT;
		name->tenant = (uint32_t)(at / sizeof(struct table_tenant));
		b->names++;
	}
	return (uint32_t)(at / sizeof(struct table_tenant));
}

void snapshot_add_lost_tenant(struct snapshot_builder *b, struct bytes id)
{
	struct table_entry *name = add_name(b, id);

	assert(b->of.base != 0);
	if (!name)
		return; /* it came back */
	name->flags = ENTRY_USED | ENTRY_TOMBSTONE;
	b->names++;
}

void snapshot_set_iterations(struct snapshot_builder *b, const uint32_t *iterations, unsigned count)
{
	assert(count <= SNAPSHOT_ITERATIONS_MAX);
	b->iterations_count = count;
	if (count > 0)
		memcpy(b->iterations, iterations, count * sizeof(*iterations));
}

void snapshot_soon(const struct snapshot_builder *b,
                   const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	const struct index *x = &b->index;

	if (x->slots)
		__builtin_prefetch(&x->slots[first_slot(x, table_hash(digest, x->multiplier))], 1);
}

static void add_detail(struct snapshot_builder *b, const struct snapshot_token *t,
                       struct table_entry *e)
{
	struct table_detail *d;

	assert(t->id.n <= UINT8_MAX && t->cidr_count <= UINT8_MAX);
	if (!take_detail(b, sizeof(*d) + t->id.n, t->cidr_count, &e->detail))
		return;
	d = (void *)(b->details.p + e->detail);
	d->cidr_first = (uint32_t)(b->cidrs.n / sizeof(struct snapshot_cidr));
	memcpy(d->id, t->id.p, t->id.n);
	if (t->cidr_count > 0) {
		size_t cidrs_bytes = t->cidr_count * sizeof(*t->cidrs);
		size_t cidrs_at = heap_take(&b->cidrs, cidrs_bytes);

		memcpy(b->cidrs.p + cidrs_at, t->cidrs, cidrs_bytes);
	}
	e->id_bytes = (uint8_t)t->id.n;
	e->cidr_count = (uint8_t)t->cidr_count;
}

bool snapshot_add_token(struct snapshot_builder *b, const struct snapshot_token *t)
{
	struct table_entry *e = new_entry(b, t->digest);

	assert(t->tenant < b->tenants.n / sizeof(struct table_tenant));
	if (!e)
		return !b->index.crowded;
	e->not_before = t->not_before;
	e->not_after = t->not_after;
	e->tenant = t->tenant;
	add_detail(b, t, e);
	e->flags = (uint16_t)(ENTRY_USED | (t->revoked ? ENTRY_REVOKED : 0u) |
	                      (t->replaced ? ENTRY_REPLACED : 0u) |
	                      (t->scopes & SCOPE_ALL) << ENTRY_SCOPES_SHIFT);
	e->ordinal = t->ordinal;
	return true;
}

bool snapshot_is_crowded(const struct snapshot_builder *b)
{
	return b->crowded;
}

void snapshot_add_tombstone(struct snapshot_builder *b,
                            const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	struct table_entry *e = new_entry(b, digest);

	assert(b->of.base != 0);
	if (e)
		e->flags = ENTRY_USED | ENTRY_TOMBSTONE;
}

void snapshot_replace_tenant(struct snapshot_builder *b, uint32_t base_tenant, uint32_t tenant)
{
	assert(base_tenant < b->of.base_tenants);
	if (!b->replaced)
		b->replaced = xcalloc(b->of.base_tenants, sizeof(*b->replaced));
	b->replaced[base_tenant] = tenant + 1;
}

void snapshot_set_totals(struct snapshot_builder *b, uint64_t tenants, uint64_t tokens)
{
	assert(b->of.base != 0);
	b->all_tenants = tenants;
	b->all_tokens = tokens;
}

/* ---- the whole ---- */

static uint64_t align_up(uint64_t n)
{
	return (n + TABLE_ALIGN - 1) / TABLE_ALIGN * TABLE_ALIGN;
}

static struct table_head make_head(const struct snapshot_builder *b)
{
	struct table_head h = {
		.magic = TABLE_MAGIC,
		.layout = TABLE_LAYOUT,
		.slots_log2 = b->index.slots_log2,
		.build_id = table_build_id,
		.generation = b->generation,
		.multiplier = b->index.multiplier,
		.entries_used = entry_count(b),
		.tenants = b->tenants.n / sizeof(struct table_tenant),
		.cidrs = b->cidrs.n / sizeof(struct snapshot_cidr),
		.details_bytes = b->details.n,
		.replaced = b->replaced ? b->of.base_tenants : 0,
		.base = b->of.base,
		.base_tenants = b->of.base_tenants,
		.longest = b->index.longest,
		.iterations_count = b->iterations_count,
	};

	memcpy(h.iterations, b->iterations, sizeof(h.iterations));
	h.all_tenants = b->of.base ? b->all_tenants : h.tenants;
	h.all_tokens = b->of.base ? b->all_tokens : h.entries_used - b->names;
	h.slots_at = align_up(sizeof(h));
	h.entries_at = align_up(h.slots_at + (sizeof(uint32_t) << h.slots_log2));
	h.tenants_at = align_up(h.entries_at + b->entries.n);
	h.cidrs_at = align_up(h.tenants_at + b->tenants.n);
	h.details_at = align_up(h.cidrs_at + b->cidrs.n);
	h.replaced_at = align_up(h.details_at + b->details.n);
	h.table_bytes = align_up(h.replaced_at + h.replaced * sizeof(*b->replaced));
	return h;
}

/* The areas in their order, each in two pieces: whole TABLE_ALIGN, then the rest filled up. */
enum { AREAS = 7 };
struct area {
	const void *p;
	size_t n;
	uint8_t rest[TABLE_ALIGN];
};
struct pieces {
	struct area areas[AREAS];
	struct iovec v[2 * AREAS];
};

static void cut_area(struct area *a, struct iovec v[static 2])
{
	size_t rest = a->n % TABLE_ALIGN, whole = a->n - rest;

	if (rest > 0)
		memcpy(a->rest, (const uint8_t *)a->p + whole, rest);
	v[0] = (struct iovec){ (void *)(uintptr_t)a->p, whole };
	v[1] = (struct iovec){ a->rest, rest > 0 ? sizeof(a->rest) : 0 };
}

static void cut(struct pieces *out, const struct snapshot_builder *b, const struct table_head *head)
{
	*out = (struct pieces){ .areas = {
					{ .p = head, .n = sizeof(*head) },
					{ .p = b->index.slots,
		                          .n = sizeof(uint32_t) << b->index.slots_log2 },
					{ .p = b->entries.p, .n = b->entries.n },
					{ .p = b->tenants.p, .n = b->tenants.n },
					{ .p = b->cidrs.p, .n = b->cidrs.n },
					{ .p = b->details.p, .n = b->details.n },
					{ .p = b->replaced,
		                          .n = head->replaced * sizeof(*b->replaced) },
				} };
	for (unsigned i = 0; i < AREAS; i++)
		cut_area(&out->areas[i], out->v + 2 * i);
}

static uint64_t sum_of(const struct pieces *p, uint64_t table_bytes)
{
	struct table_sum sum = table_sum_begin(table_bytes);

	for (unsigned i = 0; i < ARRAY_LEN(p->v); i++)
		table_sum_add(&sum, bytes_of(p->v[i].iov_base, p->v[i].iov_len));
	return table_sum_end(&sum);
}

static int write_pieces(int fd, struct pieces *p, struct err *err)
{
	for (unsigned i = 0; i < ARRAY_LEN(p->v);) {
		ssize_t n = writev(fd, p->v + i, (int)(ARRAY_LEN(p->v) - i));

		if (n < 0)
			return err_errno(err, "no memory for a tenant table");
		for (; i < ARRAY_LEN(p->v) && (size_t)n >= p->v[i].iov_len; i++)
			n -= (ssize_t)p->v[i].iov_len;
		if (n > 0)
			p->v[i] = (struct iovec){ (uint8_t *)p->v[i].iov_base + n,
				                  p->v[i].iov_len - (size_t)n };
	}
	return 0;
}

int snapshot_seal(struct snapshot_builder *b, struct err *err)
{
	autoclose int fd = -1;
	struct table_head head;
	struct pieces pieces;

	if (!b->failed && !b->index.slots)
		index_anew(b, SLOTS_LOG2_MIN, NULL);
	if (b->failed)
		return err_set(err, "%s", b->why.text);
	fd = memfd_create("headgate-tenants", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_errno(err, "no memfd for a tenant table");
	head = make_head(b);
	cut(&pieces, b, &head);
	head.checksum = sum_of(&pieces, head.table_bytes);
	if (write_pieces(fd, &pieces, err) < 0)
		return -1;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_errno(err, "can't seal a tenant table");
	return take_fd(&fd);
}
