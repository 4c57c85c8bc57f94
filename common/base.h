/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base.h -- what every file may rely on: units, cleanup attributes, checked asserts. No state.
 */
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { KIB = 1024, MIB = 1024 * 1024 };

typedef int64_t msec_t;  /* a duration, or CLOCK_MONOTONIC, in milliseconds */
typedef int64_t unix_ns; /* wall clock, nanoseconds since 1970-01-01 UTC */

/* Costly checks; not in release builds. Plain assert() stays everywhere: NDEBUG is never set. */
#ifdef HEADGATE_SLOW_ASSERT
#define slow_assert(x) assert(x)
#else
#define slow_assert(x) ((void)sizeof(x))
#endif

static inline void close_fd_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
static inline void free_ptr_(void *p)
{
	free(*(void **)p);
}

/* `autoclose int fd`, `autofree char *p`: given back at the end of the scope unless taken. */
#define autoclose __attribute__((cleanup(close_fd_)))
#define autofree __attribute__((cleanup(free_ptr_)))

static inline int take_fd(int *fd)
{
	int kept = *fd;

	*fd = -1;
	return kept;
}

static inline void *take_ptr_(void **p)
{
	void *kept = *p;

	*p = NULL;
	return kept;
}
#define take_ptr(pp) ((__typeof__(*(pp)))take_ptr_((void **)(pp)))

static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}
static inline size_t max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Memory of the start-up world: never NULL; out of memory is one static line and _exit(71). */
void *xcalloc(size_t count, size_t size) MUST_USE;
void *xrealloc(void *p, size_t count, size_t size) MUST_USE; /* count * size is checked */
char *xstrdup(const char *s) MUST_USE;
char *xstrndup(const char *s, size_t n) MUST_USE;
void out_of_memory(void) __attribute__((noreturn));
