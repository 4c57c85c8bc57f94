/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/pg.h"

#include <string.h>

/* Nobody waits for ever on a row that somebody else holds. */
static const char limits_sql[] = "SET lock_timeout = '10s'; SET statement_timeout = '5min';"
				 "SET idle_in_transaction_session_timeout = '60s'";
/* A query of the operator's may call anything. */
static const char read_only_sql[] = "SET default_transaction_read_only = on";

/* ---- who connects ---- */

/* argv is public. NULL: no password in it. */
static const char *what_is_secret(const char *dsn, bool *parsed)
{
	PQconninfoOption *options = PQconninfoParse(dsn, NULL);
	const char *found = NULL;

	*parsed = options != NULL;
	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (o->val && strcmp(o->keyword, "password") == 0)
			found = "a password";
		else if (o->val && strcmp(o->keyword, "sslpassword") == 0)
			found = "a key's password";
	PQconninfoFree(options);
	return found;
}

/* The same words for all that is wrong with it: what libpq would say quotes the string. */
static bool is_name(const char *dsn) /* of a database */
{
	return !strchr(dsn, '=') && !strstr(dsn, "://");
}

static int check_dsn(const struct ctl *c, const char *dsn)
{
	const char *secret;
	bool parsed = true;

	if (is_name(dsn))
		return 0;
	secret = what_is_secret(dsn, &parsed);
	if (!parsed)
		return ctl_usage(c, "--dsn is no connection string of libpq");
	if (secret)
		return ctl_usage(c,
		                 "--dsn holds %s, and everybody sees a command line: put it into "
		                 "~/.pgpass (mode 0600) or a service file (PGSERVICE)",
		                 secret);
	return 0;
}

