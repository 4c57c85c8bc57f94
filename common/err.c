/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.c -- fills struct err. Never allocates, never logs.
 */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int fill(struct err *err, const char *fmt, va_list ap)
{
	/* Into a buffer apart: the arguments may point into err->text itself. */
	char text[sizeof(err->text)];

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	memcpy(err->text, text, sizeof(text));
	return -1;
}

int err_set(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	fill(err, fmt, ap);
	va_end(ap);
	return -1;
}

int err_errno(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	char why[128];
	size_t n;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	fill(err, fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	/* GNU strerror_r: gives a text, ours or its own. */
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror_r(saved, why, sizeof(why)));
	errno = saved;
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char rest[sizeof(err->text)];
	size_t n;
	va_list ap;

	if (!err)
		return -1;
	memcpy(rest, err->text, sizeof(rest));
	va_start(ap, fmt);
	fill(err, fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, "%s", rest);
	return -1;
}
