/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.c -- `spool ls`, `verify`, `export`, `drop`: the files of the spool, those of its dead/ and
 * of its quarantine/. Needs no running gateway. A file that a worker holds the lock of is read
 * beside it, and never dropped.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "common/crc32c.h"
#include "tools/ctl/cat.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/records_file.h"
#include "worker/store_dir.h"

enum place { PLACE_MAIN, PLACE_DEAD, PLACE_QUARANTINE, PLACE_COUNT };
static const char *const place_names[PLACE_COUNT] = { "", STORE_DEAD, STORE_QUARANTINE };

struct entry {
	enum place place;
	const struct store_entry *file;
	const char *dir; /* the path of its folder */
	char name[STORE_NAME_BYTES]; /* within it */
	char shown[sizeof(STORE_QUARANTINE) + STORE_NAME_BYTES];
};

/* ---- the folders ---- */

static const char *folder(struct ctl *c, int *code)
{
	const struct conf *conf;

	if (ctl_given(c, "dir"))
		return ctl_value(c, "dir");
	conf = ctl_conf(c, code);
	if (!conf)
		return NULL;
	if (conf->sink != SINK_KAFKA || !conf->spool.enabled)
		ctl_note(c, "%s: there is no spool now: what is there is of before",
		         ctl_conf_path(c));
	return conf->spool.dir;
}

static int cannot_read(const struct err *err)
{
	int cause = errno;

	if (cause == ENOENT)
		return ctl_fail(EXIT_NEGATIVE,
		                "%s: nothing was spooled yet, or -c FILE or --dir DIR "
		                "names another",
		                err->text);
	return ctl_fail(cause == EACCES || cause == EPERM ? EX_NOPERM : EXIT_NEGATIVE, "%s",
	                err->text);
}

/* Calls `each` for every file there is; its answers that are not 0 are kept, the greatest one. */
static int go_through(const char *dir, enum place place,
                      int (*each)(void *arg, const struct store_dir *d, const struct entry *e),
                      void *arg)
{
	char path[PATH_MAX];
	struct store_dir d = { .fd = -1 };
	struct store_scan scan;
	struct err err;
	int code = 0;

	snprintf(path, sizeof(path), "%s%s%s", dir, place ? "/" : "", place_names[place]);
	if (store_dir_open(&d, path, &err) < 0)
		return place && errno == ENOENT ? 0 : cannot_read(&err);
	if (store_scan(&d, &scan, &err) < 0) {
		code = cannot_read(&err);
		store_dir_close(&d);
		return code;
	}
	for (size_t i = 0; i < scan.count; i++) {
		struct entry e = { .place = place, .file = &scan.entries[i], .dir = d.path };
		int rc;

		if (!e.file->has[STORE_DB])
			continue;
		store_name(e.name, e.file->number, STORE_DB);
		snprintf(e.shown, sizeof(e.shown), "%s%s%s", place_names[place], place ? "/" : "",
		         e.name);
		rc = each(arg, &d, &e);
		code = rc > code ? rc : code;
	}
	store_scan_done(&scan);
	store_dir_close(&d);
	return code;
}

/* ---- one file ---- */

static bool open_entry(const struct entry *e, struct records_file *f, int *rows, struct err *err)
{
	struct records_at at = { .dir = e->dir };

	*f = (struct records_file){ .number = e->file->number };
	memcpy(f->name, e->name, sizeof(f->name));
	*rows = records_file_open(&at, f, err);
	return *rows > 0;
}

/* Its last row was sent while we looked. */
static bool is_gone(const struct store_dir *d, const struct entry *e)
{
	uint64_t bytes;

	return !store_has(d, e->file->number, STORE_DB, &bytes);
}

