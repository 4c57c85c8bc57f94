/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats_render.c -- the pages of all processes, summed, as exposition text (operations.md 6), one
 * family a call so that the admin route never holds the loop for long. Only reads; a family shows
 * the series that were used, those without labels and the gauges always.
 */
#include "common/stats.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/stats_page.h"

static const char *const dim_label[DIM_COUNT] = {
#define DIM(name, label, size) [DIM_##name] = (label),
#include "common/stats.def"
#undef DIM
};

enum { TEXTS_MAX = 16 };
/* The texts of dimensions that are enumerations; all others are known at run time only. */
static const char *const dim_text[DIM_COUNT][TEXTS_MAX] = {
	/* enum encoding */
	[DIM_ENCODING] = { "identity", "gzip", "deflate", "zlib", "zstd", "snappy" },
	[DIM_CONN_STATE] = { [CONN_HANDSHAKE] = "handshake",
	                     [CONN_ACTIVE] = "active",
	                     [CONN_IDLE] = "idle" },
	[DIM_CONN_REASON] = { [CONN_LIMIT] = "limit",
	                      [CONN_SOURCE_LIMIT] = "source_limit",
	                      [CONN_HANDSHAKE_LIMIT] = "handshake_limit",
	                      [CONN_HANDSHAKE_TIMEOUT] = "handshake_timeout",
	                      [CONN_IDLE_TIMEOUT] = "idle_timeout",
	                      [CONN_WRITE_TIMEOUT] = "write_timeout" },
	[DIM_TLS_RESULT] = { [TLS_OK] = "ok",
	                     [TLS_RESUMED] = "resumed",
	                     [TLS_FAILED] = "failed",
	                     [TLS_TIMEOUT] = "timeout",
	                     [TLS_CUT] = "cut" },
	[DIM_TLS_VERSION] = { "1.2", "1.3", "none" },
	[DIM_AUTH_METHOD] = { [METHOD_TOKEN] = "token",
	                      [METHOD_BASIC] = "basic",
	                      [METHOD_OBSTACK] = "obstack",
	                      [METHOD_HEADER] = "header",
	                      [METHOD_PBKDF2] = "pbkdf2",
	                      [METHOD_JWT] = "jwt",
	                      [METHOD_USERINFO] = "userinfo",
	                      [METHOD_NONE] = "none" },
	[DIM_CACHE_RESULT] = { [CACHE_HIT] = "hit", [CACHE_MISS] = "miss" },
	[DIM_AUTH_RESULT] = { [AUTH_OK] = "ok",
	                      [AUTH_MISSING] = "missing",
	                      [AUTH_MALFORMED] = "malformed",
	                      [AUTH_UNKNOWN] = "unknown",
	                      [AUTH_REVOKED] = "revoked",
	                      [AUTH_EXPIRED] = "expired",
	                      [AUTH_SUSPENDED] = "suspended",
	                      [AUTH_ADDRESS] = "address",
	                      [AUTH_SCOPE] = "scope",
	                      [AUTH_MISMATCH] = "mismatch",
	                      [AUTH_UNAVAILABLE] = "unavailable" },
	[DIM_LOG_LEVEL] = { "err", "warn", "info", "debug" }, /* enum log_level */
	[DIM_STORE] = { [STORE_LOCAL] = "local", [STORE_SPOOL] = "spool" },
	[DIM_REPLAYED] = { [REPLAYED_DELIVERED] = "delivered",
	                   [REPLAYED_REFUSED] = "refused" },
	[DIM_LETTER] = { [LETTER_SENT] = "sent", [LETTER_DROPPED] = "dropped" },
	[DIM_STREAM] = { [STREAM_ACCESS] = "access", [STREAM_AUDIT] = "audit" },
	[DIM_RESTART_REASON] = { [RESTART_EXIT] = "exit",
	                         [RESTART_SIGNAL] = "signal",
	                         [RESTART_STUCK] = "stuck",
	                         [RESTART_STARTUP] = "startup" },
	[DIM_RELOAD_RESULT] = { [RELOAD_OK] = "ok",
	                        [RELOAD_CONFIG] = "config",
	                        [RELOAD_NOT_READY] = "not_ready" },
	[DIM_SNAPSHOT_RESULT] = { [SNAPSHOT_OK] = "ok", [SNAPSHOT_FAILED] = "failed" },
	[DIM_SKIP_REASON] = { [SKIP_TENANT_ID] = "tenant_id",
	                      [SKIP_TOKEN_ID] = "token_id",
	                      [SKIP_HASH] = "hash",
	                      [SKIP_KIND] = "kind",
	                      [SKIP_SCOPE] = "scope",
	                      [SKIP_ITERATIONS] = "iterations",
	                      [SKIP_TENANT_UNKNOWN] = "tenant_unknown",
	                      [SKIP_HASH_TWICE] = "hash_twice",
	                      [SKIP_TENANT_TOPIC] = "tenant_topic",
	                      [SKIP_OTHER] = "other" },
	[DIM_ROW_KIND] = { [ROW_TENANT] = "tenant", [ROW_TOKEN] = "token" },
	[DIM_WORKER_STATE] = { [WORKER_STARTING] = "starting",
	                       [WORKER_READY] = "ready",
	                       [WORKER_DRAINING] = "draining" },
};

