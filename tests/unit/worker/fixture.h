/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture.h -- a worker with real parts, a tenant table and no socket, for the tests of its stages:
 * requests come as text in pieces of any size, replies are kept, records end in a list.
 */
#pragma once
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/loop.h"
#include "worker/audit.h"
#include "worker/auth.h"
#include "worker/beside.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/listener.h"
#include "worker/dead_letters.h"
#include "worker/models.h"
#include "worker/route.h"
#include "worker/sink.h"
#include "worker/worker.h"

enum {
	FIXTURE_METRIC_TENANTS = 4,
	FIXTURE_TENANTS = 16,
	FIXTURE_BYTES = 4 * MIB,
	FIXTURE_RECORDS = 8
};
static const int64_t FIXTURE_NOW_S = 1764000000; /* 2025-11-24T16:00:00Z */

struct fixture_record {
	uint8_t *value;
	size_t value_n;
	char key[151], topic[250];
	char headers[1024]; /* name=value, a line each */
};

struct fixture {
	struct worker w;
	struct conf conf;
	struct listener_conf listener_confs[2];
	struct listener public, admin;
	struct tenant_limits limits; /* of acme */
	struct bytes topic_prefix; /* likewise */
	struct sink_open sink;
	enum verdict sink_says; /* what send() answers */
	bool sink_ready;
	struct fixture_record records[FIXTURE_RECORDS];
	unsigned record_count;
	struct req r;
	uint8_t *buffer; /* the connection's: bytes received, and BODY_SLACK */
	size_t received;
	char *sent; /* all of the replies, NUL-terminated */
	size_t sent_n;
	enum step step; /* how the last run stopped */
};

/* ---- the sink ---- */

static inline enum verdict fixture_send(void *sink, struct record *rec)
{
	struct fixture *f = sink;
	struct fixture_record *kept = &f->records[f->record_count];
	char part[RECORD_PART_BYTES];
	struct record_header h;
	size_t n = 0;

	if (f->sink_says != V_ACCEPTED)
		return f->sink_says;
	cr_assert_lt(f->record_count, (unsigned)FIXTURE_RECORDS);
	kept->value = malloc(rec->value.n + 1);
	memcpy(kept->value, rec->value.p, rec->value.n);
	kept->value_n = rec->value.n;
	snprintf(kept->key, sizeof(kept->key), "%.*s", (int)rec->parcel->key.n,
	         (const char *)rec->parcel->key.p);
	snprintf(kept->topic, sizeof(kept->topic), "%s", rec->parcel->topic_name);
	for (unsigned i = 0; record_header(rec, i, part, &h); i++)
		n += (size_t)snprintf(kept->headers + n, sizeof(kept->headers) - n, "%s=%.*s\n",
		                      h.name, (int)h.value.n, (const char *)h.value.p);
	f->record_count++;
	return V_ACCEPTED;
}

static inline bool fixture_ready(void *sink, const char **check, char *detail, size_t cap)
{
	const struct fixture *f = sink;

	*check = "kafka";
	if (!f->sink_ready)
		snprintf(detail, cap, "queue over 90 %% of its budget");
	return f->sink_ready;
}

static const struct sink fixture_sink = { .name = "kept",
	                                  .send = fixture_send,
	                                  .ready = fixture_ready };

/* ---- the table ---- */

struct fixture_token {
	const char *secret, *id;
	uint32_t tenant;
	bool revoked, replaced;
	int64_t not_before_s, not_after_s; /* 0: open */
	unsigned scopes;
	const struct snapshot_cidr *cidr;
};

static const struct snapshot_tenant fixture_tenants[] = {
	{ .id = { (const uint8_t *)"acme", 4 }, .ordinal = 1 },
	{ .id = { (const uint8_t *)"other", 5 }, .ordinal = 2 },
	{ .id = { (const uint8_t *)"lazy", 4 }, .ordinal = 3, .state = TENANT_SUSPENDED },
	{ .id = { (const uint8_t *)"gone", 4 }, .ordinal = 4, .state = TENANT_DELETING },
	{ .id = { (const uint8_t *)"stuck", 5 }, .ordinal = 5, .block_until = 1764003600 },
};
/* 10.1.2.0/23 */
static const struct snapshot_cidr fixture_cidr = { { [10] = 0xff, 0xff, 10, 1, 2, 0 }, 119 };
#define FIXTURE_HGT "hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr" /* records.md 2 */

