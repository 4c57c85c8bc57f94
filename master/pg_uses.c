/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_uses.c -- last uses of tokens into headgate.token_use (records.md 2.2), a round each minute,
 * in parts. Hosts share the table: the greater time wins. A token that was deleted meanwhile is
 * left out, and nobody is waited for: what cannot be stored now is stored in a later round.
 */
#include "master/pg_private.h"

#include <string.h>

enum { USES_BYTES = 256 * KIB }; /* USES_ROWS ids of 64 bytes, and their times */

/* All in one order, so that hosts do not wait for each other crosswise. */
static void statement(const struct pg *p, struct buf *sql)
{
	const char *between = "";

	buf_str(sql, "SET LOCAL lock_timeout = '50ms'; SET LOCAL statement_timeout = '500ms';"
	             " SET LOCAL synchronous_commit = off;"
	             " INSERT INTO headgate.token_use AS u (token_id, last_used_at)"
	             " SELECT t.token_id, to_timestamp(n.at) FROM unnest('{");
	for (unsigned i = 0; i < p->uses_count; i++, between = ",") {
		assert(token_id_ok(p->uses[i].id)); /* so it needs no escapes */
		buf_printf(sql, "%s\"%.*s\"", between, (int)p->uses[i].id.n,
		           (const char *)p->uses[i].id.p);
	}
	buf_str(sql, "}'::text[], '{");
	between = "";
	for (unsigned i = 0; i < p->uses_count; i++, between = ",")
		buf_printf(sql, "%s%u", between, p->uses[i].at_s);
	buf_str(sql, "}'::bigint[]) n(id, at)"
	             " JOIN headgate.gateway_token t ON t.token_id = n.id ORDER BY t.token_id"
	             " ON CONFLICT (token_id) DO UPDATE SET last_used_at = excluded.last_used_at"
	             " WHERE u.last_used_at < excluded.last_used_at");
}

void pg_uses_start(struct pg *p)
{
	struct buf sql;
	bool over;

	if (loop_now() >= p->uses_round + USES_MS)
		p->uses_round = loop_now();
	p->uses_count = tenants_uses(p->tenants, p->uses, USES_ROWS, &over);
	p->uses_failed = false;
	p->next_uses = over ? p->uses_round + USES_MS : loop_now() + USES_AGAIN_MS;
	if (p->uses_count == 0) {
		pg_begin_step(p, STEP_IDLE);
		return;
	}
	buf_init(&sql, USES_BYTES);
	statement(p, &sql);
	pg_send_buf(p, &sql);
}

/* Somebody has it locked, is slow, or deleted a token at this moment. */
static bool may_pass(const char *state)
{
	static const char *const passing[] = { "55P03", "57014", "40P01", "23503" };

	for (size_t i = 0; state && i < ARRAY_LEN(passing); i++)
		if (strcmp(state, passing[i]) == 0)
			return true;
	return false;
}

void pg_uses_result(struct pg *p, PGresult *result)
{
	if (PQresultStatus(result) == PGRES_COMMAND_OK)
		return;
	p->uses_failed = true;
	if (p->uses_said || may_pass(PQresultErrorField(result, PG_DIAG_SQLSTATE)))
		return;
	p->uses_said = true;
	log_warn("tenants_pg", "can't store when tokens were last used",
	         KV_S("error", PQresultErrorMessage(result)));
}

void pg_uses_done(struct pg *p)
{
	if (!p->uses_failed)
		tenants_uses_stored(p->tenants, p->uses, p->uses_count);
	pg_begin_step(p, STEP_IDLE);
}
