/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_file.h -- a file of the spool while it is drained: its rows in their order, how far it is,
 * and the files of rows that were refused for good. For the thread of spool_reader.c; blocks.
 */
#pragma once
#include "worker/sink.h"
#include "worker/store_file.h"

/* How many rows of which tenant and topic, and the bytes of their values. */
struct spool_sum {
	struct bytes tenant, topic;
	bool is_raw; /* opaque bodies */
	int64_t rows, first; /* seq of the first one */
	uint64_t bytes;
};
/* 0 if none is done with. -1 with *err said. */
int64_t spool_file_progress(const struct store_file *f, struct err *err) MUST_USE;
int spool_file_set_progress(struct store_file *f, int64_t seq, struct err *err) MUST_USE;
/* Those behind `after`. */
int spool_file_sums(const struct store_file *f, int64_t after,
                    void (*each)(void *arg, const struct spool_sum *sum), void *arg,
                    struct err *err) MUST_USE;

enum spool_fate {
	SPOOL_LATER, /* to be read again */
	SPOOL_DONE,
	SPOOL_DEAD, /* refused for good, for .reason */
};
struct spool_row {
	int64_t seq, received_ms, flags;
	struct bytes tenant; /* these point into mem */
	struct bytes value;
	struct bytes headers_json;
	char *topic;
	enum signal signal;
	struct record_header headers[RECORD_HEADERS_MAX];
	unsigned header_count;
	bool suspect, alone; /* refused for its size among others; sent again without them */
	bool whole; /* else it is damaged: nothing but seq, tenant and topic is to be trusted */
	enum spool_fate fate;
	const char *reason;
	char *mem;
};
void spool_row_done(struct spool_row *row);

/* Goes through the rows behind `after`: `wants` says of a topic's row whether it is to be read, and
 * `got` gets it: false ends it. 1: that was the last row; 0: there may be more. -1. */
struct spool_scan {
	bool (*wants)(void *arg, int64_t seq, struct bytes topic);
	bool (*got)(void *arg, struct spool_row *row); /* its own: spool_row_done() */
	void *arg;
	int64_t at; /* the last row that was looked at */
};
int spool_file_scan(const struct store_file *f, struct spool_scan *scan, struct err *err) MUST_USE;

/* The next dead row, within an open group of `to`. */
int spool_file_add_dead(struct store_file *to, const struct spool_row *row, int64_t now_ms,
                        struct err *err) MUST_USE;
