/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.c -- layout of a page set, from stats.def, and what its one writer and its readers do with
 * it; the text of /metrics is stats_render.c. A page holds the head, then the master's facts (in
 * its page alone: elsewhere these are addresses without memory), then what each tenant has in
 * flight (16 MiB of addresses, memory where a tenant touched it), then the words of all STAT
 * families, then for each metric slot and signal those of the TENANT_STAT families, then likewise
 * the cursors of usage records. Nothing here locks or waits: a writer's word is read, added to and
 * stored, never shared with another writer.
 */
#include "common/stats.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/stats_page.h"
#include "common/uses.h"

enum {
	MAGIC = 0x68677331,
	STATS_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
	TENANT_WORDS = (int)SIGNAL_COUNT * (int)TS_COUNT, /* of one metric slot */
	CURSOR_WORDS = (int)SIGNAL_COUNT * (int)USAGE_CURSORS * (int)USAGE_COUNT, /* the same */
};

const unsigned stat_dim_size[DIM_COUNT] = {
#define DIM(name, label, size) [DIM_##name] = (size),
#include "common/stats.def"
#undef DIM
};

/* One member a family: its offset and size are the layout. */
#define DIM(name, label, size) enum { SIZE_##name = (size) };
#include "common/stats.def"
#undef DIM
enum {
	WORDS_COUNTER = 1,
	WORDS_COUNTER_US = 1,
	WORDS_GAUGE = 1,
	WORDS_GAUGE_MAX = 1,
	WORDS_GAUGE_MIN = 1,
	WORDS_HISTOGRAM = HISTOGRAM_WORDS,
};
struct stat_words {
#define STAT(id, name, type, a, b, help) stat_word id[SIZE_##a * SIZE_##b * WORDS_##type];
#include "common/stats.def"
#undef STAT
};

const struct stat_info stat_info[STAT_COUNT] = {
#define STAT(id, name, type, a, b, help)                                                           \
	[STAT_##id] = { name,    type, DIM_##a,                                                    \
		        DIM_##b, help, offsetof(struct stat_words, id) / sizeof(stat_word) },
#include "common/stats.def"
#undef STAT
};

const struct tenant_stat_info tenant_stat_info[TS_COUNT] = {
#define TENANT_STAT(id, name, type, reason, help) [TS_##id] = { name, type, reason, true, help },
#define TENANT_KIND(id, name, type, kind, help) [TS_##id] = { name, type, kind, false, help },
#include "common/stats.def"
#undef TENANT_STAT
#undef TENANT_KIND
};

const double histogram_bounds[HISTOGRAM_BOUNDS] = { 0.0005, 0.001, 0.0025, 0.005, 0.01,
	                                            0.025,  0.05,  0.1,    0.25,  0.5,
	                                            1,      2.5,   5,      10,    30 };
static const uint64_t bounds_us[HISTOGRAM_BOUNDS] = {
	500,    1000,   2500,    5000,    10000,   25000,    50000,   100000,
	250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000
};

struct stats {
	struct stats_head *head;
	stat_word *words;
	stat_word *tenants;
	stat_word *cursors;
	struct stats_in_flight *in_flight;
	struct facts *facts;
	unsigned tenant_slots;
	size_t map_bytes;
	bool writable;
};

enum {
	FACTS_AT = 64 * KIB, /* behind the head: a multiple of any page size we run on */
	IN_FLIGHT_AT = FACTS_AT + 64 * KIB,
	IN_FLIGHT_BYTES = STATS_TENANTS_MAX * sizeof(struct stats_in_flight),
	WORDS_AT = IN_FLIGHT_AT + IN_FLIGHT_BYTES,
};
_Static_assert(sizeof(struct stats_head) <= FACTS_AT, "a head has its place");
_Static_assert(sizeof(struct facts) <= IN_FLIGHT_AT - FACTS_AT, "the facts have theirs");

static size_t words_bytes(unsigned tenant_slots)
{
	return sizeof(struct stat_words) +
	       (size_t)tenant_slots * (TENANT_WORDS + CURSOR_WORDS) * sizeof(stat_word);
}

static size_t page_bytes(unsigned tenant_slots)
{
	return WORDS_AT + words_bytes(tenant_slots);
}

static size_t file_bytes(unsigned tenant_slots, uint64_t tokens)
{
	size_t page = page_bytes(tenant_slots);

	if (tokens == 0)
		return page;
	return (page + USES_ALIGN - 1) / USES_ALIGN * USES_ALIGN + tokens * sizeof(use_word);
}

int stats_memfd(unsigned tenant_slots, struct err *err)
{
	return stats_memfd_with_uses(tenant_slots, 0, err);
}

int stats_memfd_with_uses(unsigned tenant_slots, uint64_t tokens, struct err *err)
{
	autoclose int fd = memfd_create("headgate-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const struct { /* the head begins so */
		uint32_t magic, tenant_slots;
		uint64_t tokens;
	} constant = { MAGIC, tenant_slots, tokens };

	_Static_assert(offsetof(struct stats_head, magic) == 0 &&
	                       offsetof(struct stats_head, fold_seq) == sizeof(constant),
	               "the constants of a head");

	if (fd < 0)
		return err_errno(err, "no memfd for a stats page");
	/* Sealed in size only: who cut it would kill its readers by SIGBUS. */
	if (ftruncate(fd, (off_t)file_bytes(tenant_slots, tokens)) < 0 ||
	    pwrite(fd, &constant, sizeof(constant), 0) != (ssize_t)sizeof(constant) ||
	    fcntl(fd, F_ADD_SEALS, STATS_SEALS) < 0)
		return err_errno(err, "can't make a stats page");
	return take_fd(&fd);
}

struct stats *stats_map(int fd, bool writable, unsigned tenant_slots, struct err *err)
{
	size_t bytes = page_bytes(tenant_slots);
	int seals = fcntl(fd, F_GET_SEALS);
	const struct stats_head *head;
	struct stats *s;
	struct stat st;
	void *p;

	if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW) ||
	    fstat(fd, &st) < 0 || (size_t)st.st_size < bytes) {
		err_set(err, "no stats page of %u tenants, or not sealed in size", tenant_slots);
		return NULL;
	}
	p = mmap(NULL, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		err_errno(err, "can't map a stats page");
		return NULL;
	}
	head = p;
	if (head->magic != MAGIC || head->tenant_slots != tenant_slots ||
	    (size_t)st.st_size != file_bytes(tenant_slots, head->tokens)) {
		munmap(p, bytes);
		err_set(err, "no stats page");
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->head = p;
	s->facts = (struct facts *)((uint8_t *)p + FACTS_AT);
	s->in_flight = (struct stats_in_flight *)((uint8_t *)p + IN_FLIGHT_AT);
	s->words = (stat_word *)((uint8_t *)p + WORDS_AT);
	s->tenants = (stat_word *)((uint8_t *)p + WORDS_AT + sizeof(struct stat_words));
	s->cursors = s->tenants + (size_t)tenant_slots * TENANT_WORDS;
	s->tenant_slots = tenant_slots;
	s->map_bytes = bytes;
	s->writable = writable;
	return s;
}

