/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_line.c -- no field can forge a line: a client's value is cut first, then escaped; ids that
 * were checked against an alphabet need neither. Written by hand, field after field: it is on the
 * way of every request.
 */
#include "worker/audit_line.h"

#include "common/loop.h"
#include "worker/dialects.h"
#include "worker/listener.h"
#include "worker/route.h"
#include "worker/when.h"
#include "worker/worker.h"

enum { METHOD_BYTES = 32, CLAIMED_BYTES = 150, REASON_BYTES = 200, NAME_BYTES = 64 };
enum { CLAIM_WRITTEN_BYTES = 256 }; /* escaped */

#define LIT(b, text) buf_add((b), (text), sizeof(text) - 1)

static void put_text(struct buf *b, struct bytes text, size_t max)
{
	if (!text.n) {
		LIT(b, "null");
		return;
	}
	buf_char(b, '"');
	buf_json(b, text, max);
	buf_char(b, '"');
}

/* Of an alphabet that needs no escapes: ids, and names of our own. */
static void put_plain(struct buf *b, struct bytes text)
{
	if (!text.n) {
		LIT(b, "null");
		return;
	}
	buf_char(b, '"');
	buf_bytes(b, text);
	buf_char(b, '"');
}

static void put_flag(struct buf *b, bool value)
{
	if (value)
		LIT(b, "true");
	else
		LIT(b, "false");
}

static void put_number(struct buf *b, bool known, uint64_t value)
{
	if (known)
		buf_u64(b, value);
	else
		LIT(b, "null");
}

static void write_origin(const struct req *r, struct buf *b)
{
	const struct worker *w = r->w;
	const char *listener = r->listener ? worker_listener_name(w, r->listener->index) : NULL;
	const struct http_field *claimed = http_field_find(&r->head, "X-Scope-OrgID", 0);
	struct bytes trace =
		r->traceparent.n >= 35 ? bytes_of(r->traceparent.p + 3, 32) : BYTES_NONE;

	LIT(b, ",\"request_id\":");
	put_plain(b, bytes_str(r->request_id));
	LIT(b, ",\"client_request_id\":");
	put_plain(b, r->client_request_id);
	LIT(b, ",\"trace_id\":");
	put_plain(b, trace);
	LIT(b, ",\"listener\":");
	put_text(b, listener ? bytes_str(listener) : BYTES_NONE, NAME_BYTES);
	LIT(b, ",\"client\":");
	put_text(b, r->client_text ? bytes_str(r->client_text) : BYTES_NONE, NAME_BYTES);
	LIT(b, ",\"tls\":");
	put_flag(b, r->tls);
	LIT(b, ",\"route\":");
	put_plain(b, r->route ? bytes_str(r->route->name) : BYTES_NONE);
	LIT(b, ",\"method\":");
	put_text(b, r->head.method_text, METHOD_BYTES);
	LIT(b, ",\"tenant\":");
	put_text(b, bytes_of(r->who.tenant, r->who.tenant_n), TENANT_ID_MAX);
	LIT(b, ",\"claimed_tenant\":");
	put_text(b, claimed ? claimed->value : BYTES_NONE, CLAIMED_BYTES);
	LIT(b, ",\"token\":");
	put_text(b, bytes_str(r->who.token), NAME_BYTES);
}

/* As much of it as cannot become longer than that: what an issuer says may be anything. */
static size_t fitting(const char *text, size_t written_max)
{
	size_t n = 0, written = 0;

	for (; text[n]; n++) {
		uint8_t c = (uint8_t)text[n];

		written += c < ' ' || c == '"' || c == '\\' || c == 0x7f ? 6 : c >= 0x80 ? 3 : 1;
		if (written > written_max)
			break;
	}
	return n;
}

static void put_claim(struct buf *b, const char *text)
{
	if (text && *text)
		put_text(b, bytes_str(text), fitting(text, CLAIM_WRITTEN_BYTES));
	else
		LIT(b, "null");
}

/* Of a token of the table: its id, and api_key, which no issuer is called (compatibility.md 3). */
static void write_identity(const struct req *r, struct buf *b)
{
	const struct identity *who = &r->who;
	bool of_table = who->known && !who->issuer && who->method != METHOD_NONE;

	LIT(b, ",\"subject\":");
	put_claim(b, of_table ? who->token : who->subject);
	LIT(b, ",\"email\":");
	put_claim(b, who->email);
	LIT(b, ",\"issuer\":");
	put_claim(b, of_table ? "api_key" : who->issuer);
	LIT(b, ",\"admin\":");
	if (who->known)
		put_flag(b, who->admin);
	else
		LIT(b, "null");
}

