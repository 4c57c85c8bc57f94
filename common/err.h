/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.h -- how the start-up world says why it failed: one text with its place. A function that can
 * return its error does not log it; main.c or master.c reports it once.
 */
#pragma once
#include "common/base.h"

struct err {
	char text[1024]; /* NUL-terminated, "" for none; never a secret */
};

/* Both return -1, so that a failure is one line: `return err_set(err, ...)`. err may be NULL. */
int err_set(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
int err_errno(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3); /* appends ": strerror" */
/* Puts a prefix ("file: ") before the text that is there. Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
