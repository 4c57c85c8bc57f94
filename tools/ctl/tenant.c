/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenant.c -- headgatectl tenant: adds, shows and changes tenants, wherever they are kept
 * (registry.h). The rules for ids and limits are the schema's and the file reader's; here only what
 * would read as something else on a command line is refused.
 */
#include <string.h>
#include "common/token.h"
#include "conf/conf.h"
#include "conf/prefixes.h"
#include "conf/values.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/registry.h"
#include "tools/ctl/wait.h"

enum field_kind { FIELD_RATE, FIELD_SIZE, FIELD_COUNT, FIELD_TIME, FIELD_TEXT, FIELD_NAME };

/* clang-format off */
static const struct field {
	const char *option, *column;
	enum field_kind kind;
} fields[] = {
	{ "requests",              "requests_per_s",        FIELD_RATE  },
	{ "requests-burst",        "requests_burst",        FIELD_COUNT },
	{ "bytes",                 "bytes_per_s",           FIELD_RATE  },
	{ "bytes-burst",           "bytes_burst",           FIELD_SIZE  },
	{ "items",                 "items_per_s",           FIELD_RATE  },
	{ "items-burst",           "items_burst",           FIELD_COUNT },
	{ "max-body-bytes",        "max_body_bytes",        FIELD_SIZE  },
	{ "max-inflight-bytes",    "max_inflight_bytes",    FIELD_SIZE  },
	{ "max-inflight-requests", "max_inflight_requests", FIELD_COUNT },
	{ "block-until",           "block_until",           FIELD_TIME  },
	{ "topic-prefix",          "topic_prefix",          FIELD_TEXT  },
	{ "display-name",          "display_name",          FIELD_NAME  },
};
#define FIELD_OPTIONS                                                            \
	{ "requests",              "N/s",    "requests a second", 0 },               \
	{ "requests-burst",        "N",      "above that rate at once", 0 },         \
	{ "bytes",                 "SIZE/s", "decoded bytes a second (5MB/s)", 0 },  \
	{ "bytes-burst",           "SIZE",   "above that rate at once (20MB)", 0 },  \
	{ "items",                 "N/s",    "spans, points, records a second", 0 }, \
	{ "items-burst",           "N",      "above that rate at once", 0 },         \
	{ "max-body-bytes",        "SIZE",   "of one request body", 0 },             \
	{ "max-inflight-bytes",    "SIZE",   "not yet answered", 0 },                \
	{ "max-inflight-requests", "N",      "not yet answered", 0 },                \
	{ "block-until",           "TIME",   "403 until then (24h or RFC 3339)", 0 }, \
	{ "topic-prefix",          "TEXT",   "before the topics of its records", 0 }, \
	{ "display-name",          "TEXT",   "for people", 0 }

static const struct command_option add_options[] = { FIELD_OPTIONS, REGISTRY_OPTION, { 0 } };
static const struct command_option set_options[] = { FIELD_OPTIONS, REGISTRY_OPTION, { 0 } };
static const struct command_option read_options[] = { REGISTRY_OPTION, { 0 } };
static const struct command_option wait_options[] = { WAIT_OPTIONS, REGISTRY_OPTION, { 0 } };
/* clang-format on */

/* ---- fields from options ---- */

static json_t *number(const struct ctl *c, const struct field *f)
{
	int (*const parse[])(struct bytes, uint64_t *, struct err *) = {
		[FIELD_RATE] = value_rate, [FIELD_SIZE] = value_size, [FIELD_COUNT] = value_count
	};
	const char *text = ctl_value(c, f->option);
	struct err err = { "" };
	uint64_t v = 0;

	if (parse[f->kind](bytes_str(text), &v, &err) < 0 || v < 1 || v > INT64_MAX) {
		ctl_usage(c, "--%s '%s': %s", f->option, text,
		          err.text[0] ? err.text : "it must be above 0; none takes the limit away");
		return NULL;
	}
	return json_integer((json_int_t)v);
}

static json_t *time_value(const struct ctl *c, const struct field *f)
{
	char text[TIME_TEXT_BYTES];
	int64_t at = 0;

	if (ctl_time(c, f->option, &at) != 0)
		return NULL;
	ctl_time_text(at, text, sizeof(text));
	return json_string(text);
}

/* NULL: said what is wrong. */
static json_t *field_value(const struct ctl *c, const struct field *f)
{
	const char *text = ctl_value(c, f->option);

	if (strcmp(text, "none") == 0) /* a name is never NULL */
		return f->kind == FIELD_NAME ? json_string("") : json_null();
	switch (f->kind) {
	case FIELD_RATE:
	case FIELD_SIZE:
	case FIELD_COUNT:
		return number(c, f);
	case FIELD_TIME:
		return time_value(c, f);
	case FIELD_TEXT:
	case FIELD_NAME:
		if (!bytes_is_utf8(bytes_str(text))) {
			ctl_usage(c, "--%s: no UTF-8", f->option);
			return NULL;
		}
		return json_string(text);
	}
	assert(!"a kind of field");
	return NULL;
}

