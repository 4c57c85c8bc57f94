/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c -- headgatectl schema and migrate: the numbered SQL files of the package, what the
 * database has of them, and the way forward. Each file runs in a transaction of its own and says
 * its number in headgate.schema_version; one headgatectl at a time (an advisory lock); never back.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include "tools/ctl/commands.h"
#include "tools/ctl/pg.h"
#include "tools/ctl/registry.h"

enum { NUMBER_DIGITS = 3, SQL_MAX = 4 * MIB, FILES_MAX = 999 };

static const struct command_option dsn_options[] = { REGISTRY_OPTION, { 0 } };
static const struct command_option migrate_options[] = {
	{ "dry-run", NULL, "says what it would do, changes nothing", 0 },
	REGISTRY_OPTION,
	{ 0 },
};

struct migration {
	int version;
	char *path;
};
struct migrations { /* 1, 2, 3, ... without a gap */
	struct migration v[FILES_MAX];
	int count;
};

static void migrations_done(struct migrations *m)
{
	for (int i = 0; i < m->count; i++)
		free(m->v[i].path);
	free(m);
}

/* ---- the files ---- */

/* $HEADGATE_SHARE, else what lies beside this program (a build tree), else the package's. */
static void find_folder(char *out, size_t cap)
{
	const char *env = getenv("HEADGATE_SHARE");
	char exe[PATH_MAX - sizeof("/share/sql")];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (env && *env) {
		snprintf(out, cap, "%s/sql", env);
		return;
	}
	exe[n > 0 ? n : 0] = '\0';
	if (strrchr(exe, '/')) {
		*strrchr(exe, '/') = '\0';
		snprintf(out, cap, "%s/share/sql", exe);
		if (access(out, R_OK) == 0)
			return;
	}
	snprintf(out, cap, "%s/sql", HEADGATE_SHARE);
}

/* The number of NNN_name.sql; 0: it is none. */
static int version_of(const char *name)
{
	size_t n = strlen(name);

	if (n <= NUMBER_DIGITS + strlen("_.sql") || strspn(name, "0123456789") != NUMBER_DIGITS ||
	    name[NUMBER_DIGITS] != '_' || strcmp(name + n - strlen(".sql"), ".sql") != 0)
		return 0;
	return atoi(name);
}

static int by_version(const void *a, const void *b)
{
	return ((const struct migration *)a)->version - ((const struct migration *)b)->version;
}

static int list_files(struct migrations *m, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	if (!dir)
		return ctl_fail(EX_OSERR,
		                "%s: %m; say where the SQL files are: HEADGATE_SHARE names the "
		                "folder above sql/",
		                folder);
	while ((e = readdir(dir)) && m->count < FILES_MAX) {
		char path[PATH_MAX + NAME_MAX + 2];
		int version = version_of(e->d_name);

		if (!version)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		m->v[m->count++] = (struct migration){ version, xstrdup(path) };
	}
	closedir(dir);
	qsort(m->v, (size_t)m->count, sizeof(m->v[0]), by_version);
	for (int i = 0; i < m->count; i++)
		if (m->v[i].version != i + 1)
			return ctl_fail(EX_SOFTWARE, "%s: number %d is missing or there twice",
			                folder, i + 1);
	return m->count ? 0 : ctl_fail(EX_OSERR, "%s holds no NNN_name.sql", folder);
}

static struct migrations *find_migrations(int *code)
{
	struct migrations *m = xcalloc(1, sizeof(*m));
	char folder[PATH_MAX];

	find_folder(folder, sizeof(folder));
	*code = list_files(m, folder);
	if (!*code)
		return m;
	migrations_done(m);
	return NULL;
}

static const char *name_of(const struct migration *m)
{
	return strrchr(m->path, '/') + 1;
}

/* The text, malloc'd; NULL and *code. */
static char *read_sql(const struct migration *m, int *code)
{
	FILE *file = fopen(m->path, "re");
	char *text = file ? xcalloc(SQL_MAX, 1) : NULL;
	size_t n = file ? fread(text, 1, SQL_MAX - 1, file) : 0;
	bool whole = file && !ferror(file) && feof(file) && n && !memchr(text, '\0', n);

	if (!whole)
		*code = ctl_fail(EX_OSERR, "%s: can't read it whole: %s", m->path,
		                 file ? "empty, too large, or no text" : strerror(errno));
	if (file)
		fclose(file);
	if (whole)
		return text;
	free(text);
	return NULL;
}

static int print_run(struct ctl *c)
{
	int code;
	struct migrations *m = find_migrations(&code);

	if (!m)
		return code;
	for (int i = 0; i < m->count && !code; i++) {
		autofree char *text = read_sql(&m->v[i], &code);

		if (text && c->json)
			ctl_json(json_pack("{s:i,s:s,s:o}", "version", m->v[i].version, "name",
			                   name_of(&m->v[i]), "sql", ctl_text(bytes_str(text))));
		else if (text)
			ctl_lines(stdout, text);
	}
	migrations_done(m);
	return code;
}

/* ---- the database ---- */

/* A foreign table has no schema of ours, a tenants file no database. */
static PGconn *open_database(struct ctl *c, bool to_write, int *code)
{
	const struct conf *conf = NULL;

	*code = 0;
	if (!ctl_given(c, "dsn") && !getenv("PGSERVICE")) {
		conf = ctl_conf(c, code);
		if (!conf)
			return NULL;
		if (conf->tenants.source != TENANTS_POSTGRES) {
			*code = ctl_usage(
				c,
				"%s has tenants.source: file, so which database? --dsn or "
				"PGSERVICE",
				ctl_conf_path(c));
			return NULL;
		}
	}
	return pg_open(c, conf, to_write, code);
}

