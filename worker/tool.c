/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tool.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include "common/channel.h"
#include "common/log.h"
#include "proto/encoding.h"
#include "worker/dialects.h"
#include "worker/models.h"
#include "worker/route.h"

enum { EXIT_USAGE = 2, LINE_BYTES = 8 * KIB, NUMBER_MAX = 1000000 };

int tool_error(int code, const char *text)
{
	char line[LINE_BYTES];
	struct buf b;

	buf_init_fixed(&b, line, sizeof(line));
	buf_str(&b, "{\"error\":\"");
	buf_json(&b, bytes_str(text), 1000);
	buf_str(&b, "\"}\n");
	assert(!b.failed);
	return fwrite(b.p, 1, b.n, stdout) == b.n ? code : EX_IOERR;
}

/* ---- routes ---- */

static void add_text(struct buf *b, const char *text)
{
	buf_char(b, '"');
	buf_json(b, bytes_str(text), strlen(text));
	buf_char(b, '"');
}

static void add_topics(struct buf *b, const struct route *route)
{
	for (unsigned i = 0; i < FORMATS_MAX && route->topics[i]; i++) {
		const struct format *format = &route->protocol->formats[i];

		buf_printf(b, "%s{\"format\":", i ? "," : "");
		add_text(b, format->record_format);
		buf_str(b, ",\"topic\":");
		add_text(b, route_topic_text(route, format));
		buf_char(b, '}');
	}
}

/* Media types of requests, and how they may be coded. */
static void add_request(struct buf *b, const struct protocol *p)
{
	bool is_untyped = false;
	const char *comma = "";

	buf_str(b, ",\"types\":[");
	for (const struct format *f = p->formats; f->type; f++) {
		buf_printf(b, "%s\"%s", comma, f->type);
		if (f->proto)
			buf_printf(b, ";proto=%s", f->proto);
		buf_char(b, '"');
		comma = ",";
		is_untyped |= f->untyped;
	}
	buf_printf(b, "],\"untyped\":%s,\"codings\":[", is_untyped ? "true" : "false");
	comma = "";
	for (unsigned e = 0; e < ENCODING_COUNT; e++)
		if (p->encodings >> e & 1) {
			buf_printf(b, "%s\"%s\"", comma, encoding_name((enum encoding)e));
			comma = ",";
		}
	buf_char(b, ']');
}

static void add_limits(struct buf *b, const struct route *route)
{
	buf_printf(b, ",\"max_body\":%llu,\"max_inflated\":%llu,\"max_record\":%llu",
	           (unsigned long long)route->wire_limit, (unsigned long long)route->inflated_limit,
	           (unsigned long long)route->record_max);
}

/* A protocol that finds its signal in the body has none before. */
static const char *signal_of(const struct protocol *p)
{
	return p && !p->any_signal ? signal_name(p->signal) : "";
}

/* all, admin, ingest; or the names of some, with a comma between. */
static void add_listeners(struct buf *b, const struct conf *conf, const struct route *route)
{
	uint32_t admin = 0, all = (UINT32_C(1) << conf->listeners.n) - 1;
	const char *comma = "";

	for (size_t i = 0; i < conf->listeners.n; i++)
		admin |= (uint32_t)conf->listeners.v[i].admin << i;
	buf_char(b, '"');
	if (route->listeners == all && admin)
		buf_str(b, "all");
	else if (route->listeners == admin)
		buf_str(b, "admin");
	else if (route->listeners == (all & ~admin))
		buf_str(b, "ingest");
	else
		for (size_t i = 0; i < conf->listeners.n; i++)
			if (route->listeners >> i & 1) {
				buf_printf(b, "%s%s", comma, conf->listeners.v[i].name);
				comma = ",";
			}
	buf_char(b, '"');
}

static bool say_route(const struct conf *conf, const struct routes *rs, const struct route *route)
{
	enum verdict success = route->protocol ? V_ACCEPTED : V_ADMIN;
	char line[LINE_BYTES];
	struct buf b;

	buf_init_fixed(&b, line, sizeof(line));
	buf_str(&b, "{\"route\":");
	add_text(&b, route->name);
	buf_printf(&b, ",\"methods\":\"%s\",\"paths\":[", route_allow(route));
	for (const char *const *p = route->paths; *p; p++) {
		buf_str(&b, p == route->paths ? "" : ",");
		add_text(&b, *p);
	}
	buf_str(&b, "],\"dialect\":");
	add_text(&b, dialect_get(route->dialect)->name);
	buf_printf(&b, ",\"code\":%d,\"signal\":", routes_code(rs, route->index, success));
	add_text(&b, signal_of(route->protocol));
	buf_str(&b, ",\"listeners\":");
	add_listeners(&b, conf, route);
	buf_str(&b, ",\"records\":[");
	if (route->protocol)
		add_topics(&b, route);
	buf_char(&b, ']');
	if (route->protocol) {
		add_request(&b, route->protocol);
		add_limits(&b, route);
	}
	buf_str(&b, "}\n");
	assert(!b.failed); /* of the program's own texts, and topics of 249 bytes */
	return fwrite(b.p, 1, b.n, stdout) == b.n;
}

static int say_routes(const struct worker *w)
{
	const struct route *route;

	for (unsigned i = 0; (route = routes_get(w->routes, i)); i++)
		if (!say_route(w->conf, w->routes, route))
			return EX_IOERR;
	return 0;
}

/* ---- the command line ---- */

static bool take_number(const char *text, int *out)
{
	uint64_t n;

	if (strcmp(text, "-1") == 0) {
		*out = -1;
		return true;
	}
	if (!bytes_to_u64(bytes_str(text), NUMBER_MAX, &n) || n == 0)
		return false;
	*out = (int)n;
	return true;
}

static bool take_wish(int argc, char **argv, struct topics_wish *wish)
{
	*wish = (struct topics_wish){ .partitions = -1, .replication = -1 };
	if (argc == 3)
		return strcmp(argv[2], "list") == 0;
	wish->create = argc == 5 && strcmp(argv[2], "create") == 0;
	return wish->create && take_number(argv[3], &wish->partitions) &&
	       take_number(argv[4], &wish->replication);
}

static int open_conf(struct worker *w, struct err *err)
{
	struct bytes packed;

	if (sealed_map(CHANNEL_FD, &packed, err) < 0)
		return -1;
	w->conf = conf_unpack(packed, err); /* the mapping stays: strings may point into it */
	if (!w->conf)
		return -1;
	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	w->models = models_open(w->conf, err);
	w->routes = w->models ? routes_open(w, err) : NULL;
	return w->routes ? 0 : -1;
}

bool tool_is(int argc, char **argv)
{
	return argc >= 2 && (strcmp(argv[1], "--routes") == 0 || strcmp(argv[1], "--topics") == 0);
}

int tool_run(struct worker *w, int argc, char **argv)
{
	bool topics = strcmp(argv[1], "--topics") == 0;
	struct topics_wish wish;
	struct err err = { "" };
	int code;

	if (topics ? !take_wish(argc, argv, &wish) : argc != 2) {
		fprintf(stderr, "headgate-worker: %s is headgatectl's\n", argv[1]);
		return EXIT_USAGE;
	}
	if (open_conf(w, &err) < 0)
		return tool_error(EX_SOFTWARE, err.text);
	code = topics ? topics_tool(w, &wish) : say_routes(w);
	routes_close(w->routes);
	models_close(w->models);
	conf_free((struct conf *)w->conf);
	return fflush(stdout) == 0 ? code : EX_IOERR;
}
