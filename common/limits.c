/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.c -- the limits page. Any process may die between any two instructions here, so each word
 * alone is always right: a metric slot belongs to the tenant whose ordinal stands in `owner`, and a
 * tenant's `metric` word only remembers which. No locks, no counts that a death could leave behind.
 *
 * A metric slot keeps its name for the master's life (operations.md 6), since the counters behind
 * it never fall: a tenant that is gone retires its slot, and only a tenant of the same id gets it
 * back.
 */
#include "common/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
	LINE_BYTES = 64, /* so that no two tenants share a cache line */
	MAGIC = 0x6867316c,
	LIMITS_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
};
static const uint64_t OWNER_FREE = 0, OWNER_RETIRED = UINT64_MAX; /* else 1 + ordinal */

struct limits_head {
	_Atomic uint32_t magic;
} __attribute__((aligned(LINE_BYTES)));

struct metric_slot {
	_Atomic uint64_t owner;
	_Atomic uint32_t named; /* 1 once name is whole; never 0 again */
	_Atomic char name[TENANT_ID_MAX + 1];
} __attribute__((aligned(LINE_BYTES)));

struct tenant_line {
	_Atomic uint32_t metric; /* 1 + metric slot, or 0: not used yet */
	_Atomic uint32_t life; /* tenants that had this line before */
	gcra_word words[LIMIT_KINDS];
} __attribute__((aligned(LINE_BYTES)));

struct limits {
	uint8_t *map;
	size_t map_bytes;
	uint64_t max_tenants;
	unsigned metric_tenants;
	struct metric_slot *metrics;
	struct tenant_line *tenants;
	_Atomic uint64_t *folded; /* a bit for each tenant: it is METRIC_OTHER */
	size_t folded_words;
};

static size_t folded_words(uint64_t max_tenants)
{
	return (size_t)(max_tenants / 64 + 1);
}

/* The size of the page; 0 with *err said if there is no such page. */
static size_t limits_bytes(uint64_t max_tenants, unsigned metric_tenants, struct err *err)
{
	size_t head =
		sizeof(struct limits_head) + sizeof(struct metric_slot) * (size_t)metric_tenants;
	size_t tenants, all;

	head += folded_words(max_tenants) * sizeof(uint64_t);
	if (__builtin_mul_overflow(max_tenants, sizeof(struct tenant_line), &tenants) ||
	    __builtin_add_overflow(head, tenants, &all) || all > INT64_MAX) {
		err_set(err, "no limits page for %llu tenants", (unsigned long long)max_tenants);
		return 0;
	}
	return all;
}

int limits_memfd(uint64_t max_tenants, unsigned metric_tenants, struct err *err)
{
	size_t bytes = limits_bytes(max_tenants, metric_tenants, err);
	autoclose int fd = memfd_create("headgate-limits", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const uint32_t magic = MAGIC;

	if (bytes == 0)
		return -1;
	if (fd < 0)
		return err_errno(err, "no memfd for the limits page");
	/* Sealed in size only: a worker that cut it would kill its siblings by SIGBUS. */
	if (ftruncate(fd, (off_t)bytes) < 0 ||
	    pwrite(fd, &magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) ||
	    fcntl(fd, F_ADD_SEALS, LIMITS_SEALS) < 0)
		return err_errno(err, "can't make a limits page of %zu bytes", bytes);
	return take_fd(&fd);
}

static int check_page(int fd, size_t bytes, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	uint32_t magic = 0;
	struct stat st;

	if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW))
		return err_set(err, "a limits page that is not sealed in size");
	if (fstat(fd, &st) < 0 || (size_t)st.st_size != bytes)
		return err_set(err, "a limits page of a wrong size");
	if (pread(fd, &magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) || magic != MAGIC)
		return err_set(err, "no limits page");
	return 0;
}

struct limits *limits_map(int fd, uint64_t max_tenants, unsigned metric_tenants, struct err *err)
{
	size_t bytes = limits_bytes(max_tenants, metric_tenants, err);
	struct limits *l;
	void *p;

	if (bytes == 0 || check_page(fd, bytes, err) < 0)
		return NULL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		err_errno(err, "can't map the limits page");
		return NULL;
	}
	l = xcalloc(1, sizeof(*l));
	l->map = p;
	l->map_bytes = bytes;
	l->max_tenants = max_tenants;
	l->metric_tenants = metric_tenants;
	l->metrics = (struct metric_slot *)(l->map + sizeof(struct limits_head));
	l->tenants = (struct tenant_line *)(l->metrics + metric_tenants);
	l->folded = (_Atomic uint64_t *)(l->tenants + max_tenants);
	l->folded_words = folded_words(max_tenants);
	return l;
}

void limits_unmap(struct limits *l)
{
	if (!l)
		return;
	munmap(l->map, l->map_bytes);
	free(l);
}

unsigned limits_metric_other(const struct limits *l)
{
	return l->metric_tenants;
}

unsigned limits_metric_none(const struct limits *l)
{
	return l->metric_tenants + 1;
}

