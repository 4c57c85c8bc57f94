/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send.h -- posts a list of bodies by the rules of compatibility.md 4: several at a time, retried,
 * and tells of each where it went. For the commands `send` and `snippet --test`.
 */
#pragma once
#include "tools/ctl/credential.h"
#include "tools/ctl/samples.h"

enum send_end {
	SEND_WAITS,
	SEND_ACCEPTED,
	SEND_REFUSED, /* no try will help */
	SEND_GIVEN_UP, /* the retries are used up */
};

struct send_item {
	const char *name; /* a file, or a sample */
	const struct sample *sample; /* NULL: the file of that name */
	/* what became of it */
	enum send_end end;
	int status; /* 0: no answer */
	unsigned tries;
	double ms; /* of the last try */
	struct err why; /* one line; "" when accepted */
	char id[48]; /* X-Request-Id */
	json_t *seen; /* the gateway's line about it (tap), or NULL */
};

struct send {
	struct ctl *c;
	const char *url; /* without a path */
	const char *path; /* of files; a sample has its own */
	const char *type, *header; /* of files; NULL: none */
	const char *ca;
	struct credential *credential;
	unsigned jobs;
	int retries; /* -1: by the path */
	FILE *to; /* for people's lines; NULL: stdout */
	struct send_item *items;
	unsigned count;
};

enum { SEND_JOBS = 3, SEND_JOBS_MAX = 64 };

/* Sends all of it and prints a line for each: the exit code, 0, 1 or 75. */
int send_run(struct send *s);
/* What the main thread shows of it (send_show.c): a line an item, or only failures while the
 * progress is shown on a terminal; at the end how many of each. */
struct send_show;
struct send_show *send_show_open(const struct send *s) MUST_USE;
void send_show_item(struct send_show *show, const struct send_item *item, unsigned done);
void send_show_close(struct send_show *show);

/* --url, HEADGATE_URL, MICROMEGAS_TELEMETRY_URL, else the package's listener; without a final '/'.
 * malloc'd; NULL after saying why. */
char *send_url(const char *option) MUST_USE;
