/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c -- keeps messages and renders them with excerpts. The line breaks are libyaml's, since
 * its marks count by them. Bytes of a file reach the terminal only as valid UTF-8 without controls.
 */
#include "conf/report.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	SHOWN_MAX = 100, /* messages rendered */
	KEPT_MAX = 10000, /* kept; more are only counted */
	EXCERPT_COLUMNS = 120,
	WORD_MAX = 64, /* for did-you-mean */
	MESSAGE_BYTES = 2048,
};

struct source {
	unsigned order; /* as added */
	const char *path;
	struct bytes text;
};

struct message {
	struct place at;
	bool warning;
	unsigned seq;
	const char *text;
	const char *help; /* NULL for none */
};

struct report {
	struct pool *pool;
	const struct source *first;
	struct message *kept;
	size_t kept_count, kept_cap;
	unsigned errors, warnings, sources;
};

struct report *report_new(void)
{
	struct report *r = xcalloc(1, sizeof(*r));

	r->pool = pool_new(16 * KIB);
	return r;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	pool_free(r->pool);
	free(r->kept);
	free(r);
}

struct pool *report_pool(struct report *r)
{
	return r->pool;
}

unsigned report_errors(const struct report *r)
{
	return r->errors;
}

unsigned report_warnings(const struct report *r)
{
	return r->warnings;
}

/* Bytes of the character at p; what is no UTF-8 counts as one byte. */
static size_t char_bytes(const uint8_t *p, size_t n)
{
	size_t len = p[0] < 0xc0 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	return len <= n && bytes_is_utf8(bytes_of(p, len)) ? len : 1;
}

static bool is_printable(const uint8_t *p, size_t len)
{
	if (len == 1)
		return (*p >= 0x20 && *p < 0x7f) || *p == '\t';
	return !(p[0] == 0xc2 && p[1] < 0xa0); /* C1 controls */
}

/* A copy that is safe on a terminal and stays one line, whatever a file's value put into it. */
static const char *keep(struct report *r, const char *text)
{
	struct bytes copy = pool_dup(r->pool, bytes_of(text, strlen(text) + 1));
	char *out = (char *)copy.p;
	size_t n = 0;

	for (size_t i = 0; text[i];) {
		size_t len = char_bytes(copy.p + i, copy.n - i);
		bool shown = is_printable(copy.p + i, len) && text[i] != '\t';

		if (shown)
			memmove(out + n, text + i, len);
		else
			out[n] = '?';
		n += shown ? len : 1;
		i += len;
	}
	out[n] = '\0';
	return out;
}

const struct source *report_source(struct report *r, const char *path, struct bytes text)
{
	struct source *s = pool_zalloc(r->pool, sizeof(*s));

	*s = (struct source){ .order = r->sources++, .path = keep(r, path), .text = text };
	if (!r->first)
		r->first = s;
	return s;
}

const struct source *report_first(const struct report *r)
{
	return r->first;
}

const char *source_path(const struct source *s)
{
	return s->path;
}

static void say(struct report *r, bool warning, struct place at, const char *fmt, va_list ap)
{
	char text[MESSAGE_BYTES];

	if (warning)
		r->warnings++;
	else
		r->errors++;
	if (r->kept_count == KEPT_MAX)
		return;
	if (r->kept_count == r->kept_cap) {
		r->kept_cap = max_size(r->kept_cap * 2, 16);
		r->kept = xrealloc(r->kept, r->kept_cap, sizeof(*r->kept));
	}
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	r->kept[r->kept_count] = (struct message){
		.at = at, .warning = warning, .seq = (unsigned)r->kept_count, .text = keep(r, text)
	};
	r->kept_count++;
}

void report_error(struct report *r, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(r, false, at, fmt, ap);
	va_end(ap);
}

void report_warning(struct report *r, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(r, true, at, fmt, ap);
	va_end(ap);
}