/* The file's content travels with a configuration only if it is opened, and ctl does not. */
static char *read_dsn_file(const char *path, int *code)
{
	char text[4096];
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	bool parsed = true;

	if (!file || ferror(file)) {
		*code = ctl_fail(EX_NOPERM,
		                 "%s: can't read (tenants.dsn_file): %m; say --dsn or PGSERVICE",
		                 path);
		if (file)
			fclose(file);
		return NULL;
	}
	fclose(file);
	if (n && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	if (!is_name(text))
		what_is_secret(text, &parsed); /* here it may have one, but libpq quotes */
	if (parsed && n < sizeof(text) - 1)
		return xstrndup(text, n);
	*code = ctl_fail(EX_CONFIG, "%s: no connection string of libpq (tenants.dsn_file)", path);
	return NULL;
}

/* The gateway's own, malloc'd. */
static char *gateway_dsn(struct ctl *c, const struct conf *conf, int *code)
{
	const char *file = conf->tenants.dsn_file.path;
	const char *dsn = conf->tenants.dsn;

	ctl_note(c, "reading as the gateway does (%s of %s); --dsn or PGSERVICE would show more",
	         file && *file ? "tenants.dsn_file" : "tenants.dsn", ctl_conf_path(c));
	if (file && *file)
		return read_dsn_file(file, code);
	return xstrdup(dsn ? dsn : "");
}

static char *find_dsn(struct ctl *c, const struct conf *conf, bool to_write, int *code)
{
	const char *given = ctl_value(c, "dsn");

	if (given) {
		*code = check_dsn(c, given);
		return *code ? NULL : xstrdup(given);
	}
	if (getenv("PGSERVICE"))
		return xstrdup("");
	if (conf && !to_write)
		return gateway_dsn(c, conf, code);
	*code = ctl_usage(c, "which database, and as whom? --dsn 'host=... dbname=... user=...' or "
	                     "PGSERVICE, for a role of the group headgate_writer (the gateway's "
	                     "own role only reads)");
	return NULL;
}

/* ---- errors ---- */

/* Several lines, of several hosts, as one; nothing in it steers this terminal. */
static void say_libpq(const char *what, const char *text)
{
	autofree char *copy = xstrdup(text);
	size_t n = strlen(copy);

	while (n && copy[n - 1] == '\n')
		copy[--n] = '\0';
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	ctl_error("%s%s%s", what, *what ? ": " : "", copy);
}

static const struct {
	const char *state; /* SQLSTATE, or its class */
	int code;
	const char *help;
} meanings[] = {
	{ "42501", EX_NOPERM,
	  "changes need a role of the group headgate_writer (GRANT headgate_writer TO ...); the "
	  "schema itself, its owner" },
	{ "3F000", EXIT_NEGATIVE, "the schema headgate is not there: headgatectl migrate" },
	{ "42P01", EXIT_NEGATIVE, "the schema headgate is not there: headgatectl migrate" },
	{ "25006", EX_TEMPFAIL, "a server that may be written is wanted" },
	{ "55P03", EX_TEMPFAIL, "another transaction holds these rows; try again" },
	{ "40", EX_TEMPFAIL, "try again" },
	{ "57", EX_TEMPFAIL, "try again" },
	{ "53", EX_TEMPFAIL, "the server is out of something; try again" },
	{ "08", EX_UNAVAILABLE, NULL },
};

static int explain(PGconn *conn, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	say_libpq("", words ? words : PQerrorMessage(conn));
	if (PQstatus(conn) != CONNECTION_OK)
		return EX_UNAVAILABLE;
	for (size_t i = 0; state && i < ARRAY_LEN(meanings); i++) {
		if (strncmp(state, meanings[i].state, strlen(meanings[i].state)) != 0)
			continue;
		if (meanings[i].help)
			ctl_error("%s", meanings[i].help);
		return meanings[i].code;
	}
	return EXIT_NEGATIVE;
}

/* ---- statements ---- */

static bool is_good(const PGresult *result)
{
	int status = (int)PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

PGresult *pg_run(PGconn *conn, const char *sql, int count, const char *const *values, int *code)
{
	PGresult *result = PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);

	if (is_good(result))
		return result;
	*code = explain(conn, result);
	PQclear(result);
	return NULL;
}

int pg_script(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	int code = is_good(result) ? 0 : explain(conn, result);

	PQclear(result);
	return code;
}

int pg_change(PGconn *conn, const char *sql, int count, const char *const *values, long *rows)
{
	int code = 0;
	PGresult *result = pg_run(conn, sql, count, values, &code);

	if (result && rows)
		*rows = strtol(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	return code;
}

static int take_row(const PGresult *result, void (*each)(void *arg, json_t *row), void *arg)
{
	json_t *row = json_loads(PQgetvalue(result, 0, 0), 0, NULL);

	if (!row)
		return ctl_fail(EX_SOFTWARE, "the database gave a row that is no JSON");
	each(arg, row);
	json_decref(row);
	return 0;
}

int pg_each(PGconn *conn, const char *sql, int count, const char *const *values,
            void (*each)(void *arg, json_t *row), void *arg)
{
	PGresult *result;
	int code = 0;

	if (!PQsendQueryParams(conn, sql, count, NULL, values, NULL, NULL, 0) ||
	    !PQsetSingleRowMode(conn)) {
		say_libpq("PostgreSQL", PQerrorMessage(conn));
		return EX_UNAVAILABLE;
	}
	while ((result = PQgetResult(conn))) {
		if (!code && PQresultStatus(result) == PGRES_SINGLE_TUPLE)
			code = take_row(result, each, arg);
		else if (!code && !is_good(result))
			code = explain(conn, result);
		PQclear(result);
	}
	return code;
}

static void on_notice(void *arg, const char *text)
{
	(void)arg, (void)text; /* what a migration's DDL tells of itself is no news */
}

PGconn *pg_open(struct ctl *c, const struct conf *conf, bool to_write, int *code)
{
	/* What stands before dbname the connection string may overrule. */
	static const char *const keys[] = { "fallback_application_name", "connect_timeout",
		                            "dbname", "client_encoding", NULL };
	autofree char *dsn = find_dsn(c, conf, to_write, code);
	const char *const values[] = { "headgatectl", "10", dsn, "UTF8", NULL };
	PGconn *conn;

	if (!dsn)
		return NULL;
	conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(conn) != CONNECTION_OK) {
		say_libpq("PostgreSQL", PQerrorMessage(conn));
		*code = EX_UNAVAILABLE;
		if (PQconnectionNeedsPassword(conn))
			*code = ctl_fail(EX_NOPERM,
			                 "its password belongs into ~/.pgpass (mode 0600)");
	} else {
		PQsetNoticeProcessor(conn, on_notice, NULL);
		*code = pg_script(conn, limits_sql);
		if (!*code && !to_write)
			*code = pg_script(conn, read_only_sql);
	}
	if (!*code)
		return conn;
	PQfinish(conn);
	return NULL;
}