/* One call's view: the pages and the form. */
struct render {
	struct buf *out;
	enum exposition form;
	struct stats *const *pages;
	unsigned page_count;
	const struct stats_names *names;
};

/* A series' labels under construction: {a="b",c="d"}. */
struct labels {
	const char *key[4], *value[4];
	unsigned count;
	char code[16];
};

static const char *text_of(const struct render *r, enum stat_dim dim, unsigned i)
{
	if (dim == DIM_NONE)
		return "";
	if (dim == DIM_VERDICT)
		return i > V_NONE && i < VERDICT_COUNT ? verdict_get((enum verdict)i)->id : NULL;
	if (dim_text[dim][0])
		return i < TEXTS_MAX ? dim_text[dim][i] : NULL;
	return r->names->dim(r->names->arg, dim, i);
}

/* False: a place of the dimension that has no name here. */
static bool labels_dim(const struct render *r, struct labels *l, enum stat_dim dim, unsigned i)
{
	const char *text = text_of(r, dim, i);

	if (!text || dim == DIM_NONE)
		return text != NULL;
	l->key[l->count] = dim_label[dim];
	l->value[l->count++] = text;
	return true;
}

static void labels_add(struct labels *l, const char *key, const char *value)
{
	l->key[l->count] = key;
	l->value[l->count++] = value;
}

/* A label's value: backslash, quote and line feed escaped; what is not UTF-8 loses its odd bytes.
 */
static void write_value(struct buf *out, const char *value)
{
	bool utf8 = bytes_is_utf8(bytes_str(value));

	for (const char *p = value; *p; p++) {
		if (*p == '\\' || *p == '"') {
			buf_char(out, '\\');
			buf_char(out, *p);
		} else if (*p == '\n') {
			buf_str(out, "\\n");
		} else {
			buf_char(out, !utf8 && (*p & 0x80) ? '?' : *p);
		}
	}
}

static void write_name(const struct render *r, const char *name, const char *suffix,
                       const struct labels *l, const char *le)
{
	char sep = '{';

	buf_printf(r->out, "headgate_%s%s", name, suffix);
	for (unsigned i = 0; i < l->count; i++) {
		buf_printf(r->out, "%c%s=\"", sep, l->key[i]);
		write_value(r->out, l->value[i]);
		buf_char(r->out, '"');
		sep = ',';
	}
	if (le) {
		buf_printf(r->out, "%cle=\"%s\"", sep, le);
		sep = ',';
	}
	buf_str(r->out, sep == '{' ? " " : "} ");
}

static void write_head(const struct render *r, const char *name, enum stat_type type,
                       const char *help)
{
	static const char *const type_text[] = {
		[COUNTER] = "counter", [COUNTER_US] = "counter", [GAUGE] = "gauge",
		[GAUGE_MAX] = "gauge", [GAUGE_MIN] = "gauge",    [HISTOGRAM] = "histogram"
	};
	static const char total[] = "_total";
	size_t n = strlen(name);

	/* OpenMetrics names a counter's family without the suffix of its samples. */
	if ((type == COUNTER || type == COUNTER_US) && r->form == EXPOSITION_OPENMETRICS &&
	    n > strlen(total) && strcmp(name + n - strlen(total), total) == 0)
		n -= strlen(total);
	buf_printf(r->out, "# HELP headgate_%.*s %s\n# TYPE headgate_%.*s %s\n", (int)n, name, help,
	           (int)n, name, type_text[type]);
}

