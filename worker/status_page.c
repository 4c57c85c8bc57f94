/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_page.c -- /status of the admin listener: the document of /status.json as one HTML page,
 * for a person without a dashboard, in a text browser too. No script, nothing from elsewhere; each
 * section is a turn of the loop. Knows no fact of its own: what is not in the document is not here.
 */
#include <jansson.h>

#include "common/loop.h"
#include "worker/admin.h"
#include "worker/html.h"
#include "worker/status.h"
#include "worker/when.h"

enum { CERT_FULL_DAYS = 90 }; /* a bar is full from here */

static const char policy[] = "default-src 'none'; style-src 'unsafe-inline'";

static const char page_head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"refresh\" content=\"10\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<title>headgate</title>\n<style>\n"
	"body { font: 15px/1.4 sans-serif; margin: 1.5em; max-width: 75em; color: #222; "
	"background: #fff }\n"
	"h1, h2 { font-weight: normal } h2 { margin: 1.2em 0 .3em; font-size: 1.2em }\n"
	"table { border-collapse: collapse } th, td { padding: .15em .8em .15em 0; "
	"text-align: left; vertical-align: top }\n"
	"th { color: #555; font-weight: normal; border-bottom: 1px solid #bbb } "
	"td.n { text-align: right; white-space: nowrap }\n"
	"td { overflow-wrap: anywhere } .ok { color: #176f2c } .warn { color: #8a5a00 } "
	".fail { color: #b3131d }\n"
	"rect.all { fill: #ddd } rect.part { fill: #36c }\n"
	"</style>\n</head>\n<body>\n";

/* ---- out of the document ---- */

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static uint64_t number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

static bool is_there(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	return value && !json_is_null(value);
}

static bool flag(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static uint64_t most(const json_t *list, const char *key)
{
	uint64_t n = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		uint64_t one = number(json_array_get(list, i), key);

		n = one > n ? one : n;
	}
	return n;
}

static void nothing(struct buf *b, const char *what)
{
	buf_printf(b, "<p>%s</p>\n", what);
}

/* ---- sections ---- */

static void write_top(const json_t *doc, struct buf *b)
{
	const json_t *reload = json_object_get(doc, "last_reload");
	char now[WHEN_RFC3339_BYTES];

	when_rfc3339(loop_wall_ns() / 1000000000, now);
	buf_str(b, page_head);
	buf_printf(b, "<h1>headgate: <span class=\"%s\">%s</span></h1>\n",
	           flag(doc, "ready") ? "ok" : "fail", flag(doc, "ready") ? "ready" : "not ready");
	buf_str(b, "<table>\n");
	html_row(b, "version");
	html_text(b, text(doc, "version"));
	buf_str(b, " (");
	html_text(b, text(doc, "revision"));
	buf_char(b, ')');
	html_row_end(b);
	html_row(b, "uptime");
	if (is_there(doc, "uptime_s")) {
		html_span(b, (int64_t)number(doc, "uptime_s"));
		buf_str(b, ", since ");
		html_text(b, text(doc, "started_at"));
	}
	html_row_end(b);
	html_row_number(b, "generation", number(doc, "generation"));
	html_row(b, "last reload");
	if (is_there(doc, "last_reload")) {
		html_text(b, text(reload, "result"));
		buf_str(b, ", ");
		html_text(b, text(reload, "at"));
		buf_str(b, *text(reload, "why") ? ": " : "");
		html_text(b, text(reload, "why"));
		buf_str(b, flag(reload, "running") ? "; another one is running" : "");
	}
	html_row_end(b);
	html_row(b, "this page");
	buf_printf(b, "%s, by worker %llu; again each 10 s", now,
	           (unsigned long long)number(doc, "worker"));
	html_row_end(b);
	html_table_end(b);
}

static void write_checks(const json_t *doc, struct buf *b)
{
	const json_t *list = json_object_get(doc, "checks");

	html_table(b, (const char *const[]){ "", "check", "finds", NULL });
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *check = json_array_get(list, i);

		buf_str(b, "<tr><td class=\"");
		html_text(b, text(check, "level"));
		buf_str(b, "\">");
		html_text(b, text(check, "level"));
		buf_str(b, "</td>");
		html_cell_text(b, text(check, "name"));
		html_cell_text(b, text(check, "detail"));
		buf_str(b, "</tr>\n");
	}
	html_table_end(b);
}