static json_t *take_fields(const struct ctl *c)
{
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		json_t *v;

		if (!ctl_given(c, fields[i].option))
			continue;
		v = field_value(c, &fields[i]);
		if (!v) {
			json_decref(out);
			return NULL;
		}
		json_object_set_new(out, fields[i].column, v);
	}
	return out;
}

static int check_id(const struct ctl *c, const char *id)
{
	if (tenant_id_ok(bytes_str(id)))
		return 0;
	return ctl_usage(c,
	                 "'%s' is no tenant id: 1 to %d of 0-9 A-Z a-z ! - _ . * ' ( ), and not ., "
	                 ".., __mimir_cluster",
	                 id, TENANT_ID_MAX);
}

/* A tenant that the configuration has no topics for would be left out by the gateway, which says so
 * in its log alone. */
static int check_topics(struct ctl *c, const char *id, const json_t *values)
{
	struct bytes prefix = bytes_str(json_text_of(values, "topic_prefix"));
	int code;
	const struct conf *conf = registry_conf(c, &code);

	if (!conf ||
	    tenant_has_topics(&conf->prefixes, conf->tenant_topic_bytes, bytes_str(id), prefix))
		return code;
	if (prefix.n)
		return ctl_usage(
			c,
			"--topic-prefix '%s' makes no topic, one that is too long, or one "
			"of another kind of message, of those in %s: TOPICS OF A TENANT in "
			"headgate.yaml(5)",
			(const char *)prefix.p, ctl_conf_path(c));
	return ctl_usage(c,
	                 "'%s' makes no topic where %s has {tenant}: such a tenant needs a "
	                 "--topic-prefix of its own",
	                 id, ctl_conf_path(c));
}

/* ---- changing ---- */

static int say_done(const struct ctl *c, const char *did, const char *id)
{
	if (c->json)
		ctl_json(json_pack("{s:s,s:s}", "tenant", id, "done", did));
	else
		ctl_note(c, "%s %s", did, id);
	return 0;
}

static int add_run(struct ctl *c)
{
	json_t *values = check_id(c, c->args[0]) == 0 ? take_fields(c) : NULL;
	struct registry *s = NULL;
	int code;

	if (!values)
		return EXIT_USAGE;
	code = check_topics(c, c->args[0], values);
	if (code == 0)
		s = registry_open(c, REGISTRY_WRITE, &code);
	if (s)
		code = s->kind->tenant_add(s, c->args[0], values);
	registry_close(s);
	json_decref(values);
	return code ? code : say_done(c, "added", c->args[0]);
}

static int set_run(struct ctl *c)
{
	json_t *values = take_fields(c);
	struct registry *s = NULL;
	int code = 0;

	if (!values)
		return EXIT_USAGE;
	if (json_object_size(values) == 0) {
		json_decref(values);
		return ctl_usage(c, "nothing to set: say which option");
	}
	if (json_object_get(values, "topic_prefix"))
		code = check_topics(c, c->args[0], values);
	if (code == 0)
		s = registry_open(c, REGISTRY_WRITE, &code);
	if (s)
		code = s->kind->tenant_set(s, c->args[0], values);
	registry_close(s);
	json_decref(values);
	return code ? code : say_done(c, "changed", c->args[0]);
}

/* Only if that is not its state already: then only --wait is left to do, which works with a table
 * of the operator's own too. */
static int put_state(struct ctl *c, const char *id, const char *state)
{
	json_t *row, *change;
	struct registry *s;
	int code;

	if (ctl_wait_check(c) != 0)
		return EXIT_USAGE;
	s = registry_open(c, REGISTRY_WRITE_OR_WAIT, &code);
	if (!s)
		return code;
	row = registry_tenant(s, id, &code);
	if (row && strcmp(json_text_of(row, "state"), state) == 0) {
		code = 0;
	} else if (row) {
		change = json_pack("{s:s}", "state", state);
		code = s->kind->tenant_set ? s->kind->tenant_set(s, id, change)
		                           : registry_is_foreign(c);
		json_decref(change);
	}
	json_decref(row);
	registry_close(s);
	return code;
}

static int finish(struct ctl *c, const char *did, const char *verb, const char *state)
{
	const char *id = c->args[0];
	char done[TENANT_ID_MAX + 32];

	snprintf(done, sizeof(done), "%s %s", did, id);
	return ctl_wait(c, done, verb,
	                json_pack("{s:s,s:s?,s:s}", "tenant", id, "state", state, "done", did));
}

static int suspend_run(struct ctl *c)
{
	int code = put_state(c, c->args[0], "suspended");

	return code ? code : finish(c, "suspended", "refused", "suspended");
}

static int resume_run(struct ctl *c)
{
	int code = put_state(c, c->args[0], "active");

	return code ? code : finish(c, "resumed", "served", "active");
}

