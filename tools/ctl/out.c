/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out.c -- what headgatectl says and how it looks: errors and notices on stderr, tables for people
 * and one line of JSON for programs on stdout.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include "tools/ctl/ctl.h"

enum { CELL_MAX_BYTES = 4 * KIB };

static void say(const char *prefix, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static void say(const char *prefix, const char *fmt, va_list ap)
{
	int error = errno;

	if (isatty(STDERR_FILENO)) /* which sets errno if it is none */
		fputs("\r\033[K", stderr); /* over a line of progress.c, if there is one */
	fputs(prefix, stderr);
	errno = error; /* for %m */
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void ctl_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("headgatectl: ", fmt, ap);
	va_end(ap);
}

int ctl_fail(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("headgatectl: ", fmt, ap);
	va_end(ap);
	return code;
}

int ctl_usage(const struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("headgatectl: ", fmt, ap);
	va_end(ap);
	if (c->command)
		fprintf(stderr, "see: headgatectl %s --help\n", c->command->name);
	else
		fputs("see: headgatectl --help\n", stderr);
	return EXIT_USAGE;
}

void ctl_note(const struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet)
		return;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void ctl_lines(FILE *to, const char *text)
{
	size_t n = strlen(text);

	if (n)
		fprintf(to, "%s%s", text, text[n - 1] == '\n' ? "" : "\n");
}

static char *escaped(const char *text)
{
	struct buf b;

	buf_init(&b, 4 * CELL_MAX_BYTES + 1); /* \xNN for each byte */
	buf_escaped(&b, bytes_str(text), CELL_MAX_BYTES);
	buf_char(&b, '\0');
	return b.p;
}

void ctl_member(const char *name, int width, const char *text)
{
	autofree char *shown = escaped(text);

	printf("%-*s %s\n", width, name, shown);
}

const char *ctl_color(const struct ctl *c, const char *sgr)
{
	static char text[16];

	if (!c->color)
		return "";
	if (!sgr)
		return "\033[0m";
	snprintf(text, sizeof(text), "\033[%sm", sgr);
	return text;
}

/* ---- JSON ---- */

void ctl_json(json_t *object)
{
	if (!object)
		out_of_memory();
	if (json_is_object(object) && !json_object_get(object, "schema"))
		json_object_set_new(object, "schema", json_integer(1));
	if (json_dumpf(object, stdout, JSON_COMPACT) < 0)
		out_of_memory();
	putchar('\n');
	json_decref(object);
}

json_t *ctl_text(struct bytes text)
{
	autofree char *copy = xstrndup(text.n ? (const char *)text.p : "", text.n);
	json_t *s;

	if (!bytes_is_utf8(text))
		for (char *c = copy; *c; c++)
			if (*c & 0x80)
				*c = '?';
	s = json_string(copy);
	if (!s)
		out_of_memory();
	return s;
}

json_t *ctl_text_or_null(const char *text)
{
	return text && *text ? ctl_text(bytes_str(text)) : json_null();
}

void ctl_join(const json_t *list, char *out, size_t cap)
{
	const char *text;
	struct buf b;
	json_t *v;
	size_t i;

	buf_init_fixed(&b, out, cap - 1);
	json_array_foreach(list, i, v) {
		text = json_string_value(v);
		buf_printf(&b, "%s%s", i ? "," : "", text ? text : "null"); /* a foreign table's */
	}
	out[b.n] = '\0';
}

void ctl_time_text(int64_t unix_seconds, char *out, size_t cap)
{
	time_t t = (time_t)unix_seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, cap, "%lld", (long long)unix_seconds);
}

const char *json_text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

long long json_number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

bool json_is_set(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* ---- tables ---- */

enum { GAP = 2 };

struct table {
	unsigned columns;
	char **cells;
	size_t count, cap;
};

static void add(struct table *t, char *text)
{
	if (t->count == t->cap) {
		t->cap = max_size(64, 2 * t->cap);
		t->cells = xrealloc(t->cells, t->cap, sizeof(*t->cells));
	}
	t->cells[t->count++] = text;
}

void table_cell(struct table *t, const char *text)
{
	add(t, escaped(text));
}

void table_cellf(struct table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_cell(t, text);
}

struct table *table_new(const char *const *heads, unsigned columns)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	for (unsigned i = 0; i < columns; i++)
		table_cell(t, heads[i]);
	return t;
}

/* Characters, not bytes: names may be UTF-8. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static size_t column_width(const struct table *t, unsigned column)
{
	size_t width = 0;

	for (size_t i = column; i < t->count; i += t->columns)
		width = max_size(width, width_of(t->cells[i]));
	return width;
}

static void print_row(const struct table *t, size_t first, const size_t *widths, FILE *to)
{
	for (unsigned i = 0; i < t->columns; i++) {
		const char *cell = t->cells[first + i];
		size_t pad = i + 1 < t->columns ? widths[i] - width_of(cell) + GAP : 0;

		fprintf(to, "%s%*s", cell, (int)pad, "");
	}
	fputc('\n', to);
}

void table_print(struct table *t, FILE *to)
{
	size_t *widths = xcalloc(t->columns, sizeof(*widths));

	assert(t->count % t->columns == 0);
	for (unsigned i = 0; i < t->columns; i++)
		widths[i] = column_width(t, i);
	for (size_t i = 0; t->count > t->columns && i < t->count; i += t->columns)
		print_row(t, i, widths, to);
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	free(widths);
	free(t);
}