/* Several workers may write one slot's name at once: the same bytes, and `named` comes after. */
static void name_slot(struct metric_slot *m, struct bytes id)
{
	if (atomic_load_explicit(&m->named, memory_order_acquire))
		return;
	for (size_t i = 0; i < id.n && i < TENANT_ID_MAX; i++)
		atomic_store_explicit(&m->name[i], (char)id.p[i], memory_order_relaxed);
	atomic_store_explicit(&m->named, 1, memory_order_release);
}

static bool slot_has_name(const struct metric_slot *m, struct bytes id)
{
	return atomic_load_explicit(&m->named, memory_order_acquire) && id.n <= TENANT_ID_MAX &&
	       memcmp((const char *)m->name, id.p, id.n) == 0 &&
	       ((const char *)m->name)[id.n] == '\0';
}

static bool slot_take(struct metric_slot *m, uint64_t from, uint64_t owner)
{
	return atomic_compare_exchange_strong(&m->owner, &from, owner) || from == owner;
}

/* A slot of this owner, or of the same tenant id from before, else a free one; -1 if all are taken.
 */
static int claim_slot(struct limits *l, uint64_t owner, struct bytes id)
{
	for (unsigned i = 0; i < l->metric_tenants; i++) {
		struct metric_slot *m = &l->metrics[i];
		uint64_t now = atomic_load(&m->owner);

		if (now == owner ||
		    (now == OWNER_RETIRED && slot_has_name(m, id) && slot_take(m, now, owner)))
			return (int)i;
	}
	for (unsigned i = 0; i < l->metric_tenants; i++)
		if (slot_take(&l->metrics[i], OWNER_FREE, owner))
			return (int)i;
	return -1;
}

/* At each use: who dies between a tenant's word and its bit leaves the bit to the next one. */
static void fold(struct limits *l, uint32_t tenant_ordinal)
{
	_Atomic uint64_t *word = &l->folded[tenant_ordinal / 64];
	uint64_t bit = 1ull << tenant_ordinal % 64;

	if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
		atomic_fetch_or(word, bit);
}

uint64_t limits_folded(const struct limits *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->folded_words; i++)
		n += (uint64_t)__builtin_popcountll(atomic_load(&l->folded[i]));
	return n;
}

unsigned limits_metric_slot(struct limits *l, uint32_t tenant_ordinal, struct bytes tenant_id)
{
	struct tenant_line *line;
	uint32_t metric, none = 0;
	int slot;

	if (tenant_ordinal >= l->max_tenants)
		return limits_metric_other(l);
	line = &l->tenants[tenant_ordinal];
	metric = atomic_load_explicit(&line->metric, memory_order_acquire);
	if (metric == 0) {
		slot = claim_slot(l, 1 + (uint64_t)tenant_ordinal, tenant_id);
		metric = slot < 0 ? 1 + limits_metric_other(l) : 1 + (uint32_t)slot;
		if (slot >= 0)
			name_slot(&l->metrics[slot], tenant_id);
		/* Two workers scan in the same order and so find the same slot; if one was given
		 * back in between, the first to store here decides, and the other slot stays named
		 * for this tenant until limits_clear(). */
		if (!atomic_compare_exchange_strong(&line->metric, &none, metric))
			metric = none;
	}
	metric--;
	if (metric < l->metric_tenants)
		return metric;
	fold(l, tenant_ordinal);
	return limits_metric_other(l);
}

const char *limits_metric_name(const struct limits *l, unsigned slot)
{
	if (slot == limits_metric_other(l))
		return "_other";
	if (slot == limits_metric_none(l))
		return "_none";
	if (slot > l->metric_tenants ||
	    !atomic_load_explicit(&l->metrics[slot].named, memory_order_acquire))
		return NULL;
	return (const char *)l->metrics[slot].name;
}

gcra_word *limits_words(struct limits *l, uint32_t tenant_ordinal)
{
	return tenant_ordinal < l->max_tenants ? l->tenants[tenant_ordinal].words : NULL;
}

uint32_t limits_life(const struct limits *l, uint32_t tenant_ordinal)
{
	return tenant_ordinal < l->max_tenants
	               ? atomic_load_explicit(&l->tenants[tenant_ordinal].life,
	                                      memory_order_relaxed)
	               : 0;
}

void limits_clear(struct limits *l, uint32_t tenant_ordinal)
{
	uint64_t owner = 1 + (uint64_t)tenant_ordinal;

	if (tenant_ordinal >= l->max_tenants)
		return;
	for (unsigned i = 0; i < l->metric_tenants; i++) {
		uint64_t was = owner;
		bool named = atomic_load_explicit(&l->metrics[i].named, memory_order_acquire);

		/* Without a name it was claimed by a worker that died at once: nothing counts in
		 * it. */
		atomic_compare_exchange_strong(&l->metrics[i].owner, &was,
		                               named ? OWNER_RETIRED : OWNER_FREE);
	}
	atomic_store(&l->tenants[tenant_ordinal].metric, 0);
	/* Before the words: who still holds the old number must find them untouched by itself. */
	atomic_fetch_add(&l->tenants[tenant_ordinal].life, 1);
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++)
		atomic_store(&l->tenants[tenant_ordinal].words[kind], 0);
	atomic_fetch_and(&l->folded[tenant_ordinal / 64], ~(1ull << tenant_ordinal % 64));
}
