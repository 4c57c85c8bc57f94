/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.c -- prints what the .def files know, for tools/check-tables: the sample configuration,
 * the generated parts of headgate(8), headgate.yaml(5) and headgate-protocols(7), plain lists. Not
 * installed.
 *
 *	tables sample|man|outcomes|metrics|options|verdicts|stats
 */
#include <stdio.h>

#include "common/verdict.h"
#include "conf/options.h"

enum { COLUMNS = 98, MANUAL_COLUMNS = 72 };

/* ---- the sample ---- */

/* Text in comment lines of at most COLUMNS. */
static void comment(const char *indent, const char *text)
{
	size_t col = 0;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (col && col + 1 + word > COLUMNS) {
			putchar('\n');
			col = 0;
		}
		if (!col)
			col = (size_t)printf("%s# %.*s", indent, (int)word, text);
		else
			col += (size_t)printf(" %.*s", (int)word, text);
		text += word;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void describe(const struct option *o, const char *indent)
{
	char text[2048];
	struct buf b;

	buf_init_fixed(&b, text, sizeof(text) - 1);
	option_about(o, &b);
	text[b.n] = '\0';
	comment(indent, text);
}

static const char *leaf(const struct option *o)
{
	const char *dot = strrchr(o->path, '.');

	return dot ? dot + 1 : o->path;
}

static void sample_value(const struct option *o)
{
	if (option_is_list(o))
		printf(" [%s]\n", strcmp(o->def, "*") == 0 ? "\"*\"" : o->def);
	else if (o->type == OPT_PAIRS || o->type == OPT_LISTS)
		printf(" {}\n");
	else if (o->type == OPT_TLS)
		printf(" {cert_file: \"\", key_file: \"\"}\n");
	else if (o->type >= OPT_TEXT && (!*o->def || strpbrk(o->def, "*[")))
		printf(" \"%s\"\n", o->def);
	else
		printf(" %s\n", o->def);
}

static void sample_tls(void)
{
	static const char *const examples[] = { "/etc/headgate/tls/cert.pem",
		                                "/etc/headgate/secrets/key.pem", "\"1.2\"" };

	printf("    # tls:\n");
	for (size_t i = 0; i < tls_options.n; i++) {
		describe(&tls_options.v[i], "    #   ");
		printf("    #   %s: %s\n", tls_options.v[i].path, examples[i]);
	}
}

static const char *example_of(const struct option *list, const struct option *o)
{
	static const struct {
		const char *list, *key, *text;
	} examples[] = {
		{ "routes", "name", "app-blobs" },
		{ "routes", "path", "/blobs/app" },
		{ "routes", "protocol", "opaque" },
		{ "routes", "topic", "app-blobs" },
		{ "auth.jwt", "name", "corp" },
		{ "auth.jwt", "issuer", "https://id.example.com" },
		{ "auth.jwt", "audiences", "[telemetry]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		if (strcmp(examples[i].list, list->path) == 0 &&
		    strcmp(examples[i].key, o->path) == 0)
			return examples[i].text;
	return NULL;
}

/* The default's elements; an example behind # where it has none. */
static void sample_maps(const struct option *list, const char *indent)
{
	const struct option_maps *kind = option_maps_of(list);
	bool is_example = *list->min == '0';
	char margin[32];

	if (is_example)
		printf(" []\n%s# An example, in the place of []:\n", indent);
	else
		printf("\n");
	snprintf(margin, sizeof(margin), "%s%s    ", indent, is_example ? "# " : "");
	for (size_t i = 0; i < kind->table->n; i++) {
		const struct option *o = &kind->table->v[i];
		const char *example = is_example ? example_of(list, o) : NULL;

		describe(o, margin);
		if (o->type == OPT_TLS) {
			sample_tls();
			continue;
		}
		printf("%.*s%s%s:", (int)strlen(margin) - 4, margin, i ? "    " : "  - ", o->path);
		if (example)
			printf(" %s\n", example);
		else
			sample_value(o);
	}
}

static void sample(void)
{
	char section[128] = "", indent[16];

	printf("# The configuration of headgate; headgate.yaml(5) is its manual. Every value here "
	       "is the\n"
	       "# default but those marked as an example. Check a change with `headgate -t`, see "
	       "what is in\n"
	       "# force with `headgate -T`.\n");
	for (size_t i = 0; i < options.n; i++) {
		const struct option *o = &options.v[i];
		size_t from = 0, depth = 0;

		for (const char *dot; (dot = strchr(o->path + from, '.')); depth++) {
			size_t n = (size_t)(dot - o->path) + 1;

			if (strncmp(section, o->path, n) != 0) {
				snprintf(section, sizeof(section), "%.*s", (int)n, o->path);
				printf("%s%*s%.*s:\n", depth ? "" : "\n", (int)depth * 2, "",
				       (int)(n - from) - 1, o->path + from);
			}
			from = n;
		}
		if (!depth)
			printf("\n");
		snprintf(indent, sizeof(indent), "%*s", (int)depth * 2, "");
		describe(o, indent);
		printf("%s%s:", indent, leaf(o));
		if (o->type == OPT_MAPS)
			sample_maps(o, indent);
		else
			sample_value(o);
	}
}

/* ---- the manual ---- */

/* One word. mdoc takes a dot or quote at the start of a line for a request, a backslash for an
 * escape. */
static void roff_word(const char *word, size_t n, bool at_start)
{
	if (at_start && (*word == '.' || *word == '\''))
		printf("\\&");
	for (size_t i = 0; i < n; i++) {
		if (word[i] == '\\')
			printf("\\e");
		else if (word[i] == '-')
			printf("\\-");
		else
			putchar(word[i]);
	}
}

/* Filled lines; one sentence begins a line, as mdoc wants it. */
static void roff(const char *text)
{
	size_t col = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (col && col + 1 + n > MANUAL_COLUMNS) {
			putchar('\n');
			col = 0;
		}
		if (col)
			putchar(' ');
		roff_word(text, n, col == 0);
		col += n + 1;
		if (text[n - 1] == '.' && text[n]) {
			putchar('\n');
			col = 0;
		}
		text += n;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static const char *path_of(const struct option *o, const char *prefix)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s%s", prefix, o->path);
	return path;
}

static void manual_option(const struct option *o, const char *prefix)
{
	char range[256], line[300];
	struct buf b;

	printf(".It Ic ");
	roff(path_of(o, prefix));
	roff(o->doc);
	buf_init_fixed(&b, range, sizeof(range) - 1);
	option_range(o, &b);
	range[b.n] = '\0';
	if (*range) {
		snprintf(line, sizeof(line), "Allowed: %s.", range);
		roff(line);
	}
	if (*o->def) {
		snprintf(line, sizeof(line), "Default: %s.", o->def);
		roff(line);
	}
	if (o->append)
		printf("The lists of several files are joined.\n");
	if (o->restart)
		printf("A change needs a restart.\n");
}

static void each_of(const struct option_table *table, const char *prefix,
                    void (*fn)(const struct option *o, const char *prefix))
{
	char below[64];

	for (size_t i = 0; i < table->n; i++) {
		const struct option *o = &table->v[i];

		fn(o, prefix);
		if (o->type == OPT_TLS && *prefix) { /* admin.tls is said to be as this one */
			snprintf(below, sizeof(below), "%s%s.", prefix, o->path);
			each_of(&tls_options, below, fn);
		}
	}
}

/* The tables in the manual's order: what an element of a list of maps has stands behind the list.
 */
static void each_option(void (*fn)(const struct option *o, const char *prefix))
{
	char prefix[32];

	for (size_t i = 0; i < options.n; i++) {
		fn(&options.v[i], "");
		if (options.v[i].type != OPT_MAPS)
			continue;
		snprintf(prefix, sizeof(prefix), "%s[].", options.v[i].path);
		each_of(option_maps_of(&options.v[i])->table, prefix, fn);
	}
}

/* What printf will fill in: N for a number, ... for a text. */
static void outcome_text(const char *text)
{
	char line[512];
	struct buf b;

	buf_init_fixed(&b, line, sizeof(line) - 1);
	for (; *text; text++) {
		if (*text != '%') {
			buf_char(&b, *text);
			continue;
		}
		text++;
		text += strspn(text, "l"); /* %llu, %u */
		buf_str(&b, *text == 's' ? "..." : "N");
	}
	line[b.n] = '\0';
	roff(line);
}

static void outcome(const char *id, int status, unsigned flags, const char *text)
{
	char name[80];

	snprintf(name, sizeof(name), "%s Pq %d", id, status);
	printf(".It Ic ");
	roff(name);
	outcome_text(text);
	if (flags & VF_RETRY)
		printf(".br\nWith Retry\\-After.\n");
	if (flags & VF_CLOSE)
		printf(".br\nThe connection is closed.\n");
}

static void outcomes(void)
{
#define VERDICT(name, status, flags, id, text) outcome(id, status, flags, text);
#include "common/verdict.def"
#undef VERDICT
}

/* A row of stats.def; help NULL: of the family before it. */
struct family {
	const char *name, *labels[3], *value, *help;
};

#define DIM(name, label, ...) static const char *const label_of_##name = label;
#include "common/stats.def"
#undef DIM

/* Its labels, its text, and the values that its last label has by the rows that follow. */
static void family(const struct family *f, const struct family *end)
{
	const char *before = " Pq ", *last = "";
	char line[512];
	struct buf b;

	printf(".It Ic %s", f->name);
	for (size_t k = 0; k < ARRAY_LEN(f->labels) && *f->labels[k]; k++) {
		last = f->labels[k];
		/* What a verdict's status is stands beside it (stats_render.c). */
		printf("%s%s", before, strcmp(last, "verdict") == 0 ? "verdict, code" : last);
		before = ", ";
	}
	putchar('\n');
	roff(f->help);
	if (!f->value)
		return;
	buf_init_fixed(&b, line, sizeof(line) - 1);
	buf_printf(&b, "The %s is %s", last, f->value);
	for (f++; f < end && !f->help; f++)
		buf_printf(&b, "%s%s", f + 1 < end && !f[1].help ? ", " : " or ", f->value);
	buf_str(&b, ".");
	line[b.n] = '\0';
	roff(line);
}

static const char *label_if(const char *value, const char *label)
{
	return value ? label : "";
}

static void families(void)
{
	const struct family rows[] = {
#define STAT(id, name, type, first, second, help)                                                  \
	{ name, { label_of_##first, label_of_##second, "" }, NULL, help },
#define TENANT_STAT(id, name, type, reason, help)                                                  \
	{ name, { "tenant", "signal", label_if(reason, "reason") }, reason, help },
#define TENANT_KIND(id, name, type, kind, help) { name, { "tenant", "kind", "" }, kind, help },
#include "common/stats.def"
#undef STAT
#undef TENANT_STAT
#undef TENANT_KIND
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].help)
			family(&rows[i], &rows[ARRAY_LEN(rows)]);
}

/* ---- lists: name, tab, text ---- */

static void list_option(const struct option *o, const char *prefix)
{
	printf("%s\t%s\n", path_of(o, prefix), o->doc);
}

/* The further rows of a metric family have no text of their own. */
static void list_row(const char *name, const char *text)
{
	printf("%s\t%s\n", name, text ? text : "");
}

static void verdicts(void)
{
#define VERDICT(name, status, flags, id, text) list_row(id, text);
#include "common/verdict.def"
#undef VERDICT
}

static void stat_row(const char *name, const char *help, const char *type)
{
	printf("%s\t%s\t%s\n", name, help ? help : "", type);
}

static void stats(void)
{
#define STAT(id, name, type, first, second, help) stat_row(name, help, #type);
#define TENANT_STAT(id, name, type, reason, help) stat_row(name, help, #type);
#define TENANT_KIND(id, name, type, kind, help) stat_row(name, help, #type);
#include "common/stats.def"
#undef STAT
#undef TENANT_STAT
#undef TENANT_KIND
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "sample") == 0)
		sample();
	else if (strcmp(what, "man") == 0)
		each_option(manual_option);
	else if (strcmp(what, "outcomes") == 0)
		outcomes();
	else if (strcmp(what, "metrics") == 0)
		families();
	else if (strcmp(what, "options") == 0)
		each_option(list_option);
	else if (strcmp(what, "verdicts") == 0)
		verdicts();
	else if (strcmp(what, "stats") == 0)
		stats();
	else
		fprintf(stderr,
		        "usage: tables sample|man|outcomes|metrics|options|verdicts|stats\n");
	return *what && !ferror(stdout) ? 0 : 2;
}
