/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.h -- path and method to what happens. One table per process, built from the configuration
 * (worker/route_table.c); paths match exactly, undecoded, but for one trailing slash.
 */
#pragma once
#include "common/err.h"
#include "conf/conf.h"
#include "proto/protocol.h"
struct req;
struct worker;
struct route_topic;

/* The last index is of no route: requests refused before one was found count there, named "none". */
enum { ROUTES_MAX = 64, ROUTE_NONE = ROUTES_MAX - 1 };

struct route {
	const char *name;  /* metrics, logs, the headgate-route header */
	unsigned index;    /* DIM_ROUTE */
	const char *const *paths;
	bool is_prefix;    /* what begins with a path, whatever the case of its letters: data models */
	uint32_t listeners; /* bit set of 1u << index: where it is served */
	bool get, post;    /* HEAD wherever GET is */
	const struct protocol *protocol; /* NULL: run answers at once */
	enum step (*run)(struct req *r); /* /health, /ready, admin pages: sets verdict and reply body */
	enum dialect_id dialect;
	/* What becomes of a body: the sections of their own, or what `routes` says. */
	struct route_topic *topics[FORMATS_MAX]; /* of each format; NULL: a data model's own */
	size_t prefix_bytes; /* of their texts: what a tenant's own topic_prefix takes the place of
	                      */
	enum utf8_mode utf8;
	uint64_t wire_limit, inflated_limit;
	uint64_t record_max;     /* bytes of one record: key, value, headers, 512 */
	enum record_enrich enrich;
	struct bytes stamp_name;
	enum record_headers headers;
	enum record_partition partition;
	int org_missing_status; /* where X-Scope-OrgID is required and is not there */
	int rate_status; /* micromegas: of a spent rate */
	unsigned scope; /* a signal: what a token needs; SIGNAL_COUNT: the request's own */
};

struct routes;
/* Fails where a route of the configuration overrides none, or two formats meet in one topic. */
struct routes *routes_open(struct worker *w, struct err *err) MUST_USE;
void routes_close(struct routes *rs); /* NULL is fine */
const char *routes_name(const struct routes *rs, unsigned index); /* NULL beyond the last */
const struct route *routes_get(const struct routes *rs, unsigned index);
/* The topic of the records of this request, for sinks: an index, which may be new (`{tenant}`, or
 * the tenant has a prefix of its own). */
unsigned routes_topic(struct routes *rs, const struct req *r);
/* The index of a topic that the configuration may know no more: of records that waited. */
unsigned routes_topic_named(struct routes *rs, struct bytes name, bool is_raw);
/* As configured: with the {tenant} of a prefix, if it has one. For a data model's route NULL. */
const char *route_topic_text(const struct route *route, const struct format *format);
/* Of no route: those of dead letters, a data model's too, and of usage records; the tenant's id
 * stands in none of them. Off, or a model without: -1. */
int routes_dead_letters(const struct routes *rs);
int routes_model_dead_letters(const struct req *r);
int routes_usage(const struct routes *rs);
/* Topics known so far, those of a configuration without `{tenant}` all from the start; with a
 * prefix of its own a tenant's first record brings one, as there. */
unsigned routes_topics(const struct routes *rs);
const char *routes_topic_name(const struct routes *rs, unsigned topic);
bool routes_uses(const struct routes *rs, const struct route *route, unsigned topic);
uint64_t routes_topic_record_max(const struct routes *rs, unsigned topic); /* the largest of its routes */
bool routes_topic_is_raw(const struct routes *rs, unsigned topic); /* opaque: not to be compressed */
const char *route_allow(const struct route *route); /* the Allow header's value */
int routes_code(const struct routes *rs, unsigned index, enum verdict v); /* after the dialect's mapping */
