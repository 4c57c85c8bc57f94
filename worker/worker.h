/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h -- one worker process: what its stages may look at, and its life: set up from the
 * channel, serve, swap tables between two requests, drain, exit. Made once, by worker/main.c.
 */
#pragma once
#include "common/limits.h"
#include "common/snapshot.h"
#include "common/stats.h"
#include "conf/conf.h"
#include "proto/edits.h"
#include "proto/encoding.h"
#include "worker/req.h"
struct event_base;
struct hasher;
struct budget;
struct bodies;
struct conns;
struct tls;
struct auth;
struct routes;
struct models;
struct dead_letters;
struct usages;
struct sink_open;
struct audit;
struct taps;
struct uses;
struct jwt_verifier;
struct offload;

enum { PAGES_MAX = 2 + 2 * 256, ASIDE_MAX = 16 };

/* Memory of the stages that work on a whole body, kept from one to the next: of whoever runs them. */
struct kit {
	struct inflater *inflater;
	struct edits edits;
	struct slices slices;
	struct scratch scratch;
};

struct worker {
	struct event_base *base;
	const struct conf *conf;
	int channel;
	int slot;
	unsigned siblings; /* workers of this generation, this one too */
	uint64_t generation; /* of the configuration */
	struct stats *stats; /* our own page */
	struct uses *uses; /* and the last-used words behind it; NULL in tests that keep none */
	struct stats *pages[PAGES_MAX]; /* everybody's, read-only; [0] master, [1] base; NULL: none */
	unsigned page_count;
	struct limits *limits;
	struct snapshot *table; /* NULL: never loaded; replaced between two requests only */
	struct snapshot *next_table; /* a base that waits for its delta; NULL: none */
	struct err next_fault; /* why there is no such base; "" else */
	struct hasher *hasher;
	struct kit kit;         /* of the loop: one request at a time */
	struct kit beside_kit;  /* of the thread beside it */
	struct offload *beside; /* worker/beside.h; NULL: the loop does all of it */
	struct budget *budget;
	struct bodies *bodies;
	struct auth *auth;
	struct jwt_verifier *jwt; /* part of auth */
	struct models *models;
	struct routes *routes;
	struct sink_open *sink;
	struct dead_letters *dead_letters; /* NULL: off */
	struct usages *usages; /* NULL: off */
	struct audit *audit;
	struct taps *taps; /* NULL in tests that have none */
	struct tls *tls;
	struct conns *conns;
	struct id_source ids;
	bool conf_refused; /* by the sink's library: no other process will do better with it */
	bool draining;
	msec_t drain_ends;      /* while draining: loop_now() at which the process ends, finished or not */
	bool aside_any;         /* some tenant is put aside: worker_is_aside() is worth a look */
	struct {
		uint32_t ordinal;
		msec_t until;
	} aside[ASIDE_MAX]; /* the oldest gives way: 16 poisonous tenants a minute are an attack */
};

unsigned workers_count(const struct conf *conf); /* of one generation */
/* Unknown credentials get 401 only while the table is fresh (records.md 2.2), else 503. */
bool worker_table_is_fresh(const struct worker *w);
/* tenants.max_stale passed: 503 for everybody. */
bool worker_table_is_stale(const struct worker *w);
bool worker_is_aside(const struct worker *w, uint32_t tenant_ordinal);
const char *worker_listener_name(const struct worker *w, unsigned index);
