/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c -- what no option can say alone: whether the values fit together, and the files they
 * name. Certificates are judged by who loads them (master/listeners.c), not here.
 */
#include <stdio.h>
#include <strings.h>

#include "common/token.h"
#include "conf/load.h"
#include "conf/values.h"

/* ---- files ---- */

static void read_table(struct loader *l, const struct option_table *table, void *base,
                       const char *prefix)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *o = &table->v[i];

		if (o->type == OPT_FILE_PUBLIC || o->type == OPT_FILE_SECRET)
			(void)read_option_file(l, o, path_text(l, "%s%s", prefix, o->path),
			                       option_member(o, base));
	}
}

/* Both files of a pair or none. The admin section may say none: `{cert_file: "", key_file: ""}`. */
static void check_tls(struct loader *l, struct tls_conf *tls, const char *path, bool may_be_none)
{
	size_t kept = 0;

	for (size_t i = 0; i < tls->pairs.n; i++) {
		struct tls_map map = { .pair = tls->pairs.v[i] };
		bool cert = *map.pair.cert_file.path, key = *map.pair.key_file.path;
		const char *at = i ? path_text(l, "%s[%zu].", path, i) : path_text(l, "%s.", path);

		if (cert != key)
			ERROR_AT(l, path, "'%s' has a %s but no %s", path,
			         cert ? "cert_file" : "key_file", cert ? "key_file" : "cert_file");
		else if (!cert && !may_be_none)
			ERROR_AT(l, path, "'%s' names no certificate", path);
		read_table(l, &tls_options, &map, at);
		if (cert || key)
			tls->pairs.v[kept++] = map.pair;
	}
	tls->pairs.n = kept;
}

/* ---- listeners ---- */

static void check_listen(struct loader *l, const struct listener_conf *listener, const char *path)
{
	struct bytes text = bytes_str(listener->listen);
	struct err why = { "" };
	struct addr addr;

	if (text.n > 3 && memcmp(text.p, "fd:", 3) == 0)
		return;
	if (text.n && text.p[0] == '/')
		ERROR_AT(l, path, "a listener has no path: HOST:PORT, [V6]:PORT or fd:NAME");
	else if (value_addr(text, &addr, &why) < 0)
		ERROR_AT(l, path, "%s", why.text);
}

/* Port 0 is another one for each. */
static bool same_address(const char *a, const char *b)
{
	size_t n = strlen(a);

	return strcmp(a, b) == 0 && !(n > 2 && strcmp(a + n - 2, ":0") == 0);
}

static const char *shown_name(struct loader *l, size_t index)
{
	return written(l, path_text(l, "listeners[%zu].name", index),
	               l->conf->listeners.v[index].name);
}

/* Two of one name, two of one address. */
static void check_twins(struct loader *l, size_t first, size_t second)
{
	const struct listener_conf *a = &l->conf->listeners.v[first];
	const struct listener_conf *b = &l->conf->listeners.v[second];
	struct place at = place_of_option(l, path_text(l, "listeners[%zu]", first));
	const char *name = path_text(l, "listeners[%zu].name", second);

	if (!origin_find(l->origins, name)) /* then it has the default */
		name = path_text(l, "listeners[%zu]", second);
	if (strcmp(a->name, b->name) == 0)
		ERROR_AT(l, name, "the listener '%s' is there twice: first at %s:%u:%u",
		         shown_name(l, second), source_path(at.source), at.line, at.col);
	if (same_address(a->listen, b->listen))
		ERROR_AT(l, path_text(l, "listeners[%zu].listen", second),
		         "the listeners '%s' and '%s' have one address", shown_name(l, first),
		         shown_name(l, second));
}

static bool is_among(uint8_t c, const char *chars)
{
	return c && strchr(chars, c);
}

static size_t alnums(struct bytes s, const char *and) /* letters, digits and those, in front */
{
	size_t n = 0;

	while (n < s.n && (((s.p[n] | 0x20) >= 'a' && (s.p[n] | 0x20) <= 'z') ||
	                   (s.p[n] >= '0' && s.p[n] <= '9') || is_among(s.p[n], and)))
		n++;
	return n;
}

