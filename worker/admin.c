/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.c -- who may ask on an admin listener, and whether this worker is ready: read from shared
 * memory and from the worker's own state, without I/O, since load balancers ask often.
 */
#include "worker/admin.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "common/buf.h"
#include "worker/listener.h"
#include "worker/sink.h"
#include "worker/worker.h"

enum { PAGE_BYTES = 4 * KIB, HOST_BYTES = 64 };

static const char text_type[] = "text/plain; charset=utf-8", json_type[] = "application/json";

/* ---- the gate ---- */

/* 127.0.0.0/8, ::1 or localhost, with or without a port. Another name that resolves to us is a
 * browser that was lured here (DNS rebinding). Without Host it is no browser (HTTP/1.0). */
static bool host_is_loopback(struct bytes host)
{
	bool v6 = host.n && host.p[0] == '[';
	const uint8_t *end = host.n ? memrchr(host.p, v6 ? ']' : ':', host.n) : NULL;
	struct bytes name = bytes_of(host.p, end ? (size_t)(end - host.p) : host.n);
	char text[HOST_BYTES];
	struct in_addr v4_addr;
	struct in6_addr v6_addr;

	if (host.n == 0 || bytes_eq_nocase(name, BYTES("localhost")))
		return true;
	if (name.n >= sizeof(text))
		return false;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	if (v6)
		return inet_pton(AF_INET6, text + 1, &v6_addr) == 1 &&
		       IN6_IS_ADDR_LOOPBACK(&v6_addr);
	return inet_pton(AF_INET, text, &v4_addr) == 1 && ntohl(v4_addr.s_addr) >> 24 == 127;
}

static bool token_fits(const struct req *r, struct bytes token)
{
	const struct http_field *f = http_field_find(&r->head, "Authorization", 0);
	const struct bytes scheme = BYTES("bearer ");
	struct bytes given;

	if (!f || http_field_find(&r->head, "Authorization", 1) || f->value.n <= scheme.n ||
	    !bytes_eq_nocase(bytes_of(f->value.p, scheme.n), scheme))
		return false;
	given = bytes_trim(bytes_from(f->value, scheme.n));
	return given.n == token.n && CRYPTO_memcmp(given.p, token.p, token.n) == 0;
}

/* A file ends with a line feed, a token does not. */
static struct bytes token_of(const struct listener *listener)
{
	struct bytes token = listener->conf->token_file.content;

	while (token.n && (token.p[token.n - 1] == '\n' || token.p[token.n - 1] == '\r'))
		token.n--;
	return bytes_trim(token);
}

enum verdict admin_gate(const struct req *r, bool needs_token)
{
	if (r->listener->loopback && !host_is_loopback(r->head.host))
		return V_HOST;
	/* A file that was configured but is empty lets nobody in. */
	if (needs_token && r->listener->conf->token_file.path &&
	    *r->listener->conf->token_file.path) {
		struct bytes token = token_of(r->listener);

		if (!token.n || !token_fits(r, token))
			return V_CREDENTIAL;
	}
	return V_NONE;
}

/* ---- checks ---- */

