/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_build.c -- the master's side of a tenant table, base or delta: entries are placed in a
 * memfd as they come, the rest follows them, seal. Called by master/tenants_table.c for each
 * change; the writable view is gone before the seal, so that from then on nobody, the master
 * included, can change a byte.
 */
#include "common/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "common/snapshot_layout.h"

enum {
	SLOTS_LOG2_MIN = 4,
	GROWN_MAX = 4, /* doublings for a chain's sake, and multipliers tried for each size */
	TRIES_MAX = 4,
	TOKENS_MAX = 1 << 27, /* eight times the greatest limits.max_tokens */
};

/* Memory that grows by doubling. */
struct heap {
	uint8_t *p;
	size_t n, cap;
};

/* The memfd while it is written: head and entries; what follows them waits in heaps. */
struct file {
	int fd;
	uint8_t *map; /* NULL: none yet, or it could not be had */
	size_t bytes;
	unsigned slots_log2;
	uint64_t multiplier;
	uint64_t placed;
	unsigned longest;
};

struct snapshot_builder {
	uint64_t generation;
	struct snapshot_delta of; /* base 0: this is one */
	uint64_t all_tenants, all_tokens; /* of a delta */
	struct file file;
	struct heap tenants; /* struct table_tenant */
	struct heap cidrs; /* struct snapshot_cidr */
	struct heap details;
	struct hasher *hasher; /* of the names of tenants; NULL: failed */
	uint64_t names; /* of the entries: tenants */
	uint32_t iterations[SNAPSHOT_ITERATIONS_MAX];
	unsigned iterations_count;
	uint32_t *replaced; /* of.base_tenants; NULL: none is */
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

/* ---- the memfd ---- */

static uint64_t align_up(uint64_t n)
{
	return (n + TABLE_ALIGN - 1) / TABLE_ALIGN * TABLE_ALIGN;
}

static size_t entries_at(void)
{
	return align_up(sizeof(struct table_head));
}

static struct table_entry *entries_of(const struct file *f)
{
	return (struct table_entry *)(void *)(f->map + entries_at());
}

static void file_close(struct file *f)
{
	if (f->map)
		munmap(f->map, f->bytes);
	close_fd_(&f->fd);
	f->map = NULL;
}

static int file_open(struct file *f, unsigned slots_log2, struct err *err)
{
	*f = (struct file){ .slots_log2 = slots_log2 };
	f->bytes = entries_at() + (sizeof(struct table_entry) << slots_log2);
	f->fd = memfd_create("headgate-tenants", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->fd < 0)
		return err_errno(err, "no memfd for a tenant table");
	if (getrandom(&f->multiplier, sizeof(f->multiplier), 0) != (ssize_t)sizeof(f->multiplier))
		return err_errno(err, "no random number for a tenant table");
	f->multiplier |= 1;
	/* Asked for now: a full machine says no here, not by SIGBUS in the middle of writing. */
	errno = posix_fallocate(f->fd, 0, (off_t)f->bytes);
	f->map = errno ? MAP_FAILED
	               : mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
	                      f->fd, 0);
	if (f->map != MAP_FAILED)
		return 0;
	f->map = NULL;
	return err_errno(err, "no memory for a tenant table of %zu bytes", f->bytes);
}

static uint64_t first_slot(const struct file *f, const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	return table_hash(digest, f->multiplier) >> (64 - f->slots_log2);
}

/* The slot for this digest, free or its own; NULL: a chain is longer than a lookup may follow. */
static struct table_entry *slot_for(struct file *f, const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	uint64_t mask = (1ull << f->slots_log2) - 1, at = first_slot(f, digest);

	for (unsigned steps = 1; steps <= SNAPSHOT_LONGEST_MAX; steps++, at = (at + 1) & mask) {
		struct table_entry *e = &entries_of(f)[at];

		if (e->flags && memcmp(e->digest, digest, TOKEN_DIGEST_BYTES) != 0)
			continue;
		if (!e->flags && steps > f->longest)
			f->longest = steps;
		return e;
	}
	return NULL;
}

static bool copy_entries(struct file *to, const struct file *from)
{
	for (uint64_t i = 0; i < 1ull << from->slots_log2; i++) {
		const struct table_entry *e = &entries_of(from)[i];
		struct table_entry *slot;

		if (!e->flags)
			continue;
		slot = slot_for(to, e->digest);
		if (!slot)
			return false;
		*slot = *e;
	}
	to->placed = from->placed;
	return true;
}

