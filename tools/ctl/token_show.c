/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_show.c -- headgatectl token ls and show: what is known of tokens, whose ids are public and
 * whose hashes are not shown either. Changes nothing.
 */
#include <string.h>
#include <time.h>
#include "tools/ctl/commands.h"
#include "tools/ctl/registry.h"

enum { DAY_S = 86400, SOON_DAYS = 14 };

/* clang-format off */
static const struct command_option ls_options[] = {
	{ "unused", "T", "only tokens not used for that long (30d)", 0 }, REGISTRY_OPTION, { 0 },
};
static const struct command_option show_options[] = { REGISTRY_OPTION, { 0 } };
/* clang-format on */

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static const char *standing_of(const json_t *row, int64_t now)
{
	int64_t at;

	if (*json_text_of(row, "left_out"))
		return "left out";
	if (*json_text_of(row, "revoked_at"))
		return "revoked";
	if (json_time_of(row, "expires_at", &at) && at <= now)
		return "expired";
	if (json_time_of(row, "not_before", &at) && at > now)
		return "not yet";
	return *json_text_of(row, "replaced_by") ? "replaced" : "valid";
}

/* "2026-12-01T00:00:00Z (6d!)": an end within 14 days is marked. */
static void end_text(const json_t *row, int64_t now, char *out, size_t cap)
{
	const char *text = json_text_of(row, "expires_at");
	int64_t at;

	if (json_time_of(row, "expires_at", &at) && at > now && at < now + SOON_DAYS * DAY_S)
		snprintf(out, cap, "%s (%lldd!)", text, (long long)((at - now) / DAY_S));
	else
		snprintf(out, cap, "%s", or_dash(text));
}

/* One never used counts from when it was made: a new one is not unused for long. */
static bool is_unused(const json_t *row, int64_t since)
{
	int64_t at = 0;

	return (!json_time_of(row, "last_used_at", &at) && !json_time_of(row, "created_at", &at)) ||
	       at < since;
}

static void add_row(struct table *table, const json_t *row, int64_t now)
{
	char text[256];

	table_cell(table, json_text_of(row, "id"));
	table_cell(table, json_text_of(row, "tenant"));
	table_cell(table, standing_of(row, now));
	ctl_join(json_object_get(row, "scopes"), text, sizeof(text));
	table_cell(table, text);
	end_text(row, now, text, sizeof(text));
	table_cell(table, text);
	table_cell(table, or_dash(json_text_of(row, "last_used_at")));
	table_cell(table, or_dash(json_text_of(row, "replaced_by")));
	table_cell(table, or_dash(json_text_of(row, "name")));
}

static json_t *with_standing(json_t *row, int64_t now)
{
	int64_t at;

	json_object_set_new(row, "standing", json_string(standing_of(row, now)));
	json_object_set_new(row, "expires_soon",
	                    json_boolean(json_time_of(row, "expires_at", &at) && at > now &&
	                                 at < now + SOON_DAYS * DAY_S));
	return json_incref(row);
}

struct listing {
	const struct ctl *c;
	struct table *table;
	int64_t now;
	msec_t unused; /* 0: whenever it was used last */
};

static void list_row(void *arg, json_t *row)
{
	const struct listing *l = arg;

	if (l->unused && !is_unused(row, l->now - l->unused / 1000))
		return;
	if (l->c->json)
		ctl_json(with_standing(row, l->now));
	else
		add_row(l->table, row, l->now);
}

static int ls_run(struct ctl *c)
{
	static const char *const heads[] = { "ID",      "TENANT",    "STATE",       "SCOPES",
		                             "EXPIRES", "LAST USED", "REPLACED BY", "NAME" };
	struct token_filter which = { .tenant = c->args[0] };
	struct listing l = { .c = c, .now = (int64_t)time(NULL) };
	struct registry *s;
	int code;

	if (ctl_msec(c, "unused", &l.unused) != 0)
		return EXIT_USAGE;
	s = registry_open(c, REGISTRY_READ, &code);
	if (!s)
		return code;
	l.table = table_new(heads, ARRAY_LEN(heads));
	if (l.unused && !s->kind->knows_use)
		code = ctl_fail(
			EXIT_NEGATIVE,
			"--unused: only the schema headgate of PostgreSQL keeps the last use");
	else
		code = s->kind->tokens(s, &which, list_row, &l);
	table_print(l.table, stdout);
	registry_close(s);
	return code;
}

static void show(const json_t *row)
{
	static const char *const keys[] = { "id",         "tenant",     "kind",
		                            "name",       "not_before", "expires_at",
		                            "revoked_at", "revoked_by", "replaced_by",
		                            "created_at", "created_by", "last_used_at" };
	char text[4096];

	ctl_member("state", 14, standing_of(row, (int64_t)time(NULL)));
	if (*json_text_of(row, "left_out"))
		ctl_member("why", 14, json_text_of(row, "left_out"));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		ctl_member(keys[i], 14, or_dash(json_text_of(row, keys[i])));
	ctl_join(json_object_get(row, "scopes"), text, sizeof(text));
	ctl_member("scopes", 14, text);
	ctl_join(json_object_get(row, "allowed_cidrs"), text, sizeof(text));
	ctl_member("allowed_cidrs", 14, *text ? text : "anywhere");
}

static int show_run(struct ctl *c)
{
	struct registry *s;
	json_t *row = NULL;
	int code;

	if (registry_check_token_id(c, c->args[0]) != 0)
		return EXIT_USAGE;
	s = registry_open(c, REGISTRY_READ, &code);
	if (s)
		row = registry_token(s, c->args[0], &code);
	if (row) {
		code = 0;
		if (c->json)
			ctl_json(with_standing(row, (int64_t)time(NULL)));
		else
			show(row);
	}
	json_decref(row);
	registry_close(s);
	return code;
}

const struct command command_token_ls = {
	"token ls", "[TENANT]", "all tokens", ls_options, 0, 1, ls_run, NULL,
};
const struct command command_token_show = {
	"token show", "ID", "one token", show_options, 1, 1, show_run, NULL,
};