static const struct fixture_token fixture_tokens[] = {
	{ "secret-acme", "t-acme", 0, false, false, 0, 0, SCOPE_ALL, NULL },
	{ FIXTURE_HGT, "0123ABcd", 0, false, false, 0, 0, SCOPE_ALL, NULL },
	{ "secret-other", "t-other", 1, false, false, 0, 0, SCOPE_ALL, NULL },
	{ "secret-revoked", "t-revoked", 0, true, false, 0, 0, SCOPE_ALL, NULL },
	{ "secret-replaced", "t-replaced", 0, false, true, 0, 1764000001, SCOPE_ALL, NULL },
	{ "secret-expired", "t-expired", 0, false, false, 0, 1764000000, SCOPE_ALL, NULL },
	{ "secret-future", "t-future", 0, false, false, 1764000001, 0, SCOPE_ALL, NULL },
	{ "secret-logs", "t-logs", 0, false, false, 0, 0, 1u << SIGNAL_LOGS, NULL },
	{ "secret-lazy", "t-lazy", 2, false, false, 0, 0, SCOPE_ALL, NULL },
	{ "secret-gone", "t-gone", 3, false, false, 0, 0, SCOPE_ALL, NULL },
	{ "secret-stuck", "t-stuck", 4, false, false, 0, 0, SCOPE_ALL, NULL },
	{ "secret-cidr", "t-cidr", 0, false, false, 0, 0, SCOPE_ALL, &fixture_cidr },
};

static inline void fixture_add_token(struct fixture *f, struct snapshot_builder *b,
                                     const struct fixture_token *t, const uint32_t *tenants)
{
	struct snapshot_token token = {
		.id = bytes_str(t->id),
		.ordinal = (uint32_t)(t - fixture_tokens),
		.tenant = tenants[t->tenant],
		.not_before = t->not_before_s ? t->not_before_s * 1000000 : INT64_MIN,
		.not_after = t->not_after_s ? t->not_after_s * 1000000 : INT64_MAX,
		.revoked = t->revoked,
		.replaced = t->replaced,
		.scopes = t->scopes,
		.cidrs = t->cidr,
		.cidr_count = t->cidr != NULL,
	};

	hasher_sha256(f->w.hasher, bytes_str(t->secret), token.digest);
	snapshot_add_token(b, &token);
}

static inline struct snapshot *fixture_table(struct fixture *f)
{
	struct snapshot_builder *b = snapshot_builder_new(7);
	uint32_t tenants[ARRAY_LEN(fixture_tenants)];
	struct err err = { { 0 } };
	struct snapshot *table;
	int fd;

	for (size_t i = 0; i < ARRAY_LEN(fixture_tenants); i++) {
		struct snapshot_tenant tenant = fixture_tenants[i];

		if (i == 0)
			tenant.limits = f->limits;
		if (i == 0)
			tenant.topic_prefix = f->topic_prefix;
		tenants[i] = snapshot_add_tenant(b, &tenant);
	}
	for (size_t i = 0; i < ARRAY_LEN(fixture_tokens); i++)
		fixture_add_token(f, b, &fixture_tokens[i], tenants);
	fd = snapshot_seal(b, &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	table = snapshot_map(fd, &err);
	cr_assert(table, "%s", err.text);
	close(fd);
	snapshot_builder_free(b);
	return table;
}

static inline void fixture_fresh(struct fixture *f, bool fresh)
{
	atomic_store(&stats_head(f->w.pages[0])->fresh_until_ms, fresh ? INT64_MAX : 0);
}

/* ---- life ---- */

static inline struct stats *fixture_page(void)
{
	struct err err = { { 0 } };
	int fd = stats_memfd(FIXTURE_METRIC_TENANTS + 2, &err);
	struct stats *s = fd < 0 ? NULL : stats_map(fd, true, FIXTURE_METRIC_TENANTS + 2, &err);

	cr_assert(s, "%s", err.text);
	close(fd);
	return s;
}

static inline void fixture_conf(struct fixture *f)
{
	static const char *token_headers[] = { "X-Obstack-Auth-Token", "X-Api-Key" };
	struct conf *c = &f->conf;

	f->listener_confs[0] =
		(struct listener_conf){ .name = "public", .token_file = { .path = "" } };
	f->listener_confs[1] = (struct listener_conf){ .name = "admin",
		                                       .admin = true,
		                                       .token_file = { .path = "" } };
	c->listeners.v = f->listener_confs;
	c->listeners.n = 2;
	c->auth.token_headers.v = token_headers;
	c->auth.token_headers.n = 2;
	c->auth.default_tenant = "";
	c->auth.cache_entries = 8;
	c->auth.cache_ttl = 300000;
	c->auth.unknown_per_source = 5;
	c->auth.userinfo.url = c->auth.userinfo.tenant_claim = "";
	c->compat.gateway_bind_tenants = true;
	c->protocols.otlp.enabled = true;
	c->protocols.otlp.traces_topic = "otlp_spans";
	c->protocols.otlp.metrics_topic = "otlp_metrics";
	c->protocols.otlp.logs_topic = "otlp_logs";
	c->protocols.otlp.utf8_logs = CONF_UTF8_REPAIR;
	c->protocols.remote_write.topic = "prom_write";
	c->protocols.remote_write.topic_v2 = "prom_write_v2";
	c->protocols.loki.topic = "loki_push";
	c->protocols.loki.utf8 = CONF_UTF8_REPAIR;
	c->protocols.obstack.topic = "telemetry-raw";
	c->protocols.models.path_prefix = c->protocols.models.namespace = "";
	c->protocols.opaque.topic = "blobs";
	c->protocols.opaque.record_max_bytes = 100 * MIB;
	c->record.stamp_name = "tenant_id";
	c->record.topic_prefix = "";
	c->record.headers = HEADERS_STANDARD;
	c->record.max_bytes = 960 * KIB;
	c->kafka.ack_deadline = 8000;
	c->kafka.batch_bytes = 1000000;
	c->limits.max_tenants = FIXTURE_TENANTS;
	c->limits.max_tokens = 64;
	c->limits.worker_bytes = 256 * MIB;
	c->limits.tenant_share = 25;
	c->limits.body = 16 * MIB;
	c->limits.inflated = 64 * MIB;
	c->limits.depth = 64;
	c->metrics.max_tenants = FIXTURE_METRIC_TENANTS;
	c->sink = SINK_KAFKA;
	c->debug_modules = "";
}

static inline void fixture_shared(struct fixture *f)
{
	struct err err = { { 0 } };
	int fd = limits_memfd(FIXTURE_TENANTS, FIXTURE_METRIC_TENANTS, &err);

	f->w.limits = fd < 0 ? NULL : limits_map(fd, FIXTURE_TENANTS, FIXTURE_METRIC_TENANTS, &err);
	cr_assert(f->w.limits, "%s", err.text);
	close(fd);
	for (unsigned i = 0; i < 3; i++)
		f->w.pages[i] = fixture_page();
	f->w.page_count = 3;
	f->w.stats = f->w.pages[2];
}

/* Options may be changed between fixture_new() and fixture_start(). */
static inline struct fixture *fixture_new(void)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	loop_set_clock(INT64_C(1000) * 1000000000, FIXTURE_NOW_S * 1000000000);
	f->w.conf = &f->conf;
	f->w.slot = 3;
	f->w.siblings = 4;
	f->w.generation = 12;
	fixture_conf(f);
	f->public = (struct listener){ .conf = &f->listener_confs[0], .index = 0 };
	f->admin = (struct listener){
		.conf = &f->listener_confs[1], .index = 1, .admin = true, .loopback = true
	};
	f->sink_says = V_ACCEPTED;
	f->sink_ready = true;
	f->buffer = malloc(FIXTURE_BYTES + BODY_SLACK);
	f->sent = malloc(FIXTURE_BYTES);
	return f;
}