static int rm_run(struct ctl *c)
{
	struct registry *s;
	int code;

	if (check_id(c, c->args[0]) != 0 || ctl_wait_check(c) != 0)
		return EXIT_USAGE;
	s = registry_open(c, REGISTRY_WRITE, &code);
	if (!s)
		return code;
	code = s->kind->tenant_rm(s, c->args[0]);
	registry_close(s);
	return code ? code : finish(c, "removed", "refused", NULL);
}

/* ---- showing ---- */

static void limit_text(const char *column, const json_t *v, char *out, size_t cap)
{
	bool is_rate = strstr(column, "_per_s") != NULL, is_bytes = strstr(column, "bytes") != NULL;

	if (json_is_string(v)) /* as the file has it */
		snprintf(out, cap, "%s", json_string_value(v));
	else if (is_bytes)
		value_size_text((uint64_t)json_integer_value(v), out, cap);
	else
		snprintf(out, cap, "%lld", (long long)json_integer_value(v));
	if (is_rate && strlen(out) + 3 <= cap)
		strcat(out, "/s");
}

static void limits_text(const json_t *tenant, char *out, size_t cap)
{
	const json_t *limits = json_object_get(tenant, "limits");
	char value[64];
	struct buf b;

	buf_init_fixed(&b, out, cap - 1);
	for (const char *const *name = tenant_limits; *name; name++) {
		const json_t *v = json_object_get(limits, *name);

		if (!v)
			continue;
		limit_text(*name, v, value, sizeof(value));
		buf_printf(&b, "%s%s=%s", b.n ? " " : "", *name, value);
	}
	out[b.n] = '\0';
	if (!b.n)
		snprintf(out, cap, "-");
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static int ls_run(struct ctl *c)
{
	static const char *const heads[] = { "TENANT", "STATE", "BLOCKED UNTIL", "LIMITS", "NAME" };
	struct table *table = table_new(heads, ARRAY_LEN(heads));
	char limits[512];
	struct registry *s;
	json_t *rows = NULL, *row;
	size_t i;
	int code;

	s = registry_open(c, REGISTRY_READ, &code);
	if (s)
		rows = s->kind->tenants(s, NULL, &code);
	json_array_foreach(rows, i, row) {
		if (c->json) {
			ctl_json(json_incref(row));
			continue;
		}
		limits_text(row, limits, sizeof(limits));
		table_cell(table, json_text_of(row, "id"));
		table_cell(table, json_text_of(row, "state"));
		table_cell(table, or_dash(json_text_of(row, "block_until")));
		table_cell(table, limits);
		table_cell(table, or_dash(json_text_of(row, "display_name")));
	}
	table_print(table, stdout);
	json_decref(rows);
	registry_close(s);
	return rows ? 0 : code;
}

static void show(const json_t *row, size_t tokens)
{
	static const char *const keys[] = { "id",          "state",        "display_name",
		                            "block_until", "topic_prefix", "created_at" };
	char value[64];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		ctl_member(keys[i], 22, or_dash(json_text_of(row, keys[i])));
	for (const char *const *name = tenant_limits; *name; name++) {
		const json_t *v = json_object_get(json_object_get(row, "limits"), *name);

		if (!v)
			continue;
		limit_text(*name, v, value, sizeof(value));
		ctl_member(*name, 22, value);
	}
	printf("%-22s %zu\n", "tokens", tokens);
}

static int show_run(struct ctl *c)
{
	json_t *row = NULL, *tokens = NULL;
	struct registry *s;
	int code;

	s = registry_open(c, REGISTRY_READ, &code);
	if (s)
		row = registry_tenant(s, c->args[0], &code);
	if (row)
		tokens = registry_tokens(s, &(struct token_filter){ .tenant = c->args[0] }, &code);
	if (tokens) {
		code = 0;
		if (c->json) {
			json_object_set(row, "tokens", tokens);
			ctl_json(json_incref(row));
		} else {
			show(row, json_array_size(tokens));
		}
	}
	json_decref(tokens);
	json_decref(row);
	registry_close(s);
	return code;
}

static const char none_help[] = "A value of none takes a limit or a text away.\n";

const struct command command_tenant_add = {
	"tenant add", "ID", "a new tenant", add_options, 1, 1, add_run, none_help,
};
const struct command command_tenant_ls = {
	"tenant ls", "", "all tenants", read_options, 0, 0, ls_run, NULL,
};
const struct command command_tenant_show = {
	"tenant show", "ID", "one tenant, with --json its tokens too", read_options, 1, 1,
	show_run,      NULL,
};
const struct command command_tenant_set = {
	"tenant set", "ID", "changes limits and texts", set_options, 1, 1, set_run, none_help,
};
const struct command command_tenant_suspend = {
	"tenant suspend", "ID", "answers 403 to all its tokens", wait_options, 1, 1,
	suspend_run,      NULL,
};
const struct command command_tenant_resume = {
	"tenant resume", "ID", "serves it again", wait_options, 1, 1, resume_run, NULL,
};
const struct command command_tenant_rm = {
	"tenant rm", "ID", "removes it with all its tokens", wait_options, 1, 1, rm_run, NULL,
};
