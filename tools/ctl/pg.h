/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg.h -- headgatectl's door to PostgreSQL: who it connects as, and what the server's errors mean
 * for the person who asked. Everything blocks, within limits. Never shows a connection string: it
 * may hold a password.
 */
#pragma once
#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif
#include "tools/ctl/ctl.h"

/* By --dsn or PGSERVICE. To read, without either, as the gateway itself (tenants.dsn of conf), and
 * says so; conf may be NULL. NULL and *code, said. */
PGconn *pg_open(struct ctl *c, const struct conf *conf, bool to_write, int *code) MUST_USE;

/* Text parameters, text results. NULL and *code if the statement failed, said. */
PGresult *pg_run(PGconn *conn, const char *sql, int count, const char *const *values,
                 int *code) MUST_USE;
/* Several statements at once, without parameters: 0 or an exit code. */
int pg_script(PGconn *conn, const char *sql) MUST_USE;
/* The same for a statement whose result nobody wants; *rows (may be NULL): how many it touched. */
int pg_change(PGconn *conn, const char *sql, int count, const char *const *values,
              long *rows) MUST_USE;
/* Rows of one column that holds JSON, as they come; those before a failure were handed out. 0 or an
 * exit code, said. */
int pg_each(PGconn *conn, const char *sql, int count, const char *const *values,
            void (*each)(void *arg, json_t *row), void *arg) MUST_USE;