static void fail(struct snapshot_builder *b, const struct err *err)
{
	b->failed = true;
	b->why = *err;
}

/* So that what is there fits, and this digest (may be NULL) too. Another multiplier while a chain
 * is too long, then twice the slots: nearly always the first one will do. */
static void place_anew(struct snapshot_builder *b, unsigned slots_log2, const uint8_t *digest)
{
	struct err err = { "" };

	for (unsigned tries = 0; tries < GROWN_MAX * TRIES_MAX; tries++) {
		struct file next;

		if (file_open(&next, slots_log2 + tries / TRIES_MAX, &err) < 0) {
			file_close(&next);
			fail(b, &err);
			return;
		}
		if ((!b->file.map || copy_entries(&next, &b->file)) &&
		    (!digest || slot_for(&next, digest))) {
			file_close(&b->file);
			b->file = next;
			return;
		}
		file_close(&next);
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

/* NULL: it is there already, or nothing more can be added. */
static struct table_entry *new_entry(struct snapshot_builder *b,
                                     const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	struct file *f = &b->file;
	struct table_entry *e = NULL;

	if (!b->failed && f->placed == TOKENS_MAX)
		b->failed = err_set(&b->why, "too many tokens for one table") < 0;
	if (!b->failed && (!f->map || 1ull << f->slots_log2 < 2 * (f->placed + 1)))
		place_anew(b, slots_log2_for(f->placed + 1), digest);
	if (!b->failed && !(e = slot_for(f, digest))) {
		place_anew(b, f->slots_log2, digest);
		e = b->failed ? NULL : slot_for(f, digest);
	}
	if (!e || e->flags)
		return NULL; /* the first one wins */
	memcpy(e->digest, digest, TOKEN_DIGEST_BYTES);
	f->placed++;
	return e;
}

/* ---- what is put in ---- */

struct snapshot_builder *snapshot_builder_new(uint64_t generation)
{
	struct snapshot_builder *b = xcalloc(1, sizeof(*b));

	b->generation = generation;
	b->file.fd = -1;
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
	file_close(&b->file);
	hasher_close(b->hasher);
	free(b->tenants.p);
	free(b->cidrs.p);
	free(b->details.p);
	free(b->replaced);
	free(b);
}

void snapshot_expect(struct snapshot_builder *b, uint64_t tokens)
{
	assert(!b->file.map);
	if (!b->failed && tokens <= TOKENS_MAX)
		place_anew(b, slots_log2_for(tokens), NULL);
}

static struct table_entry *add_name(struct snapshot_builder *b, struct bytes id)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];

	if (b->failed)
		return NULL;
	table_name(b->hasher, id, digest);
	return new_entry(b, digest);
}

uint32_t snapshot_add_tenant(struct snapshot_builder *b, const struct snapshot_tenant *t)
{
	struct table_entry *name = add_name(b, t->id);
	size_t at = heap_take(&b->tenants, sizeof(struct table_tenant));
	struct table_tenant *out = (void *)(b->tenants.p + at);

	assert(tenant_id_ok(t->id));
	out->ordinal = t->ordinal;
	out->state = (uint8_t)t->state;
	out->block_until = t->block_until;
	out->id_bytes = (uint8_t)t->id.n;
	out->limits = t->limits;
	memcpy(out->id, t->id.p, t->id.n);
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
	if (b->file.map)
		__builtin_prefetch(&entries_of(&b->file)[first_slot(&b->file, digest)], 1);
}

static void add_detail(struct snapshot_builder *b, const struct snapshot_token *t,
                       struct table_entry *e)
{
	size_t bytes = sizeof(struct table_detail) + t->id.n, align = _Alignof(struct table_detail);
	size_t at = heap_take(&b->details, (bytes + align - 1) / align * align);
	struct table_detail *d = (void *)(b->details.p + at);

	assert(t->id.n <= UINT8_MAX && t->cidr_count <= UINT8_MAX && at <= UINT32_MAX);
	d->cidr_first = (uint32_t)(b->cidrs.n / sizeof(struct snapshot_cidr));
	memcpy(d->id, t->id.p, t->id.n);
	if (t->cidr_count > 0) {
		size_t cidrs_bytes = t->cidr_count * sizeof(*t->cidrs);
		size_t cidrs_at = heap_take(&b->cidrs, cidrs_bytes);

		memcpy(b->cidrs.p + cidrs_at, t->cidrs, cidrs_bytes);
	}
	e->detail = (uint32_t)at;
	e->id_bytes = (uint8_t)t->id.n;
	e->cidr_count = (uint8_t)t->cidr_count;
}