/* The number that a query says; `none` where it fails: the table is not there, say. */
static int64_t number_of(struct records_file *f, const char *sql, int64_t none)
{
	sqlite3_stmt *st = NULL;
	int64_t n = none;

	if (sqlite3_prepare_v2(f->db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static void text_of(struct records_file *f, const char *sql, char *out, size_t cap)
{
	sqlite3_stmt *st = NULL;

	out[0] = '\0';
	if (sqlite3_prepare_v2(f->db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0))
		snprintf(out, cap, "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
}

/* ---- ls ---- */

struct listing {
	struct ctl *c;
	struct table *t;
};

struct facts {
	const char *state;
	int64_t rows, waiting, oldest_ms;
	char reasons[256], why[256];
};

static void look(const struct entry *e, struct facts *out)
{
	static const char *const states[PLACE_COUNT] = { "waits", "dead", "damaged" };
	struct records_file f;
	struct err err = { "" };
	int any;

	*out = (struct facts){ .state = states[e->place] };
	if (!open_entry(e, &f, &any, &err)) {
		snprintf(out->why, sizeof(out->why), "%.200s", err.text);
		return;
	}
	out->rows = number_of(&f, "SELECT count(*) FROM record", 0);
	out->oldest_ms = number_of(&f, "SELECT min(received_ms) FROM record", 0);
	if (e->place == PLACE_MAIN)
		out->waiting = out->rows - number_of(&f, "SELECT seq FROM progress", 0);
	if (e->place == PLACE_DEAD)
		text_of(&f, "SELECT group_concat(DISTINCT reason) FROM dead", out->reasons,
		        sizeof(out->reasons));
	records_file_close(&f);
}

static int list_one(void *arg, const struct store_dir *d, const struct entry *e)
{
	struct listing *l = arg;
	struct facts facts;
	char oldest[TIME_TEXT_BYTES] = "";

	look(e, &facts);
	if (*facts.why && is_gone(d, e))
		return 0;
	if (facts.oldest_ms)
		ctl_time_text(facts.oldest_ms / 1000, oldest, sizeof(oldest));
	if (l->c->json) {
		ctl_json(json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "file", e->shown,
		                   "state", facts.state, "rows", (json_int_t)facts.rows, "waiting",
		                   (json_int_t)facts.waiting, "bytes", (json_int_t)e->file->bytes,
		                   "oldest", ctl_text_or_null(oldest), "reasons",
		                   ctl_text_or_null(facts.reasons), "why",
		                   ctl_text_or_null(facts.why)));
		return 0;
	}
	table_cell(l->t, e->shown);
	table_cell(l->t, facts.state);
	table_cellf(l->t, "%" PRId64, facts.rows);
	table_cellf(l->t, "%" PRId64, facts.waiting);
	table_cellf(l->t, "%" PRIu64, e->file->bytes);
	table_cell(l->t, oldest);
	table_cell(l->t, *facts.why ? facts.why : facts.reasons);
	return 0;
}

static int run_ls(struct ctl *c)
{
	static const char *const heads[] = { "FILE",  "STATE",  "ROWS", "WAITING",
		                             "BYTES", "OLDEST", "WHY" };
	struct listing l = { .c = c };
	int code = 0, rc;
	const char *dir = folder(c, &code);

	if (!dir)
		return code;
	l.t = table_new(heads, ARRAY_LEN(heads));
	for (enum place p = PLACE_MAIN; p < PLACE_COUNT; p++) {
		rc = go_through(dir, p, list_one, &l);
		code = rc > code ? rc : code;
	}
	table_print(l.t, stdout);
	return code;
}

/* ---- verify ---- */

static int verify_rows(const struct entry *e, struct records_file *f)
{
	static const char sql[] = "SELECT seq, crc32c, value FROM record ORDER BY seq";
	sqlite3_stmt *st = NULL;
	int64_t rows = 0, bad = 0;
	int rc = sqlite3_prepare_v2(f->db, sql, -1, &st, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		struct bytes value;

		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		value = bytes_of(sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2));
		rows++;
		if (crc32c(value) != (uint32_t)sqlite3_column_int64(st, 1) ||
		    sqlite3_column_int64(st, 0) != rows)
			bad++;
	}
	if (rc != SQLITE_DONE)
		ctl_error("%s: %s", e->shown, sqlite3_errmsg(f->db));
	else if (bad)
		ctl_error("%s: %" PRId64 " of %" PRId64 " rows are not what was stored", e->shown,
		          bad, rows);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE && !bad ? 0 : EXIT_NEGATIVE;
}

static int verify_one(void *arg, const struct store_dir *d, const struct entry *e)
{
	struct ctl *c = arg;
	struct records_file f;
	struct err err = { "" };
	char says[256];
	int any, code;

	if (!open_entry(e, &f, &any, &err)) {
		if (any == 0 || is_gone(d, e))
			return 0;
		return ctl_fail(EXIT_NEGATIVE, "%s: %s", e->shown, err.text);
	}
	text_of(&f, "PRAGMA quick_check(1)", says, sizeof(says));
	code = verify_rows(e, &f);
	if (strcmp(says, "ok") != 0) {
		ctl_error("%s: %s", e->shown, *says ? says : sqlite3_errmsg(f.db));
		code = EXIT_NEGATIVE;
	}
	if (!code)
		ctl_note(c, "%s: ok", e->shown);
	records_file_close(&f);
	return code;
}

static int run_verify(struct ctl *c)
{
	int code = 0, rc;
	const char *dir = folder(c, &code);

	if (!dir)
		return code;
	for (enum place p = PLACE_MAIN; p <= PLACE_DEAD; p++) {
		rc = go_through(dir, p, verify_one, c);
		code = rc > code ? rc : code;
	}
	return code;
}

/* ---- export ---- */

static int run_export(struct ctl *c)
{
	char path[PATH_MAX];
	int code = 0;
	const char *dir = folder(c, &code);

	if (!dir)
		return code;
	snprintf(path, sizeof(path), "%s%s", dir, ctl_given(c, "dead") ? "/" STORE_DEAD : "");
	if (ctl_given(c, "dead") && access(path, F_OK) < 0 && errno == ENOENT)
		return 0; /* made with the first one */
	return cat_folder(c, path, false);
}

/* ---- drop ---- */

struct dropping {
	struct ctl *c;
	enum place place;
	const char *file; /* NULL: all of the place */
	unsigned count;
};

static int drop_one(void *arg, const struct store_dir *d, const struct entry *e)
{
	struct dropping *drop = arg;
	struct store_lock lock;
	struct err err = { "" };
	bool have;
	int rc;

	if (drop->file && strcmp(drop->file, e->shown) != 0)
		return 0;
	drop->count++;
	have = e->file->has[STORE_LOCK] ? store_take_over(d, e->file->number, &lock)
	                                : store_relock(d, e->file->number, &lock);
	if (!have && (errno == EACCES || errno == EPERM || errno == EROFS))
		return ctl_fail(EX_NOPERM, "%s: you may not remove it: ask as the gateway's user",
		                e->shown);
	if (!have)
		return ctl_fail(EXIT_NEGATIVE,
		                "%s: a worker has it: stop the gateway first, or let it drain",
		                e->shown);
	rc = store_remove(d, e->file->number, &err);
	store_lock_drop(&lock);
	if (rc < 0)
		return ctl_fail(EX_OSERR, "%s", err.text);
	ctl_note(drop->c, "%s: dropped", e->shown);
	return 0;
}

static enum place place_of(const char *file)
{
	for (enum place p = PLACE_DEAD; p < PLACE_COUNT; p++) {
		size_t n = strlen(place_names[p]);

		if (strncmp(file, place_names[p], n) == 0 && file[n] == '/')
			return p;
	}
	return PLACE_MAIN;
}

static int run_drop(struct ctl *c)
{
	bool dead = ctl_given(c, "dead"), damaged = ctl_given(c, "damaged");
	int code = 0, rc;
	const char *dir;

	if (!c->arg_count == !(dead || damaged))
		return ctl_usage(c, "name files as spool ls does, or say --dead or --damaged");
	dir = folder(c, &code);
	if (!dir)
		return code;
	for (enum place p = PLACE_DEAD; p < PLACE_COUNT; p++) {
		struct dropping drop = { .c = c, .place = p };

		if (!(p == PLACE_DEAD ? dead : damaged))
			continue;
		rc = go_through(dir, p, drop_one, &drop);
		code = rc > code ? rc : code;
	}
	for (unsigned i = 0; i < c->arg_count; i++) {
		struct dropping drop = { .c = c, .file = c->args[i] };

		rc = go_through(dir, place_of(drop.file), drop_one, &drop);
		if (!rc && !drop.count)
			rc = ctl_fail(EXIT_NEGATIVE, "%s: there is no such file", drop.file);
		code = rc > code ? rc : code;
	}
	return code;
}

/* ---- the table ---- */

#define DIR_OPTION                                                                                 \
	{                                                                                          \
		"dir", "DIR", "the spool's folder (default: spool.dir of the configuration)", 0    \
	}

static const struct command_option dir_options[] = { DIR_OPTION, { 0 } };
static const struct command_option export_options[] = {
	DIR_OPTION,
	{ "dead", NULL, "those that Kafka refused for good, in place of those that wait", 0 },
	{ "tenant", "ID", "only of this tenant", 0 },
	{ "signal", "SIGNAL", "only traces, metrics, logs, events or opaque", 0 },
	{ "number", "N", "only the last N", 'n' },
	{ "since", "T", "only those received since (10m, or a time as of RFC 3339)", 0 },
	{ "raw", NULL, "the values alone, byte for byte", 0 },
	{ 0 },
};
static const struct command_option drop_options[] = {
	DIR_OPTION,
	{ "dead", NULL, "all files of dead/: what Kafka refused for good", 0 },
	{ "damaged", NULL, "all files of quarantine/", 0 },
	{ 0 },
};

const struct command command_spool_ls = {
	.name = "spool ls",
	.args = "",
	.help = "files of the spool, how many rows of each still wait",
	.options = dir_options,
	.run = run_ls,
};
const struct command command_spool_verify = {
	.name = "spool verify",
	.args = "",
	.help = "reads each row of the spool and compares its checksum",
	.options = dir_options,
	.run = run_verify,
};
const struct command command_spool_export = {
	.name = "spool export",
	.args = "",
	.help = "rows of the spool as JSON lines, decoded",
	.options = export_options,
	.run = run_export,
	.more = "a file that is partly sent is shown whole, until its last row is\n",
};
const struct command command_spool_drop = {
	.name = "spool drop",
	.args = "[FILE...]",
	.help = "removes files of the spool, whose rows are lost",
	.options = drop_options,
	.max_args = UINT_MAX,
	.run = run_drop,
};
