/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base.c -- memory of the start-up world, which cannot fail: without memory a program that is just
 * starting has nothing better to do than to say so and end. No malloc and no stdio on that way out.
 */
#include "common/base.h"

#include <string.h>
#include <sysexits.h>

void out_of_memory(void)
{
	static const char line[] = "lvl=err mod=base msg=\"out of memory\"\n";

	/* Whether the line got out changes nothing any more. */
	ssize_t written = write(STDERR_FILENO, line, sizeof(line) - 1);

	(void)written;
	_exit(EX_OSERR);
}

void *xcalloc(size_t count, size_t size)
{
	/* calloc() checks the product; of 0 bytes it may give NULL, so ask for one. */
	void *p = count && size ? calloc(count, size) : calloc(1, 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t count, size_t size)
{
	size_t bytes;
	void *grown;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory();
	grown = realloc(p, bytes ? bytes : 1); /* realloc(p, 0) would free p */
	if (!grown)
		out_of_memory();
	return grown;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = xcalloc(len + 1, 1);

	memcpy(copy, s, len);
	return copy;
}
