/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol.h -- what a protocol is: paths, media types and how a body becomes a stamped record.
 * proto/ is pure: bytes in, bytes out, no I/O, no clock, no globals. A new protocol is one file
 * here and one line in worker/route.c's table.
 */
#pragma once
#include "common/bytes.h"
#include "common/telemetry.h"
#include "common/verdict.h"
struct edits;

enum dialect_id { DIALECT_PLAIN, DIALECT_OTLP }; /* whose rules shape replies: worker/dialects.c */
enum utf8_mode { UTF8_STRICT, UTF8_REPAIR }; /* broken UTF-8 in a string: 400, or U+FFFD */

enum { BODY_SLACK = 64 }; /* readable bytes past the end of every body given to enrich() */

struct enrich_in {
	struct bytes body; /* decoded, followed by BODY_SLACK readable bytes of any value */
	struct bytes stamp; /* ready-made by *_stamp() of the protocol; n = 0: record.enrich is
	                     * header, the body leaves as it came */
	struct bytes stamp_name; /* the reserved attribute, e.g. tenant_id; 1..255 bytes */
	enum utf8_mode utf8;
	unsigned depth; /* nested messages allowed, the request being 1; 32..100 */
	unsigned resources_max; /* OTLP Resource* messages of one request; beyond: V_COUNT */
};

struct enriched {
	struct edits *edits; /* the caller's, reset before; sorted: turns body into the value */
	uint64_t items; /* spans, data points, log records */
	uint64_t spoofed; /* client's own tenant attributes removed */
	uint64_t repaired; /* items whose broken UTF-8 was mended */
	char reason[256]; /* after V_INVALID: what and where, no bytes of the client unescaped */
	uint64_t counted, count_limit; /* after V_COUNT: counting stops one past the limit */
	const char *counted_what; /* after V_COUNT, for its text: "resources", "edits" */
};

/* V_ACCEPTED: edits and counts are set, something to store; V_EMPTY: valid, nothing to store;
 * V_INVALID; V_COUNT. Reads every byte of the body. Never allocates but in edits. */
typedef enum verdict (*enrich_fn)(const struct enrich_in *in, struct enriched *out);

struct format {
	const char *type; /* media type, lower case, no parameters; NULL ends the list */
	const char *record_format; /* the record's `format` header (records.md 1) */
	const char *record_type; /* the record's `content-type` header */
	enrich_fn enrich;
};

struct protocol {
	const char *name; /* route name in metrics, logs and the headgate-route header */
	enum signal signal;
	const char *scope; /* a token needs it, or "*": "traces:write" */
	enum dialect_id dialect;
	const char *const *paths; /* exact, NULL-terminated */
	const struct format *formats; /* ends with type NULL */
	unsigned encodings; /* bit set of 1u << enum encoding */
	uint64_t wire_limit; /* bytes; 0: limits.body */
	/* Writes the stamp for a tenant into out (cap bytes): its length, 0 if it does not fit. */
	size_t (*stamp)(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap);
};

/* Builds the protocols' constant tables; once, before the first enrich(). Again is harmless. */
void protocols_open(void);

extern const struct protocol protocol_otlp_traces, protocol_otlp_metrics, protocol_otlp_logs;
