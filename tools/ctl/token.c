/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c -- headgatectl token: issues, rotates and revokes tokens, wherever they are kept
 * (registry.h). A token is made here, printed once, and only its SHA-256 is kept; nothing else ever
 * prints one. Those that only read are token_show.c and token_verify.c.
 */
#include <string.h>
#include <time.h>
#include "common/token.h"
#include "conf/values.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/registry.h"
#include "tools/ctl/wait.h"

enum { DAY_S = 86400, LIST_MAX = 64 };
static const msec_t GRACE_MAX_MS = (msec_t)7 * DAY_S * 1000;

/* clang-format off */
static const struct command_option issue_options[] = {
	{ "scope",      "S,S",  "traces:write, metrics:write, logs:write, events:write, opaque:write; * is all, the default", 0 },
	{ "expires",    "TIME", "no more valid then (90d or RFC 3339)", 0 },
	{ "not-before", "TIME", "not yet valid until then", 0 },
	{ "cidr",       "C,C",  "only from these address blocks (10.0.0.0/8)", 0 },
	{ "name",       "TEXT", "for people", 0 },
	WAIT_OPTIONS,
	REGISTRY_OPTION,
	{ 0 },
};
static const struct command_option revoke_options[] = { WAIT_OPTIONS, REGISTRY_OPTION, { 0 } };
static const struct command_option rotate_options[] = {
	{ "grace",   "T",    "how long both work: 0 to 7d (24h)", 0 },
	{ "expires", "TIME", "when the new one ends (90d or RFC 3339)", 0 },
	REGISTRY_OPTION,
	{ 0 },
};
/* clang-format on */

/* ---- making one ---- */

static const char *const scopes[] = { "*",          "traces:write", "metrics:write",
	                              "logs:write", "events:write", "opaque:write" };

static bool is_scope(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
		if (strcmp(word, scopes[i]) == 0)
			return true;
	return false;
}

static bool is_cidr(const char *word)
{
	struct cidr cidr;
	struct err err;

	return value_cidr(bytes_str(word), &cidr, &err) == 0;
}

/* "a,b" as a list of words that are each good; NULL: said. */
static json_t *words(const struct ctl *c, const char *option, bool (*is_good)(const char *),
                     const char *what)
{
	autofree char *copy = xstrdup(ctl_value(c, option));
	char *rest = copy, *word;
	json_t *list = json_array();

	while ((word = strsep(&rest, ","))) {
		if (is_good(word) && json_array_size(list) < LIST_MAX) {
			json_array_append_new(list, json_string(word));
			continue;
		}
		ctl_usage(c, "--%s: '%s' is no %s, or one too many", option, word, what);
		json_decref(list);
		return NULL;
	}
	return list;
}

static int put_words(const struct ctl *c, json_t *row, const char *option, const char *key,
                     bool (*is_good)(const char *), const char *what)
{
	json_t *list;

	if (!ctl_given(c, option))
		return 0;
	list = words(c, option, is_good, what);
	if (!list)
		return EXIT_USAGE;
	json_object_set_new(row, key, list);
	return 0;
}

static int put_time(const struct ctl *c, json_t *row, const char *option, const char *key)
{
	char text[TIME_TEXT_BYTES];
	int64_t at = 0;

	if (!ctl_given(c, option))
		return 0;
	if (ctl_time(c, option, &at) != 0)
		return EXIT_USAGE;
	ctl_time_text(at, text, sizeof(text));
	json_object_set_new(row, key, json_string(text));
	return 0;
}

/* What the command line says of the new token; NULL: said what is wrong. */
static json_t *asked_for(const struct ctl *c)
{
	const char *name = ctl_value(c, "name");
	json_t *row = json_pack("{s:o}", "tenant", ctl_text(bytes_str(c->args[0])));
	int code = 0;

	if (name && !bytes_is_utf8(bytes_str(name)))
		code = ctl_usage(c, "--name: no UTF-8");
	else if (name)
		json_object_set_new(row, "name", json_string(name));
	if (!code)
		code = put_words(c, row, "scope", "scopes", is_scope, "scope");
	if (!code)
		code = put_words(c, row, "cidr", "allowed_cidrs", is_cidr, "address block");
	if (!code)
		code = put_time(c, row, "expires", "expires_at");
	if (!code)
		code = put_time(c, row, "not-before", "not_before");
	if (!code)
		return row;
	json_decref(row);
	return NULL;
}

/* A new token into text, its id and hash into row. */
static int make(json_t *row, char text[static TOKEN_BYTES + 1])
{
	char hex[2 * TOKEN_DIGEST_BYTES + 1];
	uint8_t digest[TOKEN_DIGEST_BYTES];
	struct err err = { "" };
	struct hasher *h = hasher_open(&err);

	if (!h || token_new(text, &err) < 0) {
		hasher_close(h);
		return ctl_fail(EX_OSERR, "%s", err.text);
	}
	hasher_sha256(h, bytes_str(text), digest);
	hasher_close(h);
	hex_encode(digest, sizeof(digest), hex);
	json_object_set_new(row, "id", json_stringn(text + strlen("hgt_"), TOKEN_ID_BYTES));
	json_object_set_new(row, "sha256", json_string(hex));
	return 0;
}

/* The one place that prints a token, with what waiting brought (NULL: nothing) for --json. 0 or an
 * exit code, said. */