/* A series over all pages. False: no page has used it. */
static bool sum_series(const struct render *r, enum stat_id id, unsigned a, unsigned b,
                       uint64_t *out)
{
	enum stat_type type = stat_info[id].type;
	bool used = false;
	uint64_t sum = 0;

	for (unsigned i = 0; i < r->page_count; i++) {
		uint64_t v = stats_get(r->pages[i], id, a, b);

		if (!stats_is_set(r->pages[i], id, a, b))
			continue;
		if (type == GAUGE_MAX || type == GAUGE_MIN)
			sum = !used || (type == GAUGE_MAX ? v > sum : v < sum) ? v : sum;
		else
			sum += v;
		used = true;
	}
	*out = sum;
	return used;
}

static void write_us(struct buf *out, uint64_t us)
{
	buf_printf(out, "%llu.%06llu\n", (unsigned long long)(us / 1000000),
	           (unsigned long long)(us % 1000000));
}

static void write_sample(const struct render *r, const char *name, enum stat_type type,
                         const struct labels *l, uint64_t v)
{
	write_name(r, name, "", l, NULL);
	if (type == COUNTER_US) {
		write_us(r->out, v);
		return;
	}
	if (type == GAUGE) /* a sum of additions and subtractions of several processes */
		buf_i64(r->out, (int64_t)v);
	else
		buf_u64(r->out, v);
	buf_char(r->out, '\n');
}

static uint64_t sum_word(const struct render *r, enum stat_id id, unsigned a, unsigned word)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < r->page_count; i++)
		sum += stats_histogram_word(r->pages[i], id, a, word);
	return sum;
}

/* histogram_bounds, as both forms write them: a whole number keeps its ".0", so that the label is
 * the same whichever form was asked for. */
static const char *const bound_text[HISTOGRAM_BOUNDS + 1] = {
	"0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
	"0.25",   "0.5",   "1.0",    "2.5",   "5.0",  "10.0",  "30.0", "+Inf",
};

static void write_histogram(const struct render *r, enum stat_id id, unsigned a,
                            const struct labels *l)
{
	const char *name = stat_info[id].name;
	uint64_t below = 0, us = sum_word(r, id, a, HISTOGRAM_SUM_US);

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++) {
		below += sum_word(r, id, a, i);
		write_name(r, name, "_bucket", l, bound_text[i]);
		buf_u64(r->out, below);
		buf_char(r->out, '\n');
	}
	write_name(r, name, "_sum", l, NULL);
	write_us(r->out, us);
	write_name(r, name, "_count", l, NULL);
	buf_u64(r->out, below); /* not the count word: it must agree with +Inf while others write */
	buf_char(r->out, '\n');
}

static void render_series(const struct render *r, enum stat_id id, unsigned a, unsigned b)
{
	const struct stat_info *info = &stat_info[id];
	struct labels l = { .count = 0 };
	bool used, plain = info->a == DIM_NONE && info->b == DIM_NONE;
	uint64_t v;

	if (!labels_dim(r, &l, info->a, a) || !labels_dim(r, &l, info->b, b))
		return;
	used = sum_series(r, id, a, b, &v);
	if (!used && !plain && info->type != GAUGE)
		return;
	if (info->a == DIM_ROUTE && info->b == DIM_VERDICT) {
		snprintf(l.code, sizeof(l.code), "%d",
		         r->names->code(r->names->arg, a, (enum verdict)b));
		labels_add(&l, "code", l.code);
	}
	if (info->type == HISTOGRAM)
		write_histogram(r, id, a, &l);
	else
		write_sample(r, info->name, info->type, &l, v);
}

static void render_stat(const struct render *r, enum stat_id id)
{
	const struct stat_info *info = &stat_info[id];

	write_head(r, info->name, info->type, info->help);
	for (unsigned a = 0; a < stat_dim_size[info->a]; a++)
		for (unsigned b = 0; b < stat_dim_size[info->b]; b++)
			render_series(r, id, a, b);
}

