/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send.c -- the command `send`: the built-in samples, or files, to a gateway; the client of
 * compatibility.md 4.
 */
#include "tools/ctl/send.h"

#include <string.h>
#include "tools/ctl/commands.h"

enum { RETRIES_MAX = 1000 };
static const char default_url[] = "http://127.0.0.1:4318";

char *send_url(const char *option)
{
	static const char *const names[] = { "HEADGATE_URL", "MICROMEGAS_TELEMETRY_URL" };
	const char *url = option;
	char *copy;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(names) && !url; i++) {
		url = getenv(names[i]);
		if (url && !*url) {
			ctl_error("%s is set but empty", names[i]);
			return NULL;
		}
	}
	copy = xstrdup(url ? url : default_url);
	n = strlen(copy);
	while (n && copy[n - 1] == '/')
		copy[--n] = '\0';
	if (strncmp(copy, "http://", 7) == 0 || strncmp(copy, "https://", 8) == 0)
		return copy;
	ctl_error("'%s' is no URL: http://HOST:PORT or https://HOST:PORT", url);
	free(copy);
	return NULL;
}

/* ---- what is sent ---- */

static int add_samples(struct send *s, const char *signal)
{
	for (const struct sample *p = samples; p->name; p++) {
		if (signal && strcmp(signal, signal_name(p->signal)) != 0)
			continue;
		s->items = xrealloc(s->items, s->count + 1, sizeof(*s->items));
		s->items[s->count++] = (struct send_item){ .name = p->name, .sample = p };
	}
	if (!s->count)
		return ctl_usage(s->c, "--signal '%s': traces, metrics or logs", signal);
	return 0;
}

static void add_files(struct send *s)
{
	s->items = xcalloc(s->c->arg_count, sizeof(*s->items));
	for (; s->count < s->c->arg_count; s->count++)
		s->items[s->count].name = s->c->args[s->count];
}

/* Of a request's first line, which a blank or a control byte would end. */
static bool is_path(const char *text)
{
	if (*text != '/')
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
			return false;
	return true;
}

static int take_items(struct send *s)
{
	struct ctl *c = s->c;
	bool all = ctl_given(c, "all");
	const char *signal = ctl_value(c, "signal");

	s->path = ctl_value(c, "path");
	if (all + !!signal + !!s->path != 1)
		return ctl_usage(c,
		                 "send: one of --all, --signal S and --path P FILE... is wanted");
	if (!s->path && c->arg_count)
		return ctl_usage(c, "send: files go with --path P");
	if (!s->path)
		return add_samples(s, signal);
	if (!is_path(s->path))
		return ctl_usage(c, "--path '%s': it begins with '/' and is of printable ASCII",
		                 s->path);
	if (!c->arg_count)
		return ctl_usage(c, "send: no file to send to %s", s->path);
	add_files(s);
	return 0;
}

/* ---- how ---- */

static bool is_header(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon && colon > text && !strpbrk(text, "\r\n");
}

static int take_number(const struct ctl *c, const char *option, uint64_t least, uint64_t most,
                       uint64_t *out)
{
	const char *text = ctl_value(c, option);

	if (!text)
		return 0;
	if (!bytes_to_u64(bytes_str(text), most, out) || *out < least)
		return ctl_usage(c, "--%s '%s': %llu to %llu", option, text,
		                 (unsigned long long)least, (unsigned long long)most);
	return 0;
}

static int take_settings(struct send *s)
{
	uint64_t jobs = SEND_JOBS, retries = 0;
	struct ctl *c = s->c;
	int code = take_number(c, "jobs", 1, SEND_JOBS_MAX, &jobs);

	if (!code)
		code = take_number(c, "retries", 0, RETRIES_MAX, &retries);
	if (code)
		return code;
	s->jobs = (unsigned)jobs;
	s->retries = ctl_given(c, "retries") ? (int)retries : -1;
	s->type = ctl_value(c, "content-type");
	s->header = ctl_value(c, "header");
	s->ca = ctl_given(c, "ca") ? ctl_value(c, "ca") : getenv("HEADGATE_CA_FILE");
	if (!s->path && (s->type || s->header))
		return ctl_usage(c, "--content-type and --header are for files");
	if (s->type && strpbrk(s->type, "\r\n"))
		return ctl_usage(c, "--content-type: one line is wanted");
	if (s->header && !is_header(s->header))
		return ctl_usage(c, "--header '%s': NAME:VALUE is wanted", s->header);
	if (s->ca && access(s->ca, R_OK) < 0)
		return ctl_usage(c, "--ca %s: %m", s->ca);
	return 0;
}

static int send_all(struct send *s)
{
	struct err err;
	char *url = send_url(ctl_value(s->c, "url"));
	int code = EXIT_NEGATIVE;

	if (!url)
		return EXIT_NEGATIVE;
	s->url = url;
	s->credential = credential_open(ctl_value(s->c, "token-file"), s->ca, &err);
	if (s->credential) {
		if (credential_is_none(s->credential))
			ctl_note(s->c, "no credential is set: sending without (--token-file FILE)");
		code = send_run(s);
	} else {
		ctl_error("%s", err.text);
	}
	credential_close(s->credential);
	free(url);
	return code;
}

static int run_send(struct ctl *c)
{
	struct send s = { .c = c };
	int code = take_items(&s);

	if (!code)
		code = take_settings(&s);
	if (!code)
		code = send_all(&s);
	for (unsigned i = 0; i < s.count; i++)
		json_decref(s.items[i].seen);
	free(s.items);
	return code;
}

static const struct command_option send_options[] = {
	{ "all", NULL, "one built-in sample of every protocol", 0 },
	{ "signal", "SIGNAL", "only those of traces, metrics or logs", 0 },
	{ "path", "P", "posts the files there, as they are", 0 },
	{ "url", "URL", "of the gateway (HEADGATE_URL; http://127.0.0.1:4318)", 0 },
	{ "token-file", "FILE", "holds the token (HEADGATE_TOKEN_FILE)", 0 },
	{ "ca", "FILE", "certificates that are trusted (HEADGATE_CA_FILE; else the system's)", 0 },
	{ "content-type", "T", "of the files (default: none)", 0 },
	{ "header", "N:V", "one more header, with files", 0 },
	{ "retries", "N", "after the first try (default: by the path, 1 to 10)", 0 },
	{ "jobs", "N", "at a time (default 3)", 0 },
	{ 0 },
};

const struct command command_send = {
	.name = "send",
	.args = "[FILE]...",
	.help = "sends a sample of every protocol, or files, and tells where they went",
	.options = send_options,
	.min_args = 0,
	.max_args = UINT_MAX,
	.run = run_send,
	.more = "credentials, the first that is set: --token-file; HEADGATE_TOKEN_FILE;\n"
		"  HEADGATE_INGESTION_API_KEY (or _INGESTION_TOKEN); "
		"HEADGATE_OIDC_TOKEN_ENDPOINT,\n"
		"  _OIDC_CLIENT_ID and _OIDC_CLIENT_SECRET; MICROMEGAS_ in place of HEADGATE_ too\n"
		"exit codes: 0 all accepted, 1 refused for good, 75 the retries are used up\n",
};
