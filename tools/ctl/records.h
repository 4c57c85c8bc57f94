/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.h -- reads the local store's folder (worker/store.h), beside a gateway that runs or after
 * one that has stopped. Opens every file read-only and changes nothing. For `cat`.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"

struct records;

struct records_filter { /* NULL and INT64_MIN: all */
	const char *tenant, *signal;
	int64_t since_ms; /* Unix milliseconds */
};

struct records_row { /* valid until the callback returns */
	const char *file; /* its name */
	int64_t seq, received_ms;
	const char *tenant, *topic, *signal, *headers; /* headers: JSON as in worker/store.h */
	struct bytes value;
	bool intact; /* its crc32c is right */
};

struct records_hooks {
	bool (*row)(void *arg, const struct records_row *row); /* false: enough */
	void (*bad)(void *arg, const char *file, const char *why); /* a file that cannot be read */
	void *arg;
};

/* NULL with *err said and errno set if the folder cannot be read. dir and filter stay the
 * caller's. */
struct records *records_open(const char *dir, const struct records_filter *filter,
                             struct err *err) MUST_USE;
void records_close(struct records *r);
/* Rows that were not told yet, ordered by (time, file, seq); of the first pass only the `last` ones
 * (0: all). Files that are as they were the last time are not opened, unless a commit may still be
 * on its way to the disk. */
int records_pass(struct records *r, uint64_t last, const struct records_hooks *hooks,
                 struct err *err) MUST_USE;