/* Bytes of the host in front, `*.` before it included; 0 if there is none. */
static size_t host_bytes(struct bytes s)
{
	size_t star = s.n > 2 && s.p[0] == '*' && s.p[1] == '.' ? 2 : 0, n = star;

	if (s.n && s.p[0] == '[') {
		n = 1 + alnums(bytes_from(s, 1), ":.");
		return n > 2 && n < s.n && s.p[n] == ']' ? n + 1 : 0;
	}
	for (;;) {
		size_t label = alnums(bytes_from(s, n), "-_");

		n += label;
		if (!label || n == s.n || s.p[n] != '.')
			return label ? n : 0;
		n++;
	}
}

/* Whether browsers could send it, but for the star (RFC 6454 6.2): they leave out the scheme's own
 * port and end behind the host or the port. */
static bool origin_ok(struct bytes s)
{
	size_t scheme = alnums(s, "+-."), host;
	struct bytes name = bytes_of(s.p, scheme), port;
	uint64_t number;

	if (bytes_eq(s, BYTES("*")))
		return true;
	s = bytes_from(s, scheme);
	if (!scheme || s.n < 3 || memcmp(s.p, "://", 3) != 0)
		return false;
	s = bytes_from(s, 3);
	host = host_bytes(s);
	port = bytes_from(s, host + 1);
	if (!host || host == s.n)
		return host;
	return s.p[host] == ':' && port.n && port.p[0] != '0' &&
	       bytes_to_u64(port, UINT16_MAX, &number) &&
	       !(number == 80 && bytes_eq_nocase(name, BYTES("http"))) &&
	       !(number == 443 && bytes_eq_nocase(name, BYTES("https")));
}

static void check_origins(struct loader *l, const struct conf_list *origins, const char *path)
{
	for (size_t i = 0; i < origins->n; i++) {
		const char *at = path_text(l, "%s[%zu]", path, i);

		if (origin_ok(bytes_str(origins->v[i])))
			continue;
		ERROR_AT(l, at, "'%s' is no origin that a browser sends",
		         written(l, at, origins->v[i]));
		report_help(l->r, "scheme://host or scheme://host:port, without a path and without "
		                  "the scheme's own port; scheme://*.host, or *");
	}
}

static void check_proxies(struct loader *l, const struct conf_list *blocks, const char *path)
{
	for (size_t i = 0; i < blocks->n; i++) {
		const char *at = path_text(l, "%s[%zu]", path, i);
		struct err why = { "" };
		struct cidr block;

		if (value_cidr(bytes_str(blocks->v[i]), &block, &why) == 0)
			continue;
		ERROR_AT(l, at, "'%s' is no address block", written(l, at, blocks->v[i]));
		report_help(l->r, "%s", why.text);
	}
}

static void check_listeners(struct loader *l)
{
	const struct listener_conf *v = l->conf->listeners.v;

	for (size_t i = 0; i < l->conf->listeners.n; i++) {
		check_listen(l, &v[i], path_text(l, "listeners[%zu].listen", i));
		check_tls(l, &l->conf->listeners.v[i].tls, path_text(l, "listeners[%zu].tls", i),
		          false);
		check_origins(l, &v[i].allowed_origins,
		              path_text(l, "listeners[%zu].allowed_origins", i));
		check_proxies(l, &v[i].trusted_proxies,
		              path_text(l, "listeners[%zu].trusted_proxies", i));
		if (strcmp(v[i].name, "admin") == 0)
			ERROR_AT(l, path_text(l, "listeners[%zu].name", i),
			         "the name admin is that of the admin section");
		for (size_t k = 0; k < i; k++)
			check_twins(l, k, i);
	}
}