static void write_workers(const json_t *doc, struct buf *b)
{
	const json_t *states = json_object_get(doc, "worker_states");
	const json_t *list = json_object_get(doc, "workers");
	uint64_t largest = most(list, "resident_bytes");

	buf_printf(b, "<p>%llu starting, %llu ready, %llu draining; %llu ended unasked</p>\n",
	           (unsigned long long)number(states, "starting"),
	           (unsigned long long)number(states, "ready"),
	           (unsigned long long)number(states, "draining"),
	           (unsigned long long)number(doc, "worker_restarts"));
	html_table(b, (const char *const[]){ "slot", "pid", "generation", "tenant table",
	                                     "last seen", "memory", NULL });
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		buf_str(b, "<tr>");
		html_cell_number(b, number(one, "slot"));
		html_cell_number(b, number(one, "pid"));
		html_cell_number(b, number(one, "generation"));
		html_cell_number(b, number(one, "table"));
		buf_printf(b, "<td class=\"n\">%llu ms ago</td><td class=\"n\">",
		           (unsigned long long)number(one, "heartbeat_age_ms"));
		html_bytes(b, number(one, "resident_bytes"));
		html_bar(b, number(one, "resident_bytes"), largest);
		buf_str(b, "</td></tr>\n");
	}
	html_table_end(b);
}

static void write_table(const json_t *doc, struct buf *b)
{
	const json_t *source = json_object_get(doc, "tenants");
	const json_t *table = json_object_get(doc, "table");

	buf_str(b, "<table>\n");
	html_row(b, "source");
	html_text(b, text(source, "source"));
	buf_str(b, *text(source, "state") ? ", " : "");
	html_text(b, text(source, "state"));
	buf_str(b, *text(source, "last_error") ? ": " : "");
	html_text(b, text(source, "last_error"));
	html_row_end(b);
	if (!is_there(doc, "table")) {
		html_row_text(b, "table", "none was loaded yet");
		html_table_end(b);
		return;
	}
	html_row_number(b, "table", number(table, "generation"));
	html_row(b, "age");
	html_span(b, (int64_t)number(table, "age_s"));
	buf_str(b, flag(table, "fresh") ? ", fresh" : ", not fresh: unknown credentials get 503");
	html_row_end(b);
	html_row(b, "entries");
	buf_printf(b, "%llu tenants, %llu tokens; longest search %llu",
	           (unsigned long long)number(table, "tenants"),
	           (unsigned long long)number(table, "tokens"),
	           (unsigned long long)number(table, "longest_probe"));
	html_row_end(b);
	html_row(b, "rows left out");
	buf_printf(b, "%llu invalid, %llu over the limits",
	           (unsigned long long)number(table, "rows_skipped"),
	           (unsigned long long)number(table, "rows_over_limit"));
	html_row_end(b);
	html_table_end(b);
}

static void write_tenants(const json_t *doc, struct buf *b)
{
	static const char *const counts[] = { "requests", "accepted", "delivered",
		                              "failed",   "refused",  "in_flight" };
	const json_t *list = json_object_get(doc, "top_tenants");
	uint64_t largest = most(list, "bytes");

	if (json_array_size(list) == 0) {
		nothing(b, "No tenant has sent anything since the start.");
		return;
	}
	html_table(b, (const char *const[]){ "tenant", "requests", "items accepted", "delivered",
	                                     "failed", "refused", "in flight", "bytes", NULL });
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		buf_str(b, "<tr>");
		html_cell_text(b, text(one, "tenant"));
		for (size_t k = 0; k < ARRAY_LEN(counts); k++)
			html_cell_number(b, number(one, counts[k]));
		buf_str(b, "<td class=\"n\">");
		html_bytes(b, number(one, "bytes"));
		html_bar(b, number(one, "bytes"), largest);
		buf_str(b, "</td></tr>\n");
	}
	html_table_end(b);
}

static void write_brokers(const json_t *sink, struct buf *b)
{
	const json_t *list = json_object_get(sink, "brokers");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		bool up = flag(one, "up");

		html_row(b, "broker");
		html_text(b, text(one, "broker"));
		buf_printf(b, ": <span class=\"%s\">%s</span>", up ? "ok" : "warn",
		           up ? "up" : "not connected");
		html_row_end(b);
	}
}

static void write_sink(const json_t *sink, struct buf *b)
{
	buf_str(b, "<table>\n");
	html_row_text(b, "sink", text(sink, "name"));
	html_row_number(b, "records on their way", number(sink, "queue_messages"));
	html_row_share(b, "memory of requests", number(sink, "queue_bytes"),
	               number(sink, "queue_capacity_bytes"));
	write_brokers(sink, b);
	if (is_there(sink, "topics_missing"))
		html_row_number(b, "topics missing", number(sink, "topics_missing"));
	if (is_there(sink, "delivery_errors"))
		html_row_number(b, "deliveries that failed", number(sink, "delivery_errors"));
	if (is_there(sink, "store_bytes")) {
		html_row_share(b, "store", number(sink, "store_bytes"),
		               number(sink, "store_capacity_bytes"));
		html_row(b, "oldest file");
		html_span(b, (int64_t)number(sink, "store_oldest_s"));
		html_row_end(b);
		html_row_number(b, "files in quarantine", number(sink, "store_quarantined"));
	}
	html_table_end(b);
}

