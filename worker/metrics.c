/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c -- /metrics of the admin listener: everybody's stats pages, summed, one family a turn
 * of the loop, so that a scrape never holds up data. Only reads; which series there are is common/
 * stats.def's business, their texts that of stats_render().
 */
#include "common/buf.h"
#include "common/limits.h"
#include "worker/admin.h"
#include "worker/route.h"
#include "worker/sink.h"
#include "worker/worker.h"

enum { READS_MAX = 100 }; /* of one family while the master folds a dead worker's page */

struct scrape {
	unsigned next; /* family; 0 is build_info */
	enum exposition form;
	struct stats_names names;
	struct stats *pages[PAGES_MAX];
};

/* Those with a key in a file fetch none. */
static const char *issuer_name(const struct conf *conf, unsigned i)
{
	bool fetched = i < conf->auth.jwt.n && !jwt_has_key(&conf->auth.jwt.v[i]);

	return fetched ? conf->auth.jwt.v[i].name : NULL;
}

static const char *name_of(void *arg, enum stat_dim dim, unsigned i)
{
	const struct worker *w = arg;

	switch ((int)dim) { /* the others are enumerations: stats_render() knows their texts */
	case DIM_ROUTE:
		return routes_name(w->routes, i);
	case DIM_LISTENER:
	case DIM_CERTIFICATE: /* it has no name of its own */
		return worker_listener_name(w, i);
	case DIM_BROKER:
		return i < w->conf->kafka.brokers.n ? w->conf->kafka.brokers.v[i] : NULL;
	case DIM_ISSUER:
		return issuer_name(w->conf, i);
	case DIM_KAFKA_ERROR:
		return sink_kafka_error_name(i);
	}
	return NULL;
}

static const char *tenant_of(void *arg, unsigned metric_slot)
{
	const struct worker *w = arg;

	return limits_metric_name(w->limits, metric_slot);
}

static int code_of(void *arg, unsigned route, enum verdict v)
{
	const struct worker *w = arg;

	return routes_code(w->routes, route, v);
}

static void write_build_info(struct buf *out)
{
	buf_str(out, "# HELP headgate_build_info The program that answers.\n"
	             "# TYPE headgate_build_info gauge\n"
	             "headgate_build_info{version=\"" HEADGATE_VERSION
	             "\",revision=\"" HEADGATE_REVISION "\"} 1\n");
}

/* Again while a page is being folded into the base: else a dead worker would be counted twice, or
 * not at all. The fold takes microseconds; a master that died in it must not stop the scrape. */
static void write_family(const struct worker *w, struct scrape *s, unsigned family, struct buf *out)
{
	unsigned slots = (unsigned)w->conf->metrics.max_tenants + 2, count = 0;
	const struct stats *base = w->page_count > 1 ? w->pages[1] : NULL;
	size_t from = out->n;

	for (unsigned i = 0; i < w->page_count; i++)
		if (w->pages[i])
			s->pages[count++] = w->pages[i];
	for (unsigned i = 0; i < READS_MAX; i++) {
		uint32_t seq = base ? stats_read_begin(base) : 0;

		out->n = from;
		stats_render(out, family, s->form, s->pages, count, slots, &s->names);
		if (!base || !stats_read_retry(base, seq))
			return;
	}
}

static bool metrics_more(struct req *r)
{
	struct scrape *s = r->more_arg;
	bool last;

	if (s->next == 0)
		write_build_info(&r->reply);
	else
		write_family(r->w, s, s->next - 1, &r->reply);
	last = s->next++ == stats_families();
	if (last && s->form == EXPOSITION_OPENMETRICS)
		buf_str(&r->reply, "# EOF\n");
	return !last;
}

/* Prometheus names several types with weights; that it names this one is enough. */
static bool wants_openmetrics(const struct req *r)
{
	static const char type[] = "application/openmetrics-text";
	const struct http_field *accept = http_field_find(&r->head, "Accept", 0);

	return accept && accept->value.n &&
	       memmem(accept->value.p, accept->value.n, type, sizeof(type) - 1) != NULL;
}

enum step metrics_run(struct req *r)
{
	struct scrape *s = pool_zalloc(r->pool, sizeof(*s));

	s->form = wants_openmetrics(r) ? EXPOSITION_OPENMETRICS : EXPOSITION_PROMETHEUS;
	s->names = (struct stats_names){ name_of, tenant_of, code_of, r->w };
	r->page_type = s->form == EXPOSITION_OPENMETRICS
	                       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
	                       : "text/plain; version=0.0.4; charset=utf-8";
	r->more = metrics_more;
	r->more_arg = s;
	return req_say(r, V_ADMIN);
}