/* 0: no schema yet; below 0: *code. */
static int read_version(PGconn *conn, int *code)
{
	PGresult *r = pg_run(conn, "SELECT to_regnamespace('headgate') IS NOT NULL", 0, NULL, code);
	int version = -1;

	if (!r)
		return -1;
	if (PQgetvalue(r, 0, 0)[0] != 't') {
		PQclear(r);
		return 0;
	}
	PQclear(r);
	r = pg_run(conn, "SELECT coalesce(max(version), 0) FROM headgate.schema_version", 0, NULL,
	           code);
	if (r)
		version = atoi(PQgetvalue(r, 0, 0));
	PQclear(r);
	return version;
}

static int compare(const struct migrations *m, int version)
{
	if (version > m->count)
		return ctl_fail(
			EXIT_NEGATIVE,
			"the schema has version %d, this headgatectl knows %d: it is too old",
			version, m->count);
	return 0;
}

static int status_of(const struct ctl *c, const struct migrations *m, int version)
{
	int code = compare(m, version);

	if (c->json)
		ctl_json(json_pack("{s:i,s:i,s:i}", "version", version, "newest", m->count,
		                   "pending", version < m->count ? m->count - version : 0));
	else if (version)
		printf("version %d of %d\n", version, m->count);
	else
		puts("no schema headgate");
	for (int i = version; i < m->count && !c->json; i++)
		printf("pending: %s\n", name_of(&m->v[i]));
	if (!code && version < m->count)
		code = EXIT_NEGATIVE;
	return code;
}

static int schema_status_run(struct ctl *c)
{
	int code, version;
	struct migrations *m = find_migrations(&code);
	PGconn *conn = m ? open_database(c, false, &code) : NULL;

	if (conn) {
		version = read_version(conn, &code);
		if (version >= 0)
			code = status_of(c, m, version);
	}
	PQfinish(conn);
	if (m)
		migrations_done(m);
	return code;
}

/* ---- forward ---- */

static int run_file(PGconn *conn, const struct migration *m)
{
	int code = 0;
	autofree char *text = read_sql(m, &code);

	if (!text)
		return code;
	code = pg_script(conn, "BEGIN");
	if (!code)
		code = pg_script(conn, text);
	if (!code && read_version(conn, &code) != m->version && !code)
		code = ctl_fail(EX_SOFTWARE, "%s does not say its number in schema_version",
		                m->path);
	if (!code)
		return pg_script(conn, "COMMIT");
	/* A connection that is gone has taken its transaction with it. */
	if (PQstatus(conn) == CONNECTION_OK && pg_script(conn, "ROLLBACK") != 0)
		PQreset(conn);
	ctl_error("%s: rolled back, the schema is as before", name_of(m));
	return code;
}

/* Two at once: the second waits, and then finds nothing to do. */
static int lock(PGconn *conn)
{
	return pg_script(conn, "SET lock_timeout = '60s'; SET statement_timeout = 0;"
	                       "SELECT pg_advisory_lock(hashtext('headgate.migrate'))");
}

static int forward(struct ctl *c, PGconn *conn, const struct migrations *m, int *version)
{
	struct progress *p = progress_open(c, "migrate", (uint64_t)m->count);
	int code = 0;

	for (int i = *version; i < m->count && !code; i++) {
		progress_at(p, (uint64_t)i, name_of(&m->v[i]));
		code = run_file(conn, &m->v[i]);
		progress_clear(p);
		if (code)
			break;
		*version = i + 1;
		if (!c->json && !c->quiet)
			printf("done: %s\n", name_of(&m->v[i]));
	}
	progress_close(p);
	return code;
}

static int migrate(struct ctl *c, PGconn *conn, const struct migrations *m)
{
	bool dry = ctl_given(c, "dry-run");
	int code = dry ? 0 : lock(conn), from, version;

	if (code)
		return code;
	from = version = read_version(conn, &code);
	if (version < 0)
		return code;
	code = compare(m, version);
	for (int i = version; dry && !code && !c->json && i < m->count; i++)
		printf("would run: %s\n", name_of(&m->v[i]));
	if (!code && !dry)
		code = forward(c, conn, m, &version);
	if (c->json)
		ctl_json(json_pack("{s:i,s:i,s:i,s:b}", "from", from, "version", version, "newest",
		                   m->count, "dry_run", dry));
	else if (!code && !c->quiet)
		printf("version %d of %d\n", version, m->count);
	return code;
}

static int migrate_run(struct ctl *c)
{
	int code;
	struct migrations *m = find_migrations(&code);
	PGconn *conn = m ? open_database(c, !ctl_given(c, "dry-run"), &code) : NULL;

	if (conn)
		code = migrate(c, conn, m);
	PQfinish(conn); /* which unlocks */
	if (m)
		migrations_done(m);
	return code;
}

const struct command command_schema_print = {
	"schema print", "", "the SQL of all versions, in order", NULL, 0, 0, print_run, NULL,
};
const struct command command_schema_status = {
	"schema status",   "",   "what the database has; exit 1 when it is behind",
	dsn_options,       0,    0,
	schema_status_run, NULL,
};
const struct command command_migrate = {
	"migrate",       "",   "brings the schema headgate to the newest version",
	migrate_options, 0,    0,
	migrate_run,     NULL,
};
