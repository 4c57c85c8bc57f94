/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_verify.c -- headgatectl token verify: what the gateway thinks of a token, with the reason
 * that clients are never told. The token comes by stdin: argv is public. It is not printed, not
 * even a part of it but its id.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "common/token.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/registry.h"

enum { INPUT_MAX = 64 * KIB };

static const struct command_option verify_options[] = { REGISTRY_OPTION, { 0 } };

struct finding {
	const char *verdict; /* for programs: valid, or why not */
	const char *words; /* for people */
};

/* ---- the form ---- */

/* Of a token that begins with hgt_ and is not ours in the end. */
static struct finding judge_form(struct bytes token)
{
	static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz_";

	if (token.n < TOKEN_BYTES)
		return (struct finding){ "malformed", "it is too short: truncated?" };
	if (token.n > TOKEN_BYTES)
		return (struct finding){ "malformed",
			                 "it is too long: pasted twice, or with more?" };
	for (size_t i = 0; i < token.n; i++)
		if (!token.p[i] || !strchr(alphabet, token.p[i]))
			return (struct finding){ "malformed", "it has a character no token has" };
	return (struct finding){ "checksum", "its checksum does not match: truncated? mistyped?" };
}

/* ---- the row ---- */

static bool is_before(const json_t *row, const char *key, int64_t now, bool *there)
{
	int64_t at = 0;

	*there = json_time_of(row, key, &at);
	return *there && at <= now;
}

/* As the gateway asks; the token's own fault is told before its tenant's. */
static struct finding judge_row(const json_t *token, const json_t *tenant, int64_t now)
{
	const char *state = json_text_of(tenant, "state");
	bool there;

	if (*json_text_of(token, "revoked_at"))
		return (struct finding){ "revoked", "it was revoked" };
	if (!is_before(token, "not_before", now, &there) && there)
		return (struct finding){ "not-yet-valid", "it is not yet valid" };
	if (is_before(token, "expires_at", now, &there))
		return (struct finding){ "expired", "it has expired" };
	if (strcmp(state, "suspended") == 0)
		return (struct finding){ "tenant-suspended", "its tenant is suspended" };
	if (strcmp(state, "active") != 0)
		return (struct finding){ "tenant-deleting", "its tenant is being deleted" };
	if (!is_before(tenant, "block_until", now, &there) && there)
		return (struct finding){ "tenant-blocked", "its tenant is blocked for a time" };
	return (struct finding){ "valid", "valid" };
}

static bool is_left_out(const json_t *row)
{
	return *json_text_of(row, "left_out");
}

/* A hash under two tenants grants nothing to either; of one tenant's rows a revoked one wins. Rows
 * that are left out count for nothing, but are named when there is no other. */
static struct finding judge_rows(struct registry *s, const json_t *rows, json_t **row, int *code)
{
	struct finding found = { "unknown", "nobody has it" };
	json_t *token, *tenant;
	size_t i;

	json_array_foreach(rows, i, token) {
		if (is_left_out(token)) {
			if (!*row)
				found = (struct finding){ "left-out",
					                  json_text_of(token, "left_out") };
			*row = *row ? *row : token;
			continue;
		}
		if (*row && !is_left_out(*row) &&
		    strcmp(json_text_of(*row, "tenant"), json_text_of(token, "tenant")) != 0)
			return (struct finding){
				"ambiguous", "two tenants have it: it grants nothing to either"
			};
		if (*row && !is_left_out(*row) && !*json_text_of(token, "revoked_at"))
			continue;
		tenant = registry_tenant(s, json_text_of(token, "tenant"), code);
		if (!tenant)
			return (struct finding){ NULL, NULL };
		*row = token;
		found = judge_row(token, tenant, (int64_t)time(NULL));
		json_decref(tenant);
	}
	return found;
}

/* Rows of one id that differ, in the hash or else: of a foreign table, and none of them grants. */
static bool id_is_shared(const json_t *of_id, const json_t *of_hash, const json_t *row)
{
	size_t i, here = 0;
	json_t *v;

	json_array_foreach(of_hash, i, v)
		here += strcmp(json_text_of(v, "id"), json_text_of(row, "id")) == 0;
	json_array_foreach(of_id, i, v)
		if (!json_equal(v, row))
			return true;
	return json_array_size(of_id) > here;
}

static struct finding judge_id(struct registry *s, struct finding found, const json_t *of_hash,
                               const json_t *row, int *code)
{
	struct token_filter which = { .id = json_text_of(row, "id") };
	json_t *of_id;

	if (is_left_out(row) || strcmp(found.verdict, "ambiguous") == 0)
		return found; /* which tells more */
	of_id = registry_tokens(s, &which, code);
	if (!of_id)
		found = (struct finding){ NULL, NULL };
	else if (id_is_shared(of_id, of_hash, row))
		found = (struct finding){ "left-out", "another row has its id too" };
	json_decref(of_id);
	return found;
}