void report_help(struct report *r, const char *fmt, ...)
{
	char text[MESSAGE_BYTES];
	va_list ap;

	if (!r->kept_count || r->kept_count == KEPT_MAX)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	r->kept[r->kept_count - 1].help = keep(r, text);
}

/* ---- excerpts ---- */

/* Bytes of the line break at p, 0 if there is none: LF, CR, CRLF, NEL, LS, PS, as libyaml has it.
 */
static size_t line_break(const uint8_t *p, size_t n)
{
	if (n >= 2 && p[0] == '\r' && p[1] == '\n')
		return 2;
	if (n >= 1 && (p[0] == '\n' || p[0] == '\r'))
		return 1;
	if (n >= 2 && p[0] == 0xc2 && p[1] == 0x85)
		return 2;
	if (n >= 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return 0;
}

static struct bytes line_of(struct bytes text, unsigned line)
{
	size_t begin = text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, end;
	unsigned at = 1;

	for (size_t i = begin; at < line && i < text.n;) {
		size_t skip = line_break(text.p + i, text.n - i);

		i += skip ? skip : 1;
		if (skip) {
			at++;
			begin = i;
		}
	}
	if (at < line)
		return BYTES_NONE;
	for (end = begin; end < text.n && !line_break(text.p + end, text.n - end); end++)
		;
	return bytes_from(bytes_of(text.p, end), begin);
}

/* The line, and below it blanks up to the caret: tabs stay tabs, so that both lines agree. */
static unsigned excerpt(struct bytes line, unsigned caret_col, struct buf *shown, struct buf *pad)
{
	unsigned col = 1;

	for (size_t i = 0; i < line.n && col <= EXCERPT_COLUMNS; col++) {
		size_t len = char_bytes(line.p + i, line.n - i);

		if (is_printable(line.p + i, len))
			buf_add(shown, line.p + i, len);
		else
			buf_char(shown, '?');
		if (col < caret_col)
			buf_char(pad, line.p[i] == '\t' ? '\t' : ' ');
		i += len;
	}
	for (unsigned rest = col; rest < caret_col; rest++)
		buf_char(pad, ' ');
	return col; /* one past the last column shown */
}

/* A line with a key of a secret shows it even if the message is about something else. */
static bool holds_secret(struct bytes line)
{
	static const char *const keys[] = {
		"password", "passwd",  "passphrase",         "secret", "token",
		"dsn",      "key.pem", "oauthbearer.config", "jwt",
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		size_t n = strlen(keys[i]);

		for (size_t at = 0; at + n <= line.n; at++) {
			struct bytes rest = bytes_from(line, at + n);

			if (!bytes_eq_nocase(bytes_of(line.p + at, n), bytes_str(keys[i])))
				continue;
			while (rest.n && strchr("\"' \t", rest.p[0]))
				rest = bytes_from(rest, 1);
			if (rest.n && (rest.p[0] == ':' || rest.p[0] == '='))
				return true;
		}
	}
	return false;
}

static size_t indentation(struct bytes line)
{
	size_t n = 0;

	while (n < line.n && line.p[n] == ' ')
		n++;
	return n;
}

/* The value of a secret may also begin on a line below its key, indented deeper. */
static bool is_below_secret(struct bytes text, unsigned line)
{
	size_t at = 0, depth, secret_depth = SIZE_MAX; /* no line is deeper */

	for (unsigned i = 1; i <= line && at < text.n; i++) {
		struct bytes rest = bytes_from(text, at), whole = line_of(rest, 1);

		depth = indentation(whole);
		if (depth < whole.n && depth <= secret_depth)
			secret_depth = holds_secret(whole) ? depth : SIZE_MAX;
		at += (size_t)(whole.p - rest.p) + whole.n;
		at += line_break(text.p + at, text.n - at);
		if (i == line)
			return depth > secret_depth;
	}
	return false;
}

static void render_excerpt(const struct place *at, struct buf *out)
{
	struct bytes line = line_of(at->source->text, at->line);
	char shown_room[EXCERPT_COLUMNS * 4], pad_room[EXCERPT_COLUMNS * 4];
	struct buf shown, pad;
	unsigned end, width;

	if (holds_secret(line) || is_below_secret(at->source->text, at->line))
		return;
	buf_init_fixed(&shown, shown_room, sizeof(shown_room));
	buf_init_fixed(&pad, pad_room, sizeof(pad_room));
	end = excerpt(line, min_size(at->col, EXCERPT_COLUMNS + 1), &shown, &pad);
	buf_printf(out, "%5u |%s", at->line, shown.n ? " " : "");
	buf_bytes(out, buf_view(&shown));
	buf_char(out, '\n');
	if (at->col > EXCERPT_COLUMNS)
		return; /* the caret would point at nothing that is shown */
	width = at->width ? at->width : 1;
	if (at->col + width > end)
		width = end > at->col ? end - at->col : 1;
	buf_printf(out, "%*s | ", at->line > 99999 ? 6 : 5, "");
	buf_bytes(out, buf_view(&pad));
	for (unsigned i = 0; i < width; i++)
		buf_char(out, i ? '~' : '^');
	buf_char(out, '\n');
}

static void render(const struct message *m, struct buf *out)
{
	const struct place *at = &m->at;

	if (!at->source)
		buf_str(out, at->what ? at->what : "headgate");
	else if (at->line)
		buf_printf(out, "%s:%u:%u", at->source->path, at->line, at->col);
	else
		buf_str(out, at->source->path);
	buf_printf(out, ": %s: %s\n", m->warning ? "warning" : "error", m->text);
	if (at->source && at->line && !at->secret)
		render_excerpt(at, out);
	if (m->help)
		buf_printf(out, "  help: %s\n", m->help);
}

/* Files in the order they were read, then the command line; then line, column, order of saying. */
static int by_place(const void *va, const void *vb)
{
	const struct message *a = va, *b = vb;
	unsigned fa = a->at.source ? a->at.source->order : UINT32_MAX;
	unsigned fb = b->at.source ? b->at.source->order : UINT32_MAX;

	if (fa != fb)
		return fa < fb ? -1 : 1;
	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.col != b->at.col)
		return a->at.col < b->at.col ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

void report_text(struct report *r, const char *outcome, struct buf *out)
{
	size_t shown = min_size(r->kept_count, SHOWN_MAX);
	size_t all = (size_t)r->errors + r->warnings;

	if (!all)
		return;
	qsort(r->kept, r->kept_count, sizeof(*r->kept), by_place);
	for (size_t i = 0; i < shown; i++)
		render(&r->kept[i], out);
	if (all > shown)
		buf_printf(out, "and %zu more\n", all - shown);
	buf_printf(out, "%u error%s, %u warning%s: %s\n", r->errors, r->errors == 1 ? "" : "s",
	           r->warnings, r->warnings == 1 ? "" : "s", outcome);
}

/* ---- did you mean ---- */

/* Edits that make a into b: insert, delete, replace, or swap of two neighbours. */
static size_t distance(const char *a, size_t an, const char *b, size_t bn)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= an; i++)
		d[i][0] = i;
	for (size_t k = 0; k <= bn; k++)
		d[0][k] = k;
	for (size_t i = 1; i <= an; i++) {
		for (size_t k = 1; k <= bn; k++) {
			size_t replace = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);

			d[i][k] = min_size(replace, min_size(d[i - 1][k], d[i][k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				d[i][k] = min_size(d[i][k], d[i - 2][k - 2] + 1);
		}
	}
	return d[an][bn];
}

const char *report_nearest(const char *word, const char *const *names, size_t n)
{
	size_t len = strlen(word), best = min_size(2, len / 3) + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n && len <= WORD_MAX; i++) {
		size_t name_len = strlen(names[i]), d;

		if (name_len > WORD_MAX)
			continue;
		d = distance(word, len, names[i], name_len);
		if (d < best) {
			best = d;
			found = names[i];
		}
	}
	return found;
}