void snapshot_add_token(struct snapshot_builder *b, const struct snapshot_token *t)
{
	struct table_entry *e = new_entry(b, t->digest);

	assert(t->tenant < b->tenants.n / sizeof(struct table_tenant));
	if (!e)
		return;
	e->not_before = t->not_before;
	e->not_after = t->not_after;
	e->tenant = t->tenant;
	add_detail(b, t, e);
	e->flags = (uint16_t)(ENTRY_USED | (t->revoked ? ENTRY_REVOKED : 0u) |
	                      (t->replaced ? ENTRY_REPLACED : 0u) |
	                      (t->scopes & SCOPE_ALL) << ENTRY_SCOPES_SHIFT);
	e->ordinal = t->ordinal;
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

static struct table_head make_head(const struct snapshot_builder *b)
{
	struct table_head h = {
		.magic = TABLE_MAGIC,
		.layout = TABLE_LAYOUT,
		.slots_log2 = b->file.slots_log2,
		.build_id = table_build_id,
		.generation = b->generation,
		.multiplier = b->file.multiplier,
		.entries_used = b->file.placed,
		.tenants = b->tenants.n / sizeof(struct table_tenant),
		.cidrs = b->cidrs.n / sizeof(struct snapshot_cidr),
		.details_bytes = b->details.n,
		.replaced = b->replaced ? b->of.base_tenants : 0,
		.base = b->of.base,
		.base_tenants = b->of.base_tenants,
		.longest = b->file.longest,
		.iterations_count = b->iterations_count,
	};

	memcpy(h.iterations, b->iterations, sizeof(h.iterations));
	h.all_tenants = b->of.base ? b->all_tenants : h.tenants;
	h.all_tokens = b->of.base ? b->all_tokens : h.entries_used - b->names;
	h.entries_at = entries_at();
	h.tenants_at = h.entries_at + (sizeof(struct table_entry) << b->file.slots_log2);
	h.cidrs_at = align_up(h.tenants_at + b->tenants.n);
	h.details_at = align_up(h.cidrs_at + b->cidrs.n);
	h.replaced_at = align_up(h.details_at + b->details.n);
	h.table_bytes = align_up(h.replaced_at + h.replaced * sizeof(*b->replaced));
	return h;
}

static int file_grow(struct file *f, size_t bytes, struct err *err)
{
	void *map;

	errno = posix_fallocate(f->fd, 0, (off_t)bytes);
	map = errno ? MAP_FAILED : mremap(f->map, f->bytes, bytes, MREMAP_MAYMOVE);
	if (map == MAP_FAILED)
		return err_errno(err, "no memory for a tenant table of %zu bytes", bytes);
	f->map = map;
	f->bytes = bytes;
	return 0;
}

static void copy_area(uint8_t *to, const void *from, size_t n)
{
	if (n > 0)
		memcpy(to, from, n);
}

int snapshot_seal(struct snapshot_builder *b, struct err *err)
{
	struct file *f = &b->file;
	struct table_head head;

	if (!b->failed && !f->map)
		place_anew(b, SLOTS_LOG2_MIN, NULL);
	if (b->failed)
		return err_set(err, "%s", b->why.text);
	head = make_head(b);
	if (file_grow(f, head.table_bytes, err) < 0)
		return -1;
	copy_area(f->map + head.tenants_at, b->tenants.p, b->tenants.n);
	copy_area(f->map + head.cidrs_at, b->cidrs.p, b->cidrs.n);
	copy_area(f->map + head.details_at, b->details.p, b->details.n);
	copy_area(f->map + head.replaced_at, b->replaced, head.replaced * sizeof(*b->replaced));
	memcpy(f->map, &head, sizeof(head));
	head.checksum = table_checksum(bytes_of(f->map, head.table_bytes));
	memcpy(f->map, &head, sizeof(head));
	munmap(f->map, f->bytes); /* before the seal: with a writable view it is EBUSY */
	f->map = NULL;
	if (fcntl(f->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_errno(err, "can't seal a tenant table");
	return take_fd(&f->fd);
}
