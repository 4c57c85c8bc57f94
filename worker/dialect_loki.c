/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_loki.c -- Loki's statuses, and its words as far as it has some (protocols.md 1.4, 6).
 */
#include "worker/dialect_private.h"

enum { SHOWN_BYTES = 50 }; /* of a client's header, each up to four */

/* Its senders repeat on a 415 for ever (protocols.md 1.4). */
static int loki_status(const struct route *route, enum verdict v)
{
	(void)route;
	if (v == V_TYPE || v == V_ENCODING)
		return 400;
	return dialect_status_or(v, 204);
}

static void loki_render(const struct req *r, struct reply *reply)
{
	char text[DIALECT_MESSAGE_BYTES];
	struct buf b;

	buf_init_fixed(&b, text, sizeof(text) - 1);
	if (r->verdict == V_ENCODING && r->head.content_encoding_count == 1) {
		buf_str(&b, "Content-Encoding \"");
		buf_escaped(&b, r->head.content_encoding, SHOWN_BYTES);
		buf_str(&b, "\" not supported");
	} else if (r->verdict == V_BODY_SIZE || r->verdict == V_INFLATED_SIZE) {
		buf_printf(&b, "request body too large: %s", dialect_text(r));
	} else if (r->verdict == V_RATE_BYTES) {
		buf_printf(
			&b,
			"ingestion rate limit exceeded for user %s (limit: %llu bytes/sec) while "
			"sending %llu bytes; retry after %u s",
			r->who.tenant, (unsigned long long)r->who.limits.rates[LIMIT_BYTES].per_s,
			(unsigned long long)r->rates.asked[LIMIT_BYTES], r->retry_wait);
	} else {
		if (!verdict_is_success(r->verdict))
			dialect_line(r, dialect_text(r), reply);
		return;
	}
	text[b.n] = '\0';
	dialect_line(r, text, reply);
}

const struct dialect dialect_loki = { "loki", loki_status, loki_render, .org = ORG_CHECKED };