static inline void fixture_start(struct fixture *f, int access_fd, int audit_fd)
{
	struct worker *w = &f->w;
	struct err err = { { 0 } };

	fixture_shared(f);
	w->hasher = hasher_open(&err);
	cr_assert(w->hasher, "%s", err.text);
	kit_open(&w->kit);
	w->bodies = bodies_new();
	w->budget = budget_new(f->conf.limits.worker_bytes, (unsigned)f->conf.limits.tenant_share,
	                       f->conf.limits.max_tenants);
	budget_show(w->budget, stats_in_flight(w->stats));
	w->models = models_open(&f->conf, &err);
	cr_assert(w->models, "%s", err.text);
	w->routes = routes_open(w, &err);
	cr_assert(w->routes, "%s", err.text);
	w->dead_letters = dead_letters_open(w);
	w->auth = auth_open(w, &err);
	cr_assert(w->auth, "%s", err.text);
	w->audit = audit_open(w, access_fd, audit_fd, &err);
	cr_assert(w->audit, "%s", err.text);
	f->sink.ops = &fixture_sink;
	f->sink.state = f;
	w->sink = &f->sink;
	w->table = fixture_table(f);
	fixture_fresh(f, true);
}

static inline struct fixture *fixture_open(void)
{
	struct fixture *f = fixture_new();

	fixture_start(f, -1, -1);
	return f;
}

/* The next table of a started worker: acme has these limits. */
static inline void fixture_limit(struct fixture *f, const struct tenant_limits *limits)
{
	f->limits = *limits;
	snapshot_unmap(f->w.table);
	f->w.table = fixture_table(f);
}

/* With remote_write and the paths of Obstack too. */
static inline struct fixture *fixture_open_all(void)
{
	struct fixture *f = fixture_new();

	f->conf.protocols.remote_write.enabled = true;
	f->conf.protocols.loki.enabled = true;
	f->conf.protocols.obstack.enabled = true;
	fixture_start(f, -1, -1);
	return f;
}