static uint64_t sum_tenant(const struct render *r, unsigned slot, enum signal sig,
                           enum tenant_stat id)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < r->page_count; i++)
		sum += stats_tenant_get(r->pages[i], slot, sig, id);
	return sum;
}

static bool tenant_used(const struct render *r, unsigned slot, enum signal sig)
{
	for (enum tenant_stat id = 0; id < TS_COUNT; id++)
		if (sum_tenant(r, slot, sig, id) != 0)
			return true;
	return false;
}

static void render_tenant_series(const struct render *r, enum tenant_stat id, unsigned slot,
                                 enum signal sig, const char *tenant)
{
	const struct tenant_stat_info *info = &tenant_stat_info[id];
	uint64_t v = sum_tenant(r, slot, sig, id);
	struct labels l = { .count = 0 };

	/* A tenant's families begin together, at 0: what is absent cannot be added up or rated.
	 * Only its reasons come one by one. */
	if (v == 0 && (info->reason || !tenant_used(r, slot, sig)))
		return;
	labels_add(&l, "tenant", tenant);
	labels_add(&l, "signal", signal_name(sig));
	if (info->reason)
		labels_add(&l, "reason", info->reason);
	write_sample(r, info->name, info->type, &l, v);
}

/* A tenant's rate is one for all its signals. */
static void render_tenant_kind(const struct render *r, enum tenant_stat id, unsigned slot,
                               const char *tenant)
{
	const struct tenant_stat_info *info = &tenant_stat_info[id];
	struct labels l = { .count = 0 };
	uint64_t v = 0;

	for (enum signal sig = 0; sig < SIGNAL_COUNT; sig++)
		v += sum_tenant(r, slot, sig, id);
	if (v == 0)
		return;
	labels_add(&l, "tenant", tenant);
	labels_add(&l, "kind", info->reason);
	write_sample(r, info->name, info->type, &l, v);
}

/* The first TENANT_STAT of the n-th distinct name. */
static enum tenant_stat tenant_family(unsigned n)
{
	enum tenant_stat id = 0;

	for (; n > 0; n--) {
		const char *name = tenant_stat_info[id].name;

		while (id < TS_COUNT && strcmp(tenant_stat_info[id].name, name) == 0)
			id++;
	}
	return id;
}

static bool is_of(enum tenant_stat id, const struct tenant_stat_info *family)
{
	return id < TS_COUNT && strcmp(tenant_stat_info[id].name, family->name) == 0;
}

static void render_tenant(const struct render *r, enum tenant_stat first, unsigned slot,
                          const char *tenant)
{
	const struct tenant_stat_info *info = &tenant_stat_info[first];

	if (!info->by_signal) {
		for (enum tenant_stat id = first; is_of(id, info); id++)
			render_tenant_kind(r, id, slot, tenant);
		return;
	}
	for (enum signal sig = 0; sig < SIGNAL_COUNT; sig++)
		for (enum tenant_stat id = first; is_of(id, info); id++)
			render_tenant_series(r, id, slot, sig, tenant);
}

static void render_tenant_stat(const struct render *r, enum tenant_stat first,
                               unsigned tenant_slots)
{
	const struct tenant_stat_info *info = &tenant_stat_info[first];

	write_head(r, info->name, info->type, info->help);
	for (unsigned slot = 0; slot < tenant_slots; slot++) {
		const char *tenant = r->names->tenant(r->names->arg, slot);

		if (tenant)
			render_tenant(r, first, slot, tenant);
	}
}

unsigned stats_families(void)
{
	unsigned n = STAT_COUNT;

	for (enum tenant_stat id = 0; id < TS_COUNT; id++)
		if (id == 0 ||
		    strcmp(tenant_stat_info[id].name, tenant_stat_info[id - 1].name) != 0)
			n++;
	return n;
}

void stats_render(struct buf *out, unsigned family, enum exposition form,
                  struct stats *const *pages, unsigned page_count, unsigned tenant_slots,
                  const struct stats_names *names)
{
	const struct render r = { out, form, pages, page_count, names };

	assert(family < stats_families());
	if (family < STAT_COUNT)
		render_stat(&r, (enum stat_id)family);
	else
		render_tenant_stat(&r, tenant_family(family - STAT_COUNT), tenant_slots);
}