const char *check_level_name(enum check_level level)
{
	static const char *const names[] = {
		[CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "fail"
	};

	return names[level];
}

static struct check *add(struct check *out, unsigned *n, enum check_level level, const char *name)
{
	struct check *c = &out[(*n)++];

	assert(*n <= CHECKS_MAX);
	*c = (struct check){ .level = level, .name = name };
	return c;
}

#define SAY(c, ...) snprintf((c)->detail, sizeof((c)->detail), __VA_ARGS__)

static void check_tenants(const struct worker *w, uint64_t flags, struct check *out, unsigned *n)
{
	struct check *c = add(out, n, CHECK_WARN, "tenants");

	if (!w->table) {
		c->level = CHECK_FAIL;
		SAY(c, "no table was loaded yet");
	} else if (worker_table_is_stale(w)) {
		SAY(c, "the table is older than tenants.max_stale: every credential gets 503");
	} else if (!worker_table_is_fresh(w)) {
		SAY(c, "the source is away: unknown credentials get 503");
	} else if (flags & READY_SOURCE_AWAY) {
		SAY(c, "the source is away, the last table serves");
	} else {
		c->level = CHECK_OK;
		SAY(c, "table %llu: %llu tenants, %llu tokens",
		    (unsigned long long)snapshot_generation(w->table),
		    (unsigned long long)snapshot_tenants(w->table),
		    (unsigned long long)snapshot_tokens(w->table));
	}
}

/* What only the master sees, told by its stats page. */
static void check_master(uint64_t flags, struct check *out, unsigned *n)
{
	static const struct {
		uint64_t flag;
		const char *name, *detail;
	} lines[] = {
		{ READY_SUBSCRIBED, "subscription",
		  "tables are fed by a subscription: re-read in full each 30 s" },
		{ READY_OVER_LIMIT, "limits",
		  "rows of the source are beyond limits.max_tenants or max_tokens" },
		{ READY_CERT_SOON, "certificates", "a certificate ends within 14 days" },
		{ READY_JWKS_STALE, "jwks",
		  "keys of an issuer can't be refreshed: the last ones serve" },
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (flags & lines[i].flag)
			SAY(add(out, n, CHECK_WARN, lines[i].name), "%s", lines[i].detail);
}

static void check_sink(const struct worker *w, struct check *out, unsigned *n)
{
	struct check *c = add(out, n, CHECK_OK, w->sink->ops->name);

	if (!w->sink->ops->ready(w->sink->state, &c->name, c->detail, sizeof(c->detail)))
		c->level = CHECK_FAIL;
	else if (c->detail[0]) /* degraded: it serves all the same */
		c->level = CHECK_WARN;
	else
		SAY(c, "taking records");
}

unsigned admin_checks(const struct worker *w, struct check out[static CHECKS_MAX])
{
	uint64_t flags = w->pages[0] ? atomic_load(&stats_head(w->pages[0])->ready_flags) : 0;
	unsigned n = 0;

	check_tenants(w, flags, out, &n);
	if (w->draining)
		SAY(add(out, &n, CHECK_FAIL, "draining"), "this worker is about to end");
	check_sink(w, out, &n);
	check_master(flags, out, &n);
	return n;
}

/* ---- pages ---- */

/* On a listener with Moose's rules, which knows no other form; that Accept names it is enough. */
static bool wants_lists(const struct req *r)
{
	const struct http_field *accept = http_field_find(&r->head, "Accept", 0);

	return r->listener->conf->dialect == LISTENER_MOOSE && accept && accept->value.n &&
	       memmem(accept->value.p, accept->value.n, json_type, sizeof(json_type) - 1) != NULL;
}

static void write_list(struct buf *b, const struct check *checks, unsigned n, bool healthy)
{
	const char *separator = "";

	for (unsigned i = 0; i < n; i++)
		if ((checks[i].level != CHECK_FAIL) == healthy) {
			buf_printf(b, "%s\"%s\"", separator, checks[i].name);
			separator = ",";
		}
}

/* Names only, as on /ready: the public may read them. */
static void lists_page(struct req *r, const struct check *checks, unsigned n)
{
	struct buf page;

	buf_init_fixed(&page, pool_alloc(r->pool, PAGE_BYTES), PAGE_BYTES);
	buf_str(&page, "{\"healthy\":[");
	write_list(&page, checks, n, true);
	buf_str(&page, "],\"unhealthy\":[");
	write_list(&page, checks, n, false);
	buf_str(&page, "]}");
	r->page = buf_view(&page);
	r->page_type = json_type;
}

enum step health_run(struct req *r)
{
	if (wants_lists(r)) {
		struct check checks[CHECKS_MAX];

		lists_page(r, checks, admin_checks(r->w, checks));
	}
	return req_say(r, V_HEALTH);
}

/* ?verbose, alone or among other parameters. */
static bool asks_verbose(struct bytes target)
{
	const uint8_t *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
	struct bytes query = mark ? bytes_from(target, (size_t)(mark - target.p) + 1) : BYTES_NONE;

	while (query.n) {
		const uint8_t *end = memchr(query.p, '&', query.n);
		struct bytes one = bytes_of(query.p, end ? (size_t)(end - query.p) : query.n);
		const uint8_t *equals = one.n ? memchr(one.p, '=', one.n) : NULL;

		query = end ? bytes_from(query, one.n + 1) : BYTES_NONE;
		if (equals)
			one.n = (size_t)(equals - one.p);
		if (bytes_eq(one, BYTES("verbose")))
			return true;
	}
	return false;
}

static void write_names(struct buf *b, const struct check *checks, unsigned n)
{
	const char *separator = "";

	for (unsigned i = 0; i < n; i++)
		if (checks[i].level == CHECK_FAIL) {
			buf_printf(b, "%s%s", separator, checks[i].name);
			separator = ", ";
		}
}

static void write_lines(struct buf *b, const struct check *checks, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		buf_printf(b, "%s %s ", check_level_name(checks[i].level), checks[i].name);
		buf_escaped(b, bytes_str(checks[i].detail), sizeof(checks[i].detail));
		buf_char(b, '\n');
	}
}

static void text_page(struct req *r, const struct check *checks, unsigned n, const char *failed)
{
	bool verbose = r->listener->admin && asks_verbose(r->head.target);
	struct buf page;

	buf_init_fixed(&page, pool_alloc(r->pool, PAGE_BYTES), PAGE_BYTES);
	if (verbose)
		write_lines(&page, checks, n);
	buf_str(&page, *failed ? "not ready" : "ready");
	if (*failed && !verbose) /* names only: the public may read it */
		buf_printf(&page, ": %s", failed);
	buf_char(&page, '\n');
	r->page = buf_view(&page);
	r->page_type = text_type;
}

enum step ready_run(struct req *r)
{
	struct check checks[CHECKS_MAX];
	unsigned n = admin_checks(r->w, checks);
	char failed[200];
	struct buf names;

	buf_init_fixed(&names, failed, sizeof(failed) - 1);
	write_names(&names, checks, n);
	failed[names.n] = '\0';
	if (wants_lists(r))
		lists_page(r, checks, n);
	else
		text_page(r, checks, n, failed);
	return *failed ? req_refuse(r, V_NOT_READY, failed) : req_say(r, V_HEALTH);
}