/* As with `record.enrich: header`, once it is started. */
static inline void fixture_enrich_header(struct fixture *f)
{
	for (unsigned i = 0; routes_get(f->w.routes, i); i++)
		((struct route *)routes_get(f->w.routes, i))->enrich = ENRICH_HEADER;
}

static inline void fixture_forget_records(struct fixture *f)
{
	while (f->record_count)
		free(f->records[--f->record_count].value);
}

static inline void fixture_close(struct fixture *f)
{
	struct worker *w = &f->w;

	cr_assert_eq(budget_used(w->budget), 0, "%llu bytes of the budget were never given back",
	             (unsigned long long)budget_used(w->budget));
	fixture_forget_records(f);
	sink_pools_free(&f->sink);
	audit_close(w->audit);
	auth_close(w->auth);
	routes_close(w->routes);
	models_close(w->models);
	dead_letters_close(w->dead_letters);
	snapshot_unmap(w->table);
	bodies_free(w->bodies);
	budget_free(w->budget);
	kit_close(&w->kit);
	hasher_close(w->hasher);
	limits_unmap(w->limits);
	for (unsigned i = 0; i < 3; i++)
		stats_unmap(w->pages[i]);
	pool_free(f->r.pool);
	free(f->buffer);
	free(f->sent);
	free(f);
}

/* ---- requests ---- */

static inline void fixture_begin(struct fixture *f, const struct listener *listener)
{
	static const uint8_t client[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	struct req *r = &f->r;

	req_start(r, &f->w, listener);
	memcpy(r->client, client, sizeof(client));
	r->client_text = "127.0.0.1:40000";
	r->started_ns = loop_now_ns();
	r->received = loop_wall_ns();
	r->in = bytes_of(f->buffer, 0);
	f->received = 0;
	f->sent_n = 0;
	f->sent[0] = '\0';
}

/* As conn.c does: into the memory that a stage pointed at, else into the connection's buffer. */
static inline size_t fixture_feed(struct fixture *f, const uint8_t *p, size_t n)
{
	struct req *r = &f->r;

	if (r->fill.at && r->fill.room) {
		n = min_size(n, r->fill.room);
		memcpy(r->fill.at, p, n);
		r->fill.at += n;
		r->fill.room -= n;
		return n;
	}
	cr_assert_leq(f->received + n, (size_t)FIXTURE_BYTES);
	memcpy(f->buffer + f->received, p, n);
	f->received += n;
	r->in.n += n;
	return n;
}

static inline void fixture_send_out(struct fixture *f)
{
	struct req *r = &f->r;

	cr_assert_lt(f->sent_n + r->out.n, (size_t)FIXTURE_BYTES);
	memcpy(f->sent + f->sent_n, r->out.p, r->out.n);
	f->sent_n += r->out.n;
	f->sent[f->sent_n] = '\0';
	r->bytes_out += r->out.n;
	r->out = BYTES_NONE;
}

/* Feeds the request in pieces until its reply is sent, and finishes it. */
static inline const char *fixture_run(struct fixture *f, const struct listener *listener,
                                      struct bytes in, size_t piece)
{
	fixture_begin(f, listener);
	in = bytes_from(in, fixture_feed(f, in.p, min_size(piece, in.n)));
	while ((f->step = stages_run(&f->r)) != STEP_DONE) {
		if (f->r.out.n)
			fixture_send_out(f);
		if (f->step == STEP_ROOM || f->step == STEP_TURN)
			continue;
		cr_assert_eq(f->step, STEP_BYTES);
		if (in.n == 0)
			return NULL; /* it wants more than there is */
		in = bytes_from(in, fixture_feed(f, in.p, min_size(piece, in.n)));
	}
	req_finish(&f->r);
	return f->sent;
}

/* A whole request on the public listener. */
static inline const char *fixture_ask(struct fixture *f, const char *text)
{
	return fixture_run(f, &f->public, bytes_str(text), SIZE_MAX);
}

static inline const char *fixture_admin(struct fixture *f, const char *text)
{
	return fixture_run(f, &f->admin, bytes_str(text), SIZE_MAX);
}

static inline int fixture_status(const char *reply)
{
	int status = 0;

	cr_assert(reply);
	cr_assert_eq(sscanf(reply, "HTTP/1.1 %d ", &status), 1, "%s", reply);
	return status;
}

static inline const char *fixture_body(const char *reply)
{
	const char *end = strstr(reply, "\r\n\r\n");

	cr_assert(end);
	return end + 4;
}

static inline bool fixture_has(const char *reply, const char *line)
{
	const char *at = strstr(reply, line);

	return at && at < fixture_body(reply) && strncmp(at + strlen(line), "\r\n", 2) == 0 &&
	       at[-1] == '\n';
}
