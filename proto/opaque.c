/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opaque.c -- bodies that nobody looks into: one record, byte for byte. The tenant stands in its key
 * and headers alone (records.md 1.2).
 */
#include <stdio.h>
#include "proto/encoding.h"
#include "proto/opaque.h"

enum verdict opaque_enrich(const struct enrich_in *in, struct enriched *out)
{
	if (in->body.n == 0) { /* a record without value means a deletion to a compacted topic */
		snprintf(out->reason, sizeof(out->reason), "empty body");
		return V_INVALID;
	}
	out->items = 1;
	return V_ACCEPTED;
}

const struct protocol protocol_opaque = {
	.name = "opaque",
	.signal = SIGNAL_OPAQUE,
	.dialect = DIALECT_GENERIC,
	.paths = (const char *const[]){ NULL }, /* a configured route's */
	.formats = (const struct format[]){ { .type = TYPE_ANY,
	                                      .record_format = "raw",
	                                      .enrich = opaque_enrich,
	                                      .untyped = true },
	                                    { 0 } },
	.encodings = ENCODINGS_GENERIC,
};