static struct finding look_up(struct registry *s, struct bytes token, json_t **rows, json_t **row,
                              int *code)
{
	char hex[2 * TOKEN_DIGEST_BYTES + 1];
	uint8_t digest[TOKEN_DIGEST_BYTES];
	struct finding found = { NULL, NULL };
	struct err err = { "" };
	struct hasher *h = hasher_open(&err);

	if (!h) {
		*code = ctl_fail(EX_OSERR, "%s", err.text);
		return found;
	}
	hasher_sha256(h, token, digest);
	hasher_close(h);
	hex_encode(digest, sizeof(digest), hex);
	*rows = registry_tokens(s, &(struct token_filter){ .sha256 = hex }, code);
	if (*rows)
		found = judge_rows(s, *rows, row, code);
	return found.verdict && *row ? judge_id(s, found, *rows, *row, code) : found;
}

/* ---- what is said ---- */

static json_t *object_of(const struct finding *found, const json_t *row)
{
	static const char *const keys[] = { "id",          "tenant",        "scopes",
		                            "not_before",  "expires_at",    "revoked_at",
		                            "replaced_by", "allowed_cidrs", "last_used_at" };
	bool valid = strcmp(found->verdict, "valid") == 0;
	json_t *out = json_pack("{s:b,s:s,s:s}", "ok", valid, "verdict", found->verdict, "reason",
	                        found->words);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		json_t *v = json_object_get(row, keys[i]);

		json_object_set_new(out, keys[i], v ? json_incref(v) : json_null());
	}
	return out;
}

static void print_list(const char *name, const json_t *list, const char *if_none)
{
	char text[4096];

	ctl_join(list, text, sizeof(text));
	ctl_member(name, 10, *text ? text : if_none);
}

static void print_row(const json_t *row)
{
	static const char *const keys[][2] = { { "tenant", "tenant" },
		                               { "id", "id" },
		                               { "expires", "expires_at" },
		                               { "last use", "last_used_at" },
		                               { "replaced", "replaced_by" } };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *text = json_text_of(row, keys[i][1]);

		ctl_member(keys[i][0], 10, *text ? text : "-");
	}
	print_list("scopes", json_object_get(row, "scopes"), "-");
	print_list("from", json_object_get(row, "allowed_cidrs"), "anywhere");
}

static int say(const struct ctl *c, const struct finding *found, const json_t *row)
{
	bool valid = strcmp(found->verdict, "valid") == 0;

	if (c->json) {
		ctl_json(object_of(found, row));
	} else if (!c->quiet) {
		if (valid)
			puts("valid");
		else
			printf("refused: %s: %s\n", found->verdict, found->words);
		if (row)
			print_row(row);
	}
	return valid ? 0 : EXIT_NEGATIVE;
}

/* ---- the command ---- */

/* One token, with or without the end of its line. */
static int read_token(const struct ctl *c, char *out, struct bytes *token)
{
	size_t n = fread(out, 1, INPUT_MAX, stdin);

	if (ferror(stdin))
		return ctl_fail(EX_OSERR, "stdin: %m");
	if (n == INPUT_MAX)
		return ctl_usage(c, "stdin holds more than a token");
	while (n && strchr(" \t\r\n", out[n - 1]))
		n--;
	*token = bytes_trim(bytes_of(out, n));
	return token->n ? 0 : ctl_usage(c, "stdin holds no token");
}

static int verify_run(struct ctl *c)
{
	static char input[INPUT_MAX];
	struct finding found = { NULL, NULL };
	json_t *rows = NULL, *row = NULL;
	struct bytes token = BYTES_NONE;
	struct registry *s = NULL;
	int code;

	if (strcmp(c->args[0], "-") != 0)
		return ctl_usage(c, "the token is read from stdin ('-'): everybody sees a command "
		                    "line; take this one for known and revoke it");
	code = read_token(c, input, &token);
	if (!code && token_form(token) == TOKEN_MALFORMED)
		found = judge_form(token);
	else if (!code && (s = registry_open(c, REGISTRY_READ, &code)))
		found = look_up(s, token, &rows, &row, &code);
	explicit_bzero(input, sizeof(input));
	if (found.verdict)
		code = say(c, &found, row);
	json_decref(rows);
	registry_close(s);
	return code;
}

const struct command command_token_verify = {
	"token verify", "-",  "what the gateway thinks of the token on stdin", verify_options, 1, 1,
	verify_run,     NULL,
};
