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

enum dialect_id { /* whose rules shape replies: worker/dialects.c */
	DIALECT_PLAIN,
	DIALECT_OTLP,
	DIALECT_REMOTE_WRITE,
	DIALECT_LOKI,
	DIALECT_OBSTACK
};
enum utf8_mode { UTF8_STRICT, UTF8_REPAIR }; /* broken UTF-8 in a string: 400, or U+FFFD */

enum { BODY_SLACK = 64 }; /* readable bytes past the end of every body given to enrich() */

struct scratch { /* memory of a protocol between two bodies; zeroed it is ready, free() p ends it */
	void *p;
	size_t bytes;
};
/* At least bytes of it, what was there stays. How much is bounded by the protocol's own counts. */
static inline void *scratch_room(struct scratch *s, size_t bytes)
{
	if (bytes > s->bytes) {
		s->p = xrealloc(s->p, bytes, 1);
		s->bytes = bytes;
	}
	return s->p;
}
/* After a body: one that needed more than `keep` holds nothing for the next. */
static inline void scratch_trim(struct scratch *s, size_t keep)
{
	if (s->bytes > keep) {
		free(s->p);
		*s = (struct scratch){ 0 };
	}
}

struct enrich_in {
	struct bytes body; /* decoded, followed by BODY_SLACK readable bytes of any value */
	struct bytes stamp; /* ready-made by stamp() of the format; n = 0: record.enrich is header,
	                     * the body leaves as it came */
	struct bytes stamp_name; /* the reserved attribute, e.g. tenant_id; 1..255 bytes */
	enum utf8_mode utf8;
	unsigned depth; /* nested messages allowed, the request being 1; 32..100 */
	unsigned resources_max; /* OTLP Resource* messages of one request; beyond: V_COUNT */
	struct scratch *scratch;
};

/* What a reply to remote_write 2.0 says was written. */
enum written { WRITTEN_SAMPLES, WRITTEN_HISTOGRAMS, WRITTEN_EXEMPLARS, WRITTEN_COUNT };

struct enriched {
	struct edits *edits; /* the caller's, reset before; sorted: turns body into the value */
	enum signal signal; /* the protocol's; with any_signal set by enrich() */
	uint64_t items; /* spans, data points, log records; samples, histograms, exemplars, metadata */
	uint64_t written[WRITTEN_COUNT]; /* formats that say so: of these items */
	uint64_t spoofed; /* client's own tenant attributes removed */
	uint64_t repaired; /* items whose broken UTF-8 was mended */
	char reason[256]; /* after V_INVALID: what and where, no bytes of the client unescaped */
	uint64_t counted, count_limit; /* after V_COUNT: counting stops one past the limit */
	const char *counted_what; /* after V_COUNT, for its text: "resources", "edits" */
};

/* V_ACCEPTED: edits and counts are set, something to store; V_EMPTY: valid, nothing to store;
 * V_INVALID; V_COUNT; V_NO_STREAMS, Loki's word for a push without any. Reads every byte of the
 * body. Never allocates but in edits. */
typedef enum verdict (*enrich_fn)(const struct enrich_in *in, struct enriched *out);

enum transcode {
	TRANSCODE_OK, /* *n bytes of out are the body that enrich() is given */
	TRANSCODE_ROOM, /* cap is too small: once more with a larger buffer */
	TRANSCODE_INVALID, /* e->reason says why */
};
enum { TRANSCODE_GROWTH = 4, TRANSCODE_EXTRA = 64 }; /* out never needs more than 4 x body + 64 */

/* Turns in->body into the form that enrich() reads. Writes nothing behind cap; sets e->signal where
 * only the body tells. What enrich() finds out is left to it. */
typedef enum transcode (*transcode_fn)(const struct enrich_in *in, uint8_t *out, size_t cap,
                                       size_t *n, struct enriched *e);

#define TYPE_ANY "*/*" /* as a format's type: any well-formed one that no format before it has */
struct format {
	const char *type; /* media type, lower case, no parameters; NULL ends the list */
	const char *proto; /* the parameter `proto` that means this format; without one it is the
	                    * first format of its type. NULL: the parameter is not looked at */
	const char *record_format; /* the record's `format` header (records.md 1) */
	const char *record_type; /* the record's `content-type` header */
	transcode_fn transcode; /* NULL: enrich() reads the body as it came */
	enrich_fn enrich;
	/* Writes the stamp for a tenant into out (cap bytes): its length, 0 if it does not fit. */
	size_t (*stamp)(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap);
	bool untyped; /* meant by a request without Content-Type too */
	bool block; /* the message is a snappy block, whether or not Content-Encoding says so */
	bool plain; /* never a snappy block, even if Content-Encoding says so */
	bool written; /* replies carry the counts of remote_write 2.0 */
};
enum { FORMATS_MAX = 4 }; /* of one protocol */

struct protocol {
	const char *name; /* route name in metrics, logs and the headgate-route header */
	enum signal signal;
	bool any_signal; /* only the body tells; then a token's scope is judged after it */
	enum dialect_id dialect; /* a route may have another one, and other paths */
	const char *const *paths; /* exact, NULL-terminated */
	const struct format *formats; /* ends with type NULL */
	unsigned encodings; /* bit set of 1u << enum encoding */
	uint64_t wire_limit; /* bytes; 0: limits.body */
};

/* Builds the protocols' constant tables; once, before the first enrich(). Again is harmless. */
void protocols_open(void);

extern const struct protocol protocol_otlp_traces, protocol_otlp_metrics, protocol_otlp_logs,
	protocol_otlp_any, protocol_remote_write, protocol_loki, protocol_loki_legacy,
	protocol_loki_entries, protocol_loki_legacy_entries; /* stamp: structured_metadata */
