/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cat.c -- `cat`: the records of the local store as JSON lines, decoded. Needs no running gateway
 * and no right to write.
 */
#include "tools/ctl/cat.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include "common/telemetry.h"
#include "conf/values.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/decode.h"
#include "tools/ctl/records.h"

enum { LINE_MAX_BYTES = 1024 * MIB, FOLLOW_MS = 200, LAST_MAX = 1000000 };

struct cat {
	struct ctl *c;
	bool raw;
	struct buf line;
	struct progress *progress; /* while following, if stdout is no terminal */
	uint64_t rows;
	unsigned bad;
	int failed; /* errno of stdout: it is full, say */
};

/* ---- one row ---- */

static void put_text(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, ",\"%s\":\"", name);
	buf_json(b, bytes_str(text), SIZE_MAX);
	buf_char(b, '"');
}

static void put_time(struct buf *b, int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];

	if (!gmtime_r(&s, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		text[0] = '\0';
	buf_printf(b, ",\"received\":\"%s.%03dZ\"", text, (int)(ms % 1000));
}

/* [["name","value"],...] as an object; *format gets that header. */
static void put_headers(struct buf *b, const char *headers, char *format, size_t cap)
{
	json_t *list = json_loads(headers, 0, NULL), *pair;
	bool any = false;
	size_t i;

	format[0] = '\0';
	buf_str(b, ",\"headers\":{");
	json_array_foreach(list, i, pair) {
		const char *name = json_string_value(json_array_get(pair, 0)),
			   *value = json_string_value(json_array_get(pair, 1));

		if (!name || !value)
			continue;
		if (strcmp(name, "format") == 0)
			snprintf(format, cap, "%s", value);
		buf_str(b, any ? ",\"" : "\"");
		buf_json(b, bytes_str(name), SIZE_MAX);
		buf_str(b, "\":\"");
		buf_json(b, bytes_str(value), SIZE_MAX);
		buf_char(b, '"');
		any = true;
	}
	buf_char(b, '}');
	json_decref(list);
}

static void put_value(struct buf *b, const struct records_row *row, const char *format)
{
	const char *why = "its checksum is wrong: the file is damaged";

	buf_str(b, ",\"value\":");
	if (row->intact)
		why = decode_value(format, row->signal, row->value, b);
	if (!why)
		return;
	buf_str(b, "null,\"base64\":\"");
	decode_base64(b, row->value);
	buf_char(b, '"');
	put_text(b, "note", why);
}

static void put_row(struct buf *b, const struct records_row *row)
{
	char format[64];

	buf_printf(b, "{\"file\":\"%s\",\"seq\":%lld", row->file, (long long)row->seq);
	put_time(b, row->received_ms);
	put_text(b, "tenant", row->tenant);
	put_text(b, "topic", row->topic);
	put_text(b, "signal", row->signal);
	put_headers(b, row->headers, format, sizeof(format));
	put_value(b, row, format);
	buf_str(b, ",\"schema\":1}\n");
}

static bool on_row(void *arg, const struct records_row *row)
{
	struct cat *cat = arg;
	struct bytes out = row->value;

	if (!cat->raw) {
		buf_reset(&cat->line);
		put_row(&cat->line, row);
		out = buf_view(&cat->line);
	}
	if (cat->line.failed || fwrite(out.p, 1, out.n, stdout) != out.n) {
		cat->failed = cat->line.failed ? EFBIG : errno;
		return false;
	}
	cat->rows++;
	if (cat->progress)
		progress_at(cat->progress, cat->rows, row->file);
	return true;
}

static void on_bad(void *arg, const char *file, const char *why)
{
	struct cat *cat = arg;

	cat->bad++;
	ctl_error("%s: %s", file, why);
}

/* ---- the command line ---- */

static int take_since(const struct ctl *c, int64_t *since_ms)
{
	const char *text = ctl_value(c, "since");
	struct err err;
	struct timespec now;
	int64_t seconds;
	msec_t ago;

	*since_ms = INT64_MIN;
	if (!text)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	if (value_msec(bytes_str(text), &ago, &err) == 0)
		*since_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - ago;
	else if (value_time(bytes_str(text), &seconds, &err) == 0)
		*since_ms = seconds * 1000;
	else
		return ctl_usage(
			c, "--since '%s': a duration (10m) or a time (2026-01-31T12:00:00Z)", text);
	return 0;
}

static int take_filter(const struct ctl *c, struct records_filter *filter)
{
	bool known = false;

	filter->tenant = ctl_value(c, "tenant");
	filter->signal = ctl_value(c, "signal");
	for (int s = 0; filter->signal && s < SIGNAL_COUNT; s++)
		known = known || strcmp(filter->signal, signal_name((enum signal)s)) == 0;
	if (filter->signal && !known)
		return ctl_usage(c, "--signal '%s': traces, metrics, logs, events or opaque",
		                 filter->signal);
	return take_since(c, &filter->since_ms);
}

static const char *folder(struct ctl *c, int *code)
{
	const struct conf *conf;

	if (ctl_given(c, "dir"))
		return ctl_value(c, "dir");
	conf = ctl_conf(c, code);
	if (!conf)
		return NULL;
	if (conf->sink != SINK_LOCAL)
		ctl_note(c, "%s: sink is not local: what is there is what was stored before",
		         ctl_conf_path(c));
	return conf->local.dir;
}

/* ---- running ---- */

static int pass(struct cat *cat, struct records *r, uint64_t last)
{
	const struct records_hooks hooks = { .row = on_row, .bad = on_bad, .arg = cat };
	struct err err;

	if (records_pass(r, last, &hooks, &err) < 0)
		return ctl_fail(EXIT_NEGATIVE, "%s", err.text);
	if (!cat->failed && fflush(stdout) != 0)
		cat->failed = errno;
	if (cat->failed)
		return ctl_fail(EX_OSERR, "stdout: %s", strerror(cat->failed));
	return 0;
}

static int follow(struct cat *cat, struct records *r)
{
	const struct timespec pause = { 0, FOLLOW_MS * 1000000L };
	int code = 0;

	if (!isatty(STDOUT_FILENO))
		cat->progress = progress_open(cat->c, "records", 0);
	while (!code) {
		nanosleep(&pause, NULL);
		code = pass(cat, r, 0);
	}
	if (cat->progress)
		progress_close(cat->progress);
	return code;
}

static int cannot_read(const char *dir, const char *why)
{
	if (errno == EACCES || errno == EPERM)
		return ctl_fail(EX_NOPERM,
		                "%s: you may not read it: ask as a member of the group headgate",
		                why);
	if (errno == ENOENT)
		return ctl_fail(
			EXIT_NEGATIVE,
			"%s: there is no such folder: nothing was stored yet, or -c FILE or "
			"--dir DIR names another",
			dir);
	return ctl_fail(EXIT_NEGATIVE, "%s", why);
}

int cat_folder(struct ctl *c, const char *dir, bool follows)
{
	struct cat cat = { .c = c, .raw = ctl_given(c, "raw") };
	struct records_filter filter;
	uint64_t last = 0;
	struct records *r;
	struct err err;
	int code = take_filter(c, &filter);

	if (!code)
		code = ctl_count(c, "number", &last);
	if (!code && last > LAST_MAX)
		code = ctl_usage(c, "-n %llu: at most %d", (unsigned long long)last, LAST_MAX);
	if (code)
		return code;
	r = records_open(dir, &filter, &err);
	if (!r)
		return cannot_read(dir, err.text);
	buf_init(&cat.line, LINE_MAX_BYTES);
	code = pass(&cat, r, last);
	if (!code && follows)
		code = follow(&cat, r);
	buf_done(&cat.line);
	records_close(r);
	return !code && cat.bad ? EXIT_NEGATIVE : code;
}

static int run_cat(struct ctl *c)
{
	int code = 0;
	const char *dir = folder(c, &code);

	return dir ? cat_folder(c, dir, ctl_given(c, "follow")) : code;
}

static const struct command_option cat_options[] = {
	{ "dir", "DIR", "the store's folder (default: local.dir of the configuration)", 0 },
	{ "tenant", "ID", "only of this tenant", 0 },
	{ "signal", "SIGNAL", "only traces, metrics, logs, events or opaque", 0 },
	{ "number", "N", "only the last N", 'n' },
	{ "since", "T", "only those received since (10m, or a time as of RFC 3339)", 0 },
	{ "follow", NULL, "goes on with what comes, until it is interrupted", 'f' },
	{ "raw", NULL, "the values alone, byte for byte", 0 },
	{ 0 },
};

const struct command command_cat = {
	.name = "cat",
	.args = "",
	.help = "records of the local store as JSON lines, decoded",
	.options = cat_options,
	.run = run_cat,
	.more = "a value whose format this version does not decode is given in base64, with a "
		"note\n",
};