/* A request that never came to auth has no method of it. */
static struct bytes auth_name(const struct req *r)
{
	static const char *const names[] = { "token",  "basic", "obstack",  "header",
		                             "pbkdf2", "jwt",   "userinfo", "none" };
	bool judged = r->route && r->route->protocol && r->refused_at >= STAGE_AUTH;

	return judged && r->who.method < ARRAY_LEN(names) ? bytes_str(names[r->who.method])
	                                                  : BYTES_NONE;
}

static void write_outcome(const struct req *r, int status, struct buf *b)
{
	bool success = verdict_is_success(r->verdict);
	const char *reason = success ? "" : r->why[0] ? r->why : dialect_text(r);

	LIT(b, ",\"auth\":");
	put_plain(b, auth_name(r));
	LIT(b, ",\"verdict\":");
	put_plain(b, bytes_str(verdict_get(r->verdict)->id));
	LIT(b, ",\"code\":");
	put_number(b, status > 0, (uint64_t)status);
	LIT(b, ",\"stage\":");
	put_plain(b, success ? BYTES_NONE : bytes_str(stage_name(r->refused_at)));
	LIT(b, ",\"reason\":");
	put_text(b, bytes_str(reason), REASON_BYTES);
	LIT(b, ",\"retry_after_s\":");
	put_number(b, r->retry_after > 0, r->retry_after);
}

static void write_amounts(const struct req *r, uint64_t bytes_out, struct buf *b)
{
	bool judged = r->format != NULL; /* the coding is known once the type is */
	bool placed = r->produced && r->verdict == V_ACCEPTED && r->partition >= 0;

	LIT(b, ",\"encoding\":");
	put_plain(b, judged ? bytes_str(encoding_name(r->encoding)) : BYTES_NONE);
	LIT(b, ",\"bytes_in\":");
	buf_u64(b, r->wire_bytes);
	LIT(b, ",\"bytes_decoded\":");
	put_number(b, r->refused_at > STAGE_INFLATE, r->decoded_bytes);
	LIT(b, ",\"items\":");
	put_number(b, r->refused_at >= STAGE_ENRICH, r->enriched.items);
	LIT(b, ",\"bytes_out\":");
	buf_u64(b, bytes_out);
	LIT(b, ",\"duration_us\":");
	buf_u64(b, (uint64_t)r->duration_ns / 1000);
	LIT(b, ",\"topic\":");
	put_plain(b, r->produced && r->topic ? bytes_str(r->topic) : BYTES_NONE);
	LIT(b, ",\"partition\":");
	put_number(b, placed, (uint64_t)r->partition);
	LIT(b, ",\"offset\":");
	put_number(b, placed, (uint64_t)r->offset);
}

static void write_start(const struct audit_line *line, struct buf *b)
{
	char ts[WHEN_RFC3339_US_BYTES];

	when_rfc3339_us(loop_wall_ns(), ts);
	LIT(b, "{\"ts\":\"");
	buf_add(b, ts, sizeof(ts) - 1);
	LIT(b, "\",\"kind\":\"");
	buf_str(b, line->kind);
	LIT(b, "\",\"seq\":");
	buf_u64(b, line->seq);
	LIT(b, ",\"worker\":");
	buf_i64(b, line->worker);
	LIT(b, ",\"gen\":");
	buf_u64(b, line->generation);
}

void audit_line_request(struct buf *b, const struct audit_line *line, const struct req *r,
                        int status, uint64_t bytes_out)
{
	write_start(line, b);
	write_origin(r, b);
	write_identity(r, b);
	write_outcome(r, status, b);
	write_amounts(r, bytes_out, b);
	LIT(b, ",\"suppressed\":null}\n");
}

void audit_line_suppressed(struct buf *b, const struct audit_line *line, uint64_t suppressed)
{
	write_start(line, b);
	LIT(b,
	    ",\"request_id\":null,\"client_request_id\":null,\"trace_id\":null,\"listener\":null,"
	    "\"client\":null,\"tls\":null,\"route\":null,\"method\":null,\"tenant\":null,"
	    "\"claimed_tenant\":null,\"token\":null,\"subject\":null,\"email\":null,\"issuer\":"
	    "null,"
	    "\"admin\":null,\"auth\":null,\"verdict\":\"hg-credential\",\"code\":401,\"stage\":"
	    "null,"
	    "\"reason\":null,\"retry_after_s\":null,\"encoding\":null,\"bytes_in\":null,"
	    "\"bytes_decoded\":null,\"items\":null,\"bytes_out\":null,\"duration_us\":null,"
	    "\"topic\":null,\"partition\":null,\"offset\":null,\"suppressed\":");
	buf_u64(b, suppressed);
	LIT(b, "}\n");
}