static int show_once(const struct ctl *c, const json_t *row, const char *token, json_t *wait)
{
	if (c->json)
		ctl_json(json_pack("{s:s,s:O,s:O,s:O?,s:O*}", "token", token, "id",
		                   json_object_get(row, "id"), "tenant",
		                   json_object_get(row, "tenant"), "expires_at",
		                   json_object_get(row, "expires_at"), "wait", wait));
	else
		puts(token);
	if (fflush(stdout) == 0)
		return 0;
	return ctl_fail(EX_OSERR, "stdout: %m: token %s was made and nobody has seen it: revoke it",
	                json_text_of(row, "id"));
}

/* The token is shown whatever the waiting brings: it is made, and nobody else has it. */
static int show_issued(struct ctl *c, const json_t *row, const char *token)
{
	json_t *out = json_object();
	char done[64];
	int shown, code = 0;

	snprintf(done, sizeof(done), "issued %s", json_text_of(row, "id"));
	if (!c->json && (shown = show_once(c, row, token, NULL)) != 0)
		code = shown;
	else if (ctl_given(c, "wait"))
		code = ctl_wait_for(c, stderr, done, "taken", out);
	if (c->json && (shown = show_once(c, row, token, json_object_get(out, "wait"))) != 0)
		code = shown;
	json_decref(out);
	return code;
}

static int issue_run(struct ctl *c)
{
	char token[TOKEN_BYTES + 1];
	json_t *row = ctl_wait_check(c) == 0 ? asked_for(c) : NULL;
	struct registry *s;
	int code;

	if (!row)
		return EXIT_USAGE;
	s = registry_open(c, REGISTRY_WRITE, &code);
	if (s)
		code = make(row, token);
	if (s && !code)
		code = s->kind->token_add(s, row);
	registry_close(s);
	if (!code) {
		ctl_note(c, "token %s of %s: shown this once, only its hash is kept",
		         json_text_of(row, "id"), c->args[0]);
		code = show_issued(c, row, token);
	}
	json_decref(row);
	return code;
}

static void say_rotated(const struct ctl *c, const json_t *old, const json_t *fresh, msec_t grace)
{
	const char *end = json_text_of(old, "expires_at");
	int64_t at, now = (int64_t)time(NULL);
	struct err err;

	ctl_note(c, "token %s replaces %s: shown this once", json_text_of(fresh, "id"), c->args[0]);
	if (value_time(bytes_str(end), &at, &err) == 0 && at <= now + grace / 1000)
		ctl_note(c, "the old one %s at %s", at <= now ? "has ended" : "ends", end);
	else
		ctl_note(c, "the old one works for %lld s more", (long long)(grace / 1000));
	if (*end && !ctl_given(c, "expires"))
		ctl_note(c, "it had an end, the new one has none (--expires)");
}

static int rotate_run(struct ctl *c)
{
	char token[TOKEN_BYTES + 1];
	json_t *row = json_object(), *old = NULL;
	msec_t grace = (msec_t)DAY_S * 1000;
	struct err err = { "" };
	struct registry *s = NULL;
	int code;

	if (registry_check_token_id(c, c->args[0]) != 0)
		code = EXIT_USAGE;
	else if (ctl_given(c, "grace") &&
	         (value_msec(bytes_str(ctl_value(c, "grace")), &grace, &err) < 0 ||
	          grace > GRACE_MAX_MS))
		code = ctl_usage(c, "--grace '%s': %s", ctl_value(c, "grace"),
		                 err.text[0] ? err.text : "0s to 7d");
	else
		code = put_time(c, row, "expires", "expires_at");
	if (!code)
		s = registry_open(c, REGISTRY_WRITE, &code);
	if (s)
		old = registry_token(s, c->args[0], &code);
	if (old && (*json_text_of(old, "revoked_at") || *json_text_of(old, "replaced_by")))
		code = ctl_fail(EXIT_NEGATIVE,
		                "token '%s' is revoked or replaced already: issue one", c->args[0]);
	else if (old)
		code = make(row, token);
	if (old && !code)
		code = s->kind->token_rotate(s, c->args[0], row, grace);
	registry_close(s);
	if (!code) {
		json_object_set(row, "tenant", json_object_get(old, "tenant"));
		code = show_once(c, row, token, NULL);
		say_rotated(c, old, row, grace);
	}
	json_decref(old);
	json_decref(row);
	return code;
}

/* ---- taking one away ---- */

static int put_revoked(struct ctl *c, const char *id)
{
	struct registry *s;
	json_t *row;
	int code;

	s = registry_open(c, REGISTRY_WRITE_OR_WAIT, &code);
	if (!s)
		return code;
	row = registry_token(s, id, &code);
	if (row && *json_text_of(row, "revoked_at"))
		code = 0; /* then only the waiting is left to do */
	else if (row)
		code = s->kind->token_revoke ? s->kind->token_revoke(s, id)
		                             : registry_is_foreign(c);
	json_decref(row);
	registry_close(s);
	return code;
}

static int revoke_run(struct ctl *c)
{
	const char *id = c->args[0];
	char done[128];
	int code;

	if (registry_check_token_id(c, id) != 0 || ctl_wait_check(c) != 0)
		return EXIT_USAGE;
	code = put_revoked(c, id);
	if (code)
		return code;
	snprintf(done, sizeof(done), "revoked %s", id);
	return ctl_wait(c, done, "refused", json_pack("{s:s,s:s}", "id", id, "done", "revoked"));
}

const struct command command_token_issue = {
	"token issue", "TENANT", "a new token, alone on stdout, once", issue_options, 1, 1,
	issue_run,     NULL,
};
const struct command command_token_rotate = {
	"token rotate", "ID", "a new token in its place, alone on stdout, once",
	rotate_options, 1,    1,
	rotate_run,     NULL,
};
const struct command command_token_revoke = {
	"token revoke", "ID", "refused from now on", revoke_options, 1, 1, revoke_run, NULL,
};