static void check_admin(struct loader *l)
{
	const struct conf *c = l->conf;
	struct bytes token = c->admin.token_file.content;
	struct err why = { "" };
	struct addr addr;

	check_tls(l, &l->conf->admin.tls, "admin.tls", true);
	if (token.n && (token.n < 16 || token.n > 512))
		ERROR_AT(l, "admin.token_file", "the token has 16 to 512 characters");
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] <= ' ' || token.p[i] > '~') {
			ERROR_AT(l, "admin.token_file", "the token holds a blank or no ASCII");
			break;
		}
	}
	if (!*c->admin.listen)
		return;
	if (value_addr(bytes_str(c->admin.listen), &addr, &why) < 0) {
		ERROR_AT(l, "admin.listen", "%s", why.text);
		return;
	}
	/* O18: strangers must not read tenants' names, nor anybody the token on its way. */
	if (!addr_is_loopback(&addr) && (!c->admin.tls.pairs.n || !*c->admin.token_file.path)) {
		ERROR_AT(l, "admin.listen", "'%s' is off loopback: this needs %s",
		         written(l, "admin.listen", c->admin.listen),
		         c->admin.tls.pairs.n        ? "admin.token_file"
		         : *c->admin.token_file.path ? "admin.tls"
		                                     : "admin.tls and admin.token_file");
	}
	for (size_t i = 0; i < c->listeners.n; i++)
		if (same_address(c->admin.listen, c->listeners.v[i].listen))
			ERROR_AT(l, "admin.listen", "the listener '%s' has this address",
			         shown_name(l, i));
}

/* ---- tenants ---- */

/* A password that stands in the text itself: `password=x`, or `//user:x@host`; not `${...}`. */
static bool has_clear_password(const char *dsn)
{
	const char *p = strcasestr(dsn, "password"), *at, *colon;

	while (p) {
		p += strlen("password");
		p += strspn(p, " \t");
		if (*p == '=') {
			p++;
			p += strspn(p, " \t'");
			if (*p && strncmp(p, "${", 2) != 0)
				return true;
		}
		p = strcasestr(p, "password");
	}
	p = strstr(dsn, "://");
	at = p ? strchr(p, '@') : NULL;
	colon = p ? strchr(p + 3, ':') : NULL;
	return at && colon && colon < at && colon[1] != '@' && strncmp(colon + 1, "${", 2) != 0;
}

static void check_dsn(struct loader *l)
{
	const struct conf *c = l->conf;
	const struct origin *dsn = origin_find(l->origins, "tenants.dsn");
	struct bytes file = c->tenants.dsn_file.content;
	bool has_file = *c->tenants.dsn_file.path;

	if (*c->tenants.dsn && has_file)
		ERROR_AT(l, "tenants.dsn_file", "'tenants.dsn' is given too: one of the two");
	else if (c->tenants.source == TENANTS_POSTGRES && !*c->tenants.dsn && !has_file && !dsn)
		ERROR_AT(l, "tenants.source", "postgres needs 'tenants.dsn' or 'tenants.dsn_file'");
	if (*c->tenants.dsn && has_clear_password(dsn && dsn->raw ? dsn->raw : c->tenants.dsn)) {
		ERROR_AT(l, "tenants.dsn", "'tenants.dsn' holds a password in clear");
		report_help(l->r, "use tenants.dsn_file, a service file, or password=${cred:NAME}");
	}
	if (has_file && file.n > 4096)
		ERROR_AT(l, "tenants.dsn_file", "the connection string is too long");
	else if (has_file && !l->in->offline)
		l->conf->tenants.dsn = pool_text(l->pool, file);
}

static void check_tenants(struct loader *l)
{
	const struct conf *c = l->conf;

	check_dsn(l);
	if (c->tenants.source == TENANTS_FILE && !*c->tenants.file.path)
		ERROR_AT(l, "tenants.file", "'tenants.file' must be given");
	if (c->tenants.max_stale && c->tenants.max_stale < c->tenants.fresh_for)
		ERROR_AT(l, "tenants.max_stale",
		         "'tenants.max_stale' is below 'tenants.fresh_for'");
	if (c->tenants.fresh_for <= c->tenants.poll)
		WARN_AT(l,
		        origin_find(l->origins, "tenants.poll") ? "tenants.poll"
		                                                : "tenants.fresh_for",
		        "with 'tenants.fresh_for' not above 'tenants.poll', unknown credentials "
		        "get 503 between two polls while the bell is dead");
}

