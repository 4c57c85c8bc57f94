/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spool_file.h"

#include <sqlite3.h>

#include "common/crc32c.h"
#include "proto/json.h"

static int prepare(const struct store_file *f, const char *sql, struct sqlite3_stmt **out,
                   struct err *err)
{
	*out = NULL;
	return sqlite3_prepare_v2(f->db, sql, -1, out, NULL) == SQLITE_OK
	               ? 0
	               : store_sql_err(f->db, sql, err);
}

/* Runs it to its end; frees it. */
static int finish(const struct store_file *f, struct sqlite3_stmt *st, const char *what,
                  struct err *err)
{
	int rc = sqlite3_step(st) == SQLITE_DONE ? 0 : store_sql_err(f->db, what, err);

	sqlite3_finalize(st);
	return rc;
}

static struct bytes column(struct sqlite3_stmt *st, int i)
{
	const void *p = sqlite3_column_blob(st, i); /* first: it may convert */

	return bytes_of(p, (size_t)sqlite3_column_bytes(st, i));
}

/* ---- progress ---- */

int64_t spool_file_progress(const struct store_file *f, struct err *err)
{
	struct sqlite3_stmt *st;
	int64_t seq = 0;
	int rc;

	if (prepare(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'progress'", &st, err) < 0)
		return -1;
	rc = sqlite3_step(st);
	seq = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;
	if (seq < 0)
		store_sql_err(f->db, "progress", err);
	sqlite3_finalize(st);
	if (seq <= 0)
		return seq;
	if (prepare(f, "SELECT seq FROM progress", &st, err) < 0)
		return -1;
	rc = sqlite3_step(st);
	seq = rc == SQLITE_ROW    ? sqlite3_column_int64(st, 0)
	      : rc == SQLITE_DONE ? 0
	                          : store_sql_err(f->db, "progress", err);
	sqlite3_finalize(st);
	return seq;
}

int spool_file_set_progress(struct store_file *f, int64_t seq, struct err *err)
{
	struct sqlite3_stmt *st;

	if (store_sql(f->db, STORE_PROGRESS, err) < 0 ||
	    prepare(f, "INSERT OR REPLACE INTO progress VALUES(1, ?1)", &st, err) < 0)
		return -1;
	sqlite3_bind_int64(st, 1, seq);
	return finish(f, st, "progress", err);
}

/* ---- what is there ---- */

int spool_file_sums(const struct store_file *f, int64_t after,
                    void (*each)(void *arg, const struct spool_sum *sum), void *arg,
                    struct err *err)
{
	struct sqlite3_stmt *st;
	int rc;

	if (prepare(f,
	            "SELECT tenant, topic, count(*), min(seq), sum(length(value)), "
	            "max(signal = 'opaque') FROM record "
	            "WHERE seq > ?1 AND seq <= ?2 GROUP BY tenant, topic",
	            &st, err) < 0)
		return -1;
	sqlite3_bind_int64(st, 1, after);
	sqlite3_bind_int64(st, 2, f->rows);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct spool_sum sum = {
			.tenant = column(st, 0),
			.topic = column(st, 1),
			.rows = sqlite3_column_int64(st, 2),
			.first = sqlite3_column_int64(st, 3),
			.bytes = (uint64_t)sqlite3_column_int64(st, 4),
			.is_raw = sqlite3_column_int(st, 5),
		};

		each(arg, &sum);
	}
	rc = rc == SQLITE_DONE ? 0 : store_sql_err(f->db, "its rows", err);
	sqlite3_finalize(st);
	return rc;
}

/* ---- rows ---- */

void spool_row_done(struct spool_row *row)
{
	free(row->mem);
	row->mem = NULL;
}

static char *keep(char **at, struct bytes text)
{
	char *p = *at;

	if (text.n)
		memcpy(p, text.p, text.n);
	p[text.n] = '\0';
	*at += text.n + 1;
	return p;
}

static bool take_text(struct json *j, char **at, struct bytes *out)
{
	struct json_text text;
	size_t n;

	if (json_peek(j) != '"' || !json_read_string(j, &text))
		return false;
	n = json_unescape(text, (uint8_t *)*at);
	*out = bytes_of(*at, n);
	(*at)[n] = '\0';
	*at += n + 1;
	return true;
}

static bool take_header(struct json *j, char **at, struct record_header *h)
{
	struct bytes name;

	if (json_peek(j) != '[')
		return false;
	json_open(j);
	if (!json_element(j, true) || !take_text(j, at, &name) || !json_element(j, false) ||
	    !take_text(j, at, &h->value) || json_element(j, false))
		return false;
	h->name = (const char *)name.p;
	return !j->error;
}

/* [["name","value"],...] as store_writer.c writes it. Needs no more room than the text itself and
 * two bytes a header. False: it is not that, or has more than a record can have here. */
static bool take_headers(struct spool_row *row, char *at)
{
	struct json j;
	bool first = true;

	json_init(&j, row->headers_json, UTF8_REPAIR);
	if (json_peek(&j) != '[')
		return false;
	json_open(&j);
	while (json_element(&j, first)) {
		first = false;
		if (row->header_count == RECORD_HEADERS_MAX ||
		    !take_header(&j, &at, &row->headers[row->header_count++]))
			return false;
	}
	return !j.error && json_end(&j);
}

static enum signal signal_of(struct bytes name, bool *known)
{
	for (int s = 0; s < SIGNAL_COUNT; s++)
		if (bytes_eq(name, bytes_str(signal_name((enum signal)s))))
			return (enum signal)s;
	*known = false;
	return SIGNAL_OPAQUE;
}

/* Columns as in rows_sql. The JSON is scanned where it has BODY_SLACK bytes behind it. */
static void take_row(struct sqlite3_stmt *st, struct spool_row *row)
{
	struct bytes tenant = column(st, 2), topic = column(st, 1), json = column(st, 5),
		     value = column(st, 8);
	char *at;

	*row = (struct spool_row){ .seq = sqlite3_column_int64(st, 0),
		                   .received_ms = sqlite3_column_int64(st, 3),
		                   .flags = sqlite3_column_int64(st, 6),
		                   .whole = true };
	row->mem = xcalloc(1, tenant.n + topic.n + 2 * json.n + value.n + BODY_SLACK +
	                              2 * RECORD_HEADERS_MAX + 8);
	at = row->mem;
	row->tenant = bytes_of(keep(&at, tenant), tenant.n);
	row->topic = keep(&at, topic);
	row->headers_json = bytes_of(keep(&at, json), json.n);
	row->value = bytes_of(keep(&at, value), value.n);
	row->signal = signal_of(column(st, 4), &row->whole);
	row->whole = row->whole && take_headers(row, at) &&
	             crc32c(row->value) == (uint32_t)sqlite3_column_int64(st, 7);
}

int spool_file_scan(const struct store_file *f, struct spool_scan *scan, struct err *err)
{
	struct sqlite3_stmt *st;
	bool more = true;
	int rc = SQLITE_ROW;

	if (prepare(f,
	            "SELECT seq, topic, tenant, received_ms, signal, headers, flags, crc32c, value "
	            "FROM record WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
	            &st, err) < 0)
		return -1;
	sqlite3_bind_int64(st, 1, scan->at);
	sqlite3_bind_int64(st, 2, f->rows);
	while (more && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(st, 0);
		struct spool_row row;

		/* Of a row that nobody wants the value's own pages are not read. */
		if (scan->wants(scan->arg, seq, column(st, 1))) {
			take_row(st, &row);
			more = scan->got(scan->arg, &row);
		}
		scan->at = seq;
	}
	rc = rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? 1 : store_sql_err(f->db, "its rows", err);
	sqlite3_finalize(st);
	return rc;
}

/* ---- the dead ---- */

int spool_file_add_dead(struct store_file *to, const struct spool_row *row, int64_t now_ms,
                        struct err *err)
{
	struct store_row copy = {
		.received_ms = row->received_ms,
		.flags = row->flags,
		.tenant = row->tenant,
		.topic = bytes_str(row->topic),
		.signal = bytes_str(signal_name(row->signal)),
		.headers = row->headers_json,
		.value = row->value,
	};
	struct sqlite3_stmt *st;

	if (store_sql(to->db, STORE_DEAD_TABLE, err) < 0 || store_file_add(to, &copy, err) < 0 ||
	    prepare(to, "INSERT INTO dead VALUES(?1, ?2, ?3)", &st, err) < 0)
		return -1;
	sqlite3_bind_int64(st, 1, to->rows + to->added);
	sqlite3_bind_int64(st, 2, now_ms);
	sqlite3_bind_text(st, 3, row->reason, -1, SQLITE_STATIC);
	return finish(to, st, "dead", err);
}
