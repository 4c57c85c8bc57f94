/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snippet.c -- `snippet CLIENT`: a block to paste into the client's configuration, for one tenant.
 * With --test what the client would send is sent first-hand, so that a wrong token, URL or CA shows
 * here and not in the client's log.
 */
#include <string.h>
#include "common/token.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/send.h"
#include "tools/ctl/snippet_text.h"
#include "tools/ctl/worker_tool.h"

enum { TEXT_MAX_BYTES = MIB };
static const char loki_path[] = "/loki/api/v1/push";

static const struct snippet_client *find_client(const char *name)
{
	for (const struct snippet_client *p = snippet_clients; p->name; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static bool has_samples(const struct snippet_client *client, const char *prefix)
{
	for (const char *const *p = client->samples; *p; p++)
		if (strncmp(*p, prefix, strlen(prefix)) == 0)
			return true;
	return false;
}

/* By the table of routes of the worker program: that of -c, else what this version has. */
static int find_loki(struct ctl *c, bool *found)
{
	static const char *const argv[] = { "--routes", NULL };
	json_t *all, *route, *path;
	size_t i, k;
	int code = 0;

	all = c->conf_file ? worker_tool_run(c, argv, false, &code)
	                   : worker_tool_defaults(argv, &code);
	if (!all)
		return code;
	json_array_foreach(all, i, route)
		json_array_foreach(json_object_get(route, "paths"), k, path)
			if (strcmp(json_string_value(path), loki_path) == 0)
				*found = true;
	json_decref(all);
	return 0;
}

/* ---- what it is made of ---- */

/* What would end a line or a quoted text of some client; paths and tokens have none of them. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool is_word(const char *text)
{
	return is_plain(text) && !strpbrk(text, " \"'\\$`{}");
}

static char *absolute(const char *path)
{
	char *whole = realpath(path, NULL);

	return whole ? whole : xstrdup(path);
}

struct parts { /* what the texts of a snippet point to */
	char *endpoint, *token_file, *token, *ca;
};

static void parts_done(struct parts *p)
{
	if (p->token)
		explicit_bzero(p->token, strlen(p->token));
	free(p->token);
	free(p->endpoint);
	free(p->token_file);
	free(p->ca);
}

static int take_token(const struct ctl *c, struct parts *p)
{
	const char *file = ctl_value(c, "token-file");
	struct err err;

	if (!file)
		return ctl_usage(c,
		                 "--token-file FILE is wanted: it holds the token of the tenant");
	if (!is_plain(file))
		return ctl_usage(c, "--token-file: a path without control bytes");
	p->token_file = absolute(file);
	if (!ctl_given(c, "inline") && !ctl_given(c, "test"))
		return 0;
	if (credential_read(file, &p->token, &err) < 0)
		return ctl_fail(EXIT_NEGATIVE, "%s", err.text);
	if (ctl_given(c, "inline") && !is_word(p->token))
		return ctl_fail(EXIT_NEGATIVE,
		                "%s: its token has bytes that not every client takes in a text; "
		                "leave --inline out",
		                file);
	return 0;
}

static int take_parts(const struct ctl *c, struct snippet *s, struct parts *p)
{
	const char *ca = ctl_value(c, "ca");
	int code = take_token(c, p);

	if (code)
		return code;
	s->tenant = ctl_value(c, "tenant");
	if (!s->tenant || !tenant_id_ok(bytes_str(s->tenant)))
		return ctl_usage(
			c, s->tenant ? "--tenant '%s' is no tenant id" : "--tenant ID is wanted",
			s->tenant);
	p->endpoint = send_url(ctl_value(c, "endpoint"));
	if (!p->endpoint)
		return EXIT_NEGATIVE;
	if (!is_word(p->endpoint))
		return ctl_usage(c, "--endpoint '%s': http://HOST:PORT or https://HOST:PORT",
		                 p->endpoint);
	if (ca && (!is_plain(ca) || access(ca, R_OK) < 0))
		return ctl_usage(c, "--ca %s: %m", ca);
	p->ca = ca ? absolute(ca) : NULL;
	s->endpoint = p->endpoint;
	s->token_file = p->token_file;
	s->token = ctl_given(c, "inline") ? p->token : NULL;
	s->ca = p->ca;
	return 0;
}

static void say_hints(const struct ctl *c, const struct snippet *s)
{
	if (strncmp(s->endpoint, "http://", 7) == 0 && !strstr(s->endpoint, "://127.") &&
	    !strstr(s->endpoint, "://localhost"))
		ctl_note(c, "without TLS everybody on the way can read the token: use https://");
	if (access(s->token_file, R_OK) < 0)
		ctl_note(c, "%s cannot be read here: headgatectl token issue %s >FILE",
		         s->token_file, s->tenant);
}

/* ---- --test ---- */

static bool is_wanted(const struct snippet_client *client, const struct sample *sample)
{
	for (const char *const *p = client->samples; *p; p++)
		if (strcmp(sample->name, *p) == 0 ||
		    (strcmp(*p, "loki") == 0 && strncmp(sample->name, "loki", 4) == 0))
			return true;
	return false;
}

static int test(struct ctl *c, const struct snippet_client *client, const struct snippet *s)
{
	struct send send = { .c = c,
		             .url = s->endpoint,
		             .ca = s->ca,
		             .jobs = SEND_JOBS,
		             .retries = -1,
		             .to = stderr };
	struct err err;
	int code;

	for (const struct sample *p = samples; p->name; p++) {
		if (!is_wanted(client, p))
			continue;
		send.items = xrealloc(send.items, send.count + 1, sizeof(*send.items));
		send.items[send.count++] = (struct send_item){ .name = p->name, .sample = p };
	}
	if (!send.count)
		return ctl_fail(EXIT_NEGATIVE, "this version has no sample to test %s with",
		                client->name);
	send.credential = credential_open(s->token_file, s->ca, &err);
	code = send.credential ? send_run(&send) : ctl_fail(EXIT_NEGATIVE, "%s", err.text);
	credential_close(send.credential);
	for (unsigned i = 0; i < send.count; i++)
		json_decref(send.items[i].seen);
	free(send.items);
	return code;
}

/* ---- the command ---- */

static int print(struct ctl *c, const struct snippet_client *client, const struct snippet *s)
{
	struct buf text;
	int code = 0;

	buf_init(&text, TEXT_MAX_BYTES);
	client->put(s, &text);
	assert(!text.failed);
	if (c->json)
		ctl_json(json_pack("{s:s,s:s,s:o}", "client", client->name, "tenant", s->tenant,
		                   "text", ctl_text(buf_view(&text))));
	else
		fwrite(text.p, 1, text.n, stdout);
	if (fflush(stdout) != 0)
		code = ctl_fail(EX_OSERR, "stdout: %m");
	explicit_bzero(text.p, text.n); /* --inline */
	buf_done(&text);
	return code;
}

static int run_snippet(struct ctl *c)
{
	const struct snippet_client *client = find_client(c->args[0]);
	struct snippet s = { .loki = false };
	struct parts parts = { .endpoint = NULL };
	int code = 0;

	if (!client)
		return ctl_usage(
			c,
			"'%s': prometheus, alloy, otelcol, curl, python, otel-env, vector, "
			"promtail or fluent-bit",
			c->args[0]);
	if (has_samples(client, "loki"))
		code = find_loki(c, &s.loki);
	if (!code && client->needs_loki && !s.loki)
		return ctl_fail(EXIT_NEGATIVE,
		                "%s sends to Loki's push API, which is not taken here "
		                "(protocols.loki.enabled): use a client of OTLP",
		                client->name);
	if (!code)
		code = take_parts(c, &s, &parts);
	if (!code) {
		say_hints(c, &s);
		if (has_samples(client, "loki") && !s.loki)
			ctl_note(c, "without its loki.write: Loki push is not taken here "
			            "(protocols.loki.enabled)");
		code = print(c, client, &s);
	}
	if (!code && ctl_given(c, "test"))
		code = test(c, client, &s);
	parts_done(&parts);
	return code;
}

static const struct command_option snippet_options[] = {
	{ "tenant", "ID", "whose data it sends", 0 },
	{ "token-file", "FILE", "holds the token; the block names it, or a variable", 0 },
	{ "endpoint", "URL", "of the gateway, as the client sees it (HEADGATE_URL)", 0 },
	{ "ca", "FILE", "certificates that the client is to trust", 0 },
	{ "inline", NULL, "the token stands in the block", 0 },
	{ "test", NULL, "sends one item of each signal, and tells where it went", 0 },
	{ 0 },
};

const struct command command_snippet = {
	.name = "snippet",
	.args = "CLIENT",
	.help = "a block to paste into a client's configuration",
	.options = snippet_options,
	.min_args = 1,
	.max_args = 1,
	.run = run_snippet,
	.more = "clients: prometheus, alloy, otelcol, curl, python, otel-env, vector, promtail,\n"
		"  fluent-bit\n",
};
