/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bodies.c -- free lists by class. What lies in them makes the process hardly larger than it was at
 * its worst moment: before memory is asked for, unused buffers of other classes go until live and
 * kept together are no more than live alone has been, and SPARE. So the budget, which bounds what
 * is live, bounds the whole. Larger buffers than the last class are rare and go back to the kernel
 * at once.
 */
#include "worker/bodies.h"

#include <sys/mman.h>
#include "proto/protocol.h"
#ifdef HEADGATE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)0)
#endif

enum { CLASS_COUNT = 6, HEADER_BYTES = 64, LARGE_STEP = 64 * KIB, MMAP_FROM = 256 * KIB };

/* One request goes through several classes: wire, inflated, stamped. Without room for the small
 * ones beside the large ones each request gave a large one back and paid for its pages anew: 300 us
 * of 500 (remote_write, 440 KB, measured). One of each class up to 1 MiB fits. */
enum { SPARE = 2 * MIB };

static const size_t classes[CLASS_COUNT] = { 2 * KIB, 8 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB };

struct bodies {
	struct body *free[CLASS_COUNT];
	size_t live, kept; /* bytes of buffers: with an owner, in free lists */
	size_t peak; /* the most that live has been */
};

_Static_assert(sizeof(struct body) <= HEADER_BYTES, "the header lies before the data");

struct bodies *bodies_new(void)
{
	return xcalloc(1, sizeof(struct bodies));
}

/* CLASS_COUNT: larger than all. */
static unsigned class_of(size_t bytes)
{
	unsigned c = 0;

	while (c < CLASS_COUNT && classes[c] < bytes)
		c++;
	return c;
}

size_t body_capacity(size_t bytes)
{
	unsigned c = class_of(bytes);
	size_t cap;

	if (c < CLASS_COUNT)
		return classes[c];
	if (__builtin_add_overflow(bytes, LARGE_STEP - 1, &cap))
		return SIZE_MAX; /* no budget holds it */
	return cap / LARGE_STEP * LARGE_STEP;
}

static size_t whole_bytes(size_t cap)
{
	return HEADER_BYTES + cap + BODY_SLACK;
}

/* malloc() would keep large blocks in its heap once it has freed one (its mmap threshold moves). */
static struct body *allocate(size_t cap)
{
	size_t bytes = whole_bytes(cap);
	void *p;

	if (cap < MMAP_FROM) {
		p = aligned_alloc(HEADER_BYTES, bytes);
	} else {
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		p = p == MAP_FAILED ? NULL : p;
	}
	if (!p)
		out_of_memory();
	return p;
}

static void release(struct body *body)
{
	if (body->cap < MMAP_FROM)
		free(body);
	else if (munmap(body, whole_bytes(body->cap)) < 0)
		out_of_memory(); /* too many mappings: the kernel could not split one */
}

static void let_go(struct bodies *b, unsigned c)
{
	struct body *body = b->free[c];

	b->free[c] = body->next;
	b->kept -= body->cap;
	ASAN_UNPOISON_MEMORY_REGION(body->data, body->cap + BODY_SLACK);
	release(body);
}

/* Largest first: the fewest calls. */
static void shrink(struct bodies *b)
{
	for (unsigned c = CLASS_COUNT; c-- > 0;)
		while (b->free[c] && b->live + b->kept > b->peak + SPARE)
			let_go(b, c);
}

void bodies_free(struct bodies *b)
{
	if (!b)
		return;
	for (unsigned c = 0; c < CLASS_COUNT; c++)
		while (b->free[c])
			let_go(b, c);
	free(b);
}

static struct body *body_at(void *p, size_t cap)
{
	struct body *body = p;

	*body = (struct body){ .cap = cap, .data = (uint8_t *)p + HEADER_BYTES };
	return body;
}

bool body_is_large(size_t bytes)
{
	return class_of(bytes) == CLASS_COUNT;
}

void bodies_count_large(struct bodies *b, size_t bytes)
{
	b->live += body_capacity(bytes);
	b->peak = max_size(b->peak, b->live);
	shrink(b);
}

void bodies_forget_large(struct bodies *b, size_t cap)
{
	b->live -= cap;
}

struct body *body_map(size_t bytes)
{
	size_t cap = body_capacity(bytes);

	return body_at(allocate(cap), cap);
}

void body_unmap(struct body *body)
{
	release(body);
}

struct body *body_get(struct bodies *b, size_t bytes)
{
	unsigned c = class_of(bytes);
	size_t cap = body_capacity(bytes);
	struct body *body = c < CLASS_COUNT ? b->free[c] : NULL;

	b->live += cap;
	b->peak = max_size(b->peak, b->live);
	if (body) {
		b->free[c] = body->next;
		b->kept -= cap;
		ASAN_UNPOISON_MEMORY_REGION(body->data, cap + BODY_SLACK);
	} else {
		shrink(b);
		body = allocate(cap);
	}
	return body_at(body, cap);
}

void body_put(struct bodies *b, struct body *body)
{
	unsigned c;

	if (!body)
		return;
	c = class_of(body->cap);
	b->live -= body->cap;
	if (c == CLASS_COUNT) {
		release(body);
		return;
	}
	body->next = b->free[c];
	b->free[c] = body;
	b->kept += body->cap;
	/* Whoever still reads or writes it is found out in the asan build. */
	ASAN_POISON_MEMORY_REGION(body->data, body->cap + BODY_SLACK);
}