void stats_unmap(struct stats *s)
{
	if (!s)
		return;
	munmap(s->head, s->map_bytes);
	free(s);
}

struct stats_head *stats_head(struct stats *s)
{
	return s->head;
}

void stats_flags(struct stats *s, uint64_t which, uint64_t on)
{
	_Atomic uint64_t *flags = &s->head->ready_flags;

	atomic_store(flags, (atomic_load(flags) & ~which) | on);
}

struct stats_in_flight *stats_in_flight(struct stats *s)
{
	return s->in_flight;
}

struct facts *stats_facts(struct stats *s)
{
	return s->facts;
}

static uint64_t word_get(const stat_word *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static void word_set(stat_word *w, uint64_t v)
{
	atomic_store_explicit(w, v, memory_order_relaxed);
}

/* One writer: no locked instruction is needed. */
static void word_add(stat_word *w, uint64_t n)
{
	word_set(w, word_get(w) + n);
}

static size_t word_index(enum stat_id id, unsigned a, unsigned b)
{
	const struct stat_info *info = &stat_info[id];
	unsigned size_a = stat_dim_size[info->a], size_b = stat_dim_size[info->b];
	size_t series = (size_t)min_size(a, size_a - 1) * size_b + min_size(b, size_b - 1);

	return info->word + series * (info->type == HISTOGRAM ? HISTOGRAM_WORDS : 1);
}

static bool is_counter(enum stat_type type)
{
	return type == COUNTER || type == COUNTER_US;
}

static bool is_level(enum stat_type type)
{
	return type == GAUGE_MAX || type == GAUGE_MIN;
}

void stats_add(struct stats *s, enum stat_id id, unsigned a, unsigned b, int64_t n)
{
	assert(s->writable && (is_counter(stat_info[id].type) || stat_info[id].type == GAUGE));
	word_add(&s->words[word_index(id, a, b)], (uint64_t)n);
}

void stats_set(struct stats *s, enum stat_id id, unsigned a, unsigned b, uint64_t v)
{
	assert(s->writable && stat_info[id].type != HISTOGRAM);
	/* A level knows "never set" from 0, else the smallest of several would always be 0. */
	word_set(&s->words[word_index(id, a, b)], v + (is_level(stat_info[id].type) ? 1 : 0));
}

void stats_observe_us(struct stats *s, enum stat_id id, unsigned a, uint64_t us)
{
	stat_word *w = &s->words[word_index(id, a, 0)];
	unsigned bucket = 0;

	assert(s->writable && stat_info[id].type == HISTOGRAM);
	while (bucket < HISTOGRAM_BOUNDS && us > bounds_us[bucket])
		bucket++;
	word_add(&w[bucket], 1);
	word_add(&w[HISTOGRAM_SUM_US], us);
	word_add(&w[HISTOGRAM_COUNT], 1);
}

bool stats_is_set(const struct stats *s, enum stat_id id, unsigned a, unsigned b)
{
	const stat_word *w = &s->words[word_index(id, a, b)];

	/* The first word of a histogram is its lowest bucket alone. */
	return word_get(&w[stat_info[id].type == HISTOGRAM ? HISTOGRAM_COUNT : 0]) != 0;
}

uint64_t stats_get(const struct stats *s, enum stat_id id, unsigned a, unsigned b)
{
	const stat_word *w = &s->words[word_index(id, a, b)];
	uint64_t v = word_get(w);

	if (stat_info[id].type == HISTOGRAM)
		return word_get(&w[HISTOGRAM_COUNT]);
	return is_level(stat_info[id].type) && v > 0 ? v - 1 : v;
}

uint64_t stats_histogram_word(const struct stats *s, enum stat_id id, unsigned a, unsigned word)
{
	assert(stat_info[id].type == HISTOGRAM && word < HISTOGRAM_WORDS);
	return word_get(&s->words[word_index(id, a, 0) + word]);
}

static stat_word *tenant_words(const struct stats *s, unsigned slot, enum signal sig)
{
	slot = (unsigned)min_size(slot, s->tenant_slots - 1);
	return &s->tenants[(size_t)slot * TENANT_WORDS + (size_t)sig * TS_COUNT];
}

void stats_tenant_add(struct stats *s, unsigned metric_slot, enum signal sig, enum tenant_stat id,
                      int64_t n)
{
	assert(s->writable);
	word_add(&tenant_words(s, metric_slot, sig)[id], (uint64_t)n);
}

uint64_t stats_tenant_get(const struct stats *s, unsigned metric_slot, enum signal sig,
                          enum tenant_stat id)
{
	return word_get(&tenant_words(s, metric_slot, sig)[id]);
}

/* ---- usage ---- */

static uint64_t sum_of(const stat_word *words, enum tenant_stat first, enum tenant_stat last)
{
	uint64_t sum = 0;

	for (unsigned id = first; id <= last; id++)
		sum += word_get(&words[id]);
	return sum;
}

uint64_t stats_usage(const struct stats *s, unsigned metric_slot, enum signal sig, enum usage what)
{
	const stat_word *words = tenant_words(s, metric_slot, sig);

	switch (what) {
	case USAGE_REQUESTS:
		return word_get(&words[TS_TENANT_REQUESTS]);
	case USAGE_WIRE_BYTES:
		return word_get(&words[TS_TENANT_WIRE_BYTES]);
	case USAGE_DECODED_BYTES:
		return word_get(&words[TS_TENANT_DECODED_BYTES]);
	case USAGE_ACCEPTED:
		return word_get(&words[TS_ITEMS_ACCEPTED]);
	case USAGE_DELIVERED:
		return word_get(&words[TS_ITEMS_DELIVERED]);
	case USAGE_FAILED:
		return sum_of(words, TS_FAILED_TIMED_OUT, TS_FAILED_OTHER);
	case USAGE_REFUSED:
		return sum_of(words, TS_REFUSED_RATE, TS_REFUSED_OTHER) -
		       word_get(&words[TS_REFUSED_BLOCKED]);
	case USAGE_BLOCKED:
		return word_get(&words[TS_REFUSED_BLOCKED]);
	case USAGE_SPOOFED:
		return word_get(&words[TS_ITEMS_SPOOFED]);
	case USAGE_COUNT:
		break;
	}
	assert(!"not a usage");
	return 0;
}

static stat_word *cursor_words(const struct stats *s, unsigned slot, enum signal sig,
                               enum usage_cursor c)
{
	slot = (unsigned)min_size(slot, s->tenant_slots - 1);
	return &s->cursors[(((size_t)slot * SIGNAL_COUNT + sig) * USAGE_CURSORS + c) * USAGE_COUNT];
}

uint64_t stats_cursor_get(const struct stats *s, unsigned metric_slot, enum signal sig,
                          enum usage_cursor c, enum usage what)
{
	return word_get(&cursor_words(s, metric_slot, sig, c)[what]);
}

void stats_cursor_add(struct stats *s, unsigned metric_slot, enum signal sig, enum usage_cursor c,
                      enum usage what, int64_t n)
{
	assert(s->writable);
	word_add(&cursor_words(s, metric_slot, sig, c)[what], (uint64_t)n);
}

/* What the dead told is told, of its own and of those who died before it. */
static void fold_cursors(struct stats *base, const struct stats *dead, unsigned slot,
                         enum signal sig)
{
	for (enum usage what = 0; what < USAGE_COUNT; what++)
		word_add(&cursor_words(base, slot, sig, USAGE_TOLD)[what],
		         stats_cursor_get(dead, slot, sig, USAGE_TOLD, what) +
		                 stats_cursor_get(dead, slot, sig, USAGE_BASE_TOLD, what));
}

/* ---- after a death ---- */

/*
 * What a dead process had accepted and not yet seen the end of. Not its in-flight word: killed
 * between two additions that word may be one off, and accepted = delivered + failed must be exact.
 */
static void fold_tenant(stat_word *base, const stat_word *dead)
{
	uint64_t ended = word_get(&dead[TS_ITEMS_DELIVERED]), accepted;

	for (unsigned i = 0; i < TS_COUNT; i++) {
		if (tenant_stat_info[i].type == COUNTER)
			word_add(&base[i], word_get(&dead[i]));
		if (i >= TS_FAILED_TIMED_OUT && i <= TS_FAILED_OTHER)
			ended += word_get(&dead[i]);
	}
	accepted = word_get(&dead[TS_ITEMS_ACCEPTED]);
	if (accepted > ended)
		word_add(&base[TS_FAILED_WORKER_LOST], accepted - ended);
}

/* Written as zeros, pages that no tenant touched would become memory. */
static void clear_in_flight(struct stats *dead)
{
	if (madvise(dead->in_flight, IN_FLIGHT_BYTES, MADV_REMOVE) < 0)
		memset(dead->in_flight, 0, IN_FLIGHT_BYTES);
}

void stats_fold(struct stats *base, struct stats *dead)
{
	uint32_t seq = atomic_load_explicit(&base->head->fold_seq, memory_order_relaxed);
	size_t words = words_bytes(dead->tenant_slots) / sizeof(stat_word);

	assert(base->writable && dead->writable && base->tenant_slots == dead->tenant_slots);
	atomic_store_explicit(&base->head->fold_seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (enum stat_id id = 0; id < STAT_COUNT; id++) {
		size_t from = stat_info[id].word;
		size_t to = id + 1 < STAT_COUNT ? stat_info[id + 1].word
		                                : sizeof(struct stat_words) / sizeof(stat_word);

		if (is_counter(stat_info[id].type) || stat_info[id].type == HISTOGRAM)
			for (size_t i = from; i < to; i++)
				word_add(&base->words[i], word_get(&dead->words[i]));
	}
	for (unsigned slot = 0; slot < base->tenant_slots; slot++)
		for (enum signal sig = 0; sig < SIGNAL_COUNT; sig++) {
			fold_tenant(tenant_words(base, slot, sig), tenant_words(dead, slot, sig));
			fold_cursors(base, dead, slot, sig);
		}
	last_errors_keep(&base->head->errors, &dead->head->errors);
	/* Its writer is dead, its readers look at fold_seq. */
	for (size_t i = 0; i < words; i++)
		word_set(&dead->words[i], 0);
	clear_in_flight(dead);
	memset((uint8_t *)dead->head + offsetof(struct stats_head, fold_seq), 0,
	       offsetof(struct stats_head, errors) - offsetof(struct stats_head, fold_seq));
	if (dead->head->errors.next > 0) /* the others' rings are addresses without memory */
		memset(&dead->head->errors, 0, sizeof(dead->head->errors));
	atomic_store_explicit(&base->head->fold_seq, seq + 2, memory_order_release);
}

uint32_t stats_read_begin(const struct stats *base)
{
	return atomic_load_explicit(&base->head->fold_seq, memory_order_acquire);
}

bool stats_read_retry(const struct stats *base, uint32_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return (seq & 1) != 0 ||
	       atomic_load_explicit(&base->head->fold_seq, memory_order_relaxed) != seq;
}