static void check_auth(struct loader *l)
{
	static const char *const taken[] = {
		"authorization",  "connection",        "content-encoding",
		"content-length", "content-type",      "expect",
		"host",           "transfer-encoding", "x-scope-orgid",
	};
	const struct conf_list *headers = &l->conf->auth.token_headers;
	const char *tenant = l->conf->auth.default_tenant;

	for (size_t i = 0; i < headers->n; i++) {
		const char *path = path_text(l, "auth.token_headers[%zu]", i);

		for (size_t k = 0; k < ARRAY_LEN(taken); k++)
			if (strcasecmp(headers->v[i], taken[k]) == 0)
				ERROR_AT(l, path, "'%s' carries no token",
				         written(l, path, headers->v[i]));
		for (size_t k = 0; k < i; k++)
			if (strcasecmp(headers->v[i], headers->v[k]) == 0)
				ERROR_AT(l, path, "'%s' is there twice",
				         written(l, path, headers->v[i]));
	}
	if (l->conf->compat.moose_trust_client_claims)
		WARN_AT(l, "compat.moose_trust_client_claims",
		        "clients may forge the claims in the records of data models");
	if (!l->conf->compat.gateway_bind_tenants)
		WARN_AT(l, "compat.gateway_bind_tenants",
		        "every JWT and every userinfo answer writes as any tenant of the table");
	if (*tenant && !tenant_id_ok(bytes_str(tenant)))
		ERROR_AT(l, "auth.default_tenant", "'%s' is no tenant id",
		         written(l, "auth.default_tenant", tenant));
}

/* The stamp takes the place of the client's own: here that would be the metric's name. */
void check_stamp_name(struct loader *l, const char *path, const char *name)
{
	if (strcmp(name, "__name__") == 0)
		ERROR_AT(l, path,
		         "'__name__' is the metric's name in remote_write: take another one");
}

/* The default of opaque bodies is above: most blobs are small, and nobody asked for so much. */
static void check_share(struct loader *l, const char *path, uint64_t bytes, uint64_t share)
{
	enum { OPAQUE_DEFAULT = 100 * MIB - 64 * KIB };

	if (bytes > share && bytes != OPAQUE_DEFAULT)
		WARN_AT(l, path,
		        "a record of '%s' does not fit a tenant's share of 'limits.worker_bytes'",
		        path);
}

static void check_limits(struct loader *l)
{
	const struct conf *c = l->conf;
	uint64_t share = c->limits.worker_bytes / 100 * c->limits.tenant_share;

	if (c->record.max_bytes > share)
		WARN_AT(l,
		        origin_find(l->origins, "record.max_bytes") ? "record.max_bytes"
		                                                    : "limits.worker_bytes",
		        "a record of 'record.max_bytes' does not fit a tenant's share of "
		        "'limits.worker_bytes'");
	check_share(l, "protocols.opaque.record_max_bytes", c->protocols.opaque.record_max_bytes,
	            share);
	for (size_t i = 0; i < c->routes.n; i++)
		check_share(l, path_text(l, "routes[%zu].record_max_bytes", i),
		            c->routes.v[i].record_max_bytes, share);
}

void check_all(struct loader *l)
{
	struct conf *c = l->conf;

	read_table(l, &options, c, "");
	check_listeners(l);
	check_admin(l);
	if (*c->control.socket != '/')
		ERROR_AT(l, "control.socket", "'control.socket' is an absolute path");
	check_tenants(l);
	check_auth(l);
	check_jwt(l);
	check_userinfo(l);
	check_imported(l);
	check_kafka(l);
	check_limits(l);
	check_stamp_name(l, "record.stamp_name", c->record.stamp_name);
	check_topic_prefix(l, "record.topic_prefix", c->record.topic_prefix);
	use_topics_of_sections(l);
	check_routes(l);
	check_models(l);
	check_topics(l);
}