static void write_sinks(const json_t *doc, struct buf *b)
{
	const json_t *list = json_object_get(doc, "sinks");

	for (size_t i = 0; i < json_array_size(list); i++)
		write_sink(json_array_get(list, i), b);
}

static void write_left_out(const json_t *doc, struct buf *b)
{
	if (is_there(doc, "left_out"))
		buf_printf(b, "<p>%llu more issuers or certificates have no room here.</p>\n",
		           (unsigned long long)number(doc, "left_out"));
}

static void write_jwks(const json_t *doc, struct buf *b)
{
	const json_t *list = json_object_get(doc, "jwks");

	if (json_array_size(list) == 0) {
		nothing(b, "No issuer's keys are fetched.");
		return;
	}
	html_table(b, (const char *const[]){ "issuer", "keys", "last fetched", "state", NULL });
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		char when[WHEN_RFC3339_BYTES] = "never";

		if (is_there(one, "last_success_s"))
			when_rfc3339((int64_t)number(one, "last_success_s"), when);
		buf_str(b, "<tr>");
		html_cell_text(b, text(one, "issuer"));
		html_cell_number(b, number(one, "keys"));
		html_cell_text(b, when);
		html_cell_text(b, flag(one, "ok") ? "ok" : text(one, "why"));
		buf_str(b, "</tr>\n");
	}
	html_table_end(b);
}

static void write_certificates(const json_t *doc, struct buf *b)
{
	const json_t *list = json_object_get(doc, "certificates");

	write_left_out(doc, b);
	if (json_array_size(list) == 0) {
		nothing(b, "No listener has a certificate.");
		return;
	}
	html_table(b, (const char *const[]){ "listener", "file", "ends", "days left", NULL });
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		buf_str(b, "<tr>");
		html_cell_text(b, text(one, "listener"));
		html_cell_text(b, text(one, "file"));
		html_cell_text(b, text(one, "not_after"));
		buf_printf(b, "<td class=\"n\">%lld",
		           (long long)json_integer_value(json_object_get(one, "days_left")));
		html_bar(b, number(one, "days_left"), CERT_FULL_DAYS);
		buf_str(b, "</td></tr>\n");
	}
	html_table_end(b);
}

static void write_errors(const json_t *doc, struct buf *b)
{
	const json_t *list = json_object_get(doc, "errors");

	if (json_array_size(list) == 0) {
		nothing(b, "None since the start.");
		return;
	}
	html_table(b, (const char *const[]){ "when", "process", "module", "what", NULL });
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		buf_str(b, "<tr>");
		html_cell_text(b, text(one, "at"));
		if (is_there(one, "worker"))
			buf_printf(b, "<td>worker %llu</td>",
			           (unsigned long long)number(one, "worker"));
		else
			buf_str(b, "<td>master</td>");
		html_cell_text(b, text(one, "module"));
		html_cell_text(b, text(one, "text"));
		buf_str(b, "</tr>\n");
	}
	html_table_end(b);
}

static const struct section {
	const char *title; /* NULL: none */
	void (*write)(const json_t *doc, struct buf *b);
} sections[] = {
	{ NULL, write_top },
	{ "Checks", write_checks },
	{ "Workers", write_workers },
	{ "Tenant table", write_table },
	{ "Tenants that sent most", write_tenants },
	{ "Sink", write_sinks },
	{ "Keys of issuers", write_jwks },
	{ "Certificates", write_certificates },
	{ "Last errors", write_errors },
};

/* ---- turn by turn ---- */

struct writing {
	struct status *status;
	bool gathered;
	unsigned next; /* section */
};

static bool page_more(struct req *r)
{
	struct writing *w = r->more_arg;
	const struct section *s;

	if (!w->gathered) {
		w->gathered = !status_gather(w->status);
		return true;
	}
	s = &sections[w->next++];
	if (s->title)
		buf_printf(&r->reply, "<h2>%s</h2>\n", s->title);
	s->write(status_document(w->status), &r->reply);
	if (w->next < ARRAY_LEN(sections))
		return true;
	buf_str(&r->reply, "</body>\n</html>\n");
	return false;
}

enum step status_page_run(struct req *r)
{
	struct writing *w = pool_zalloc(r->pool, sizeof(*w));

	w->status = status_new(r);
	r->page_type = "text/html; charset=utf-8";
	r->page_policy = policy;
	r->more = page_more;
	r->more_arg = w;
	return req_say(r, V_ADMIN);
}
