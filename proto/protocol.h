/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol.h -- what a protocol is: paths, media types and how a body becomes a stamped record.
 * proto/ is pure: bytes in, bytes out, no I/O, no clock, no globals. A new protocol is one file
 * here and one line in common/protocols.def: then a route of the configuration may name it.
 */
#pragma once
#include "common/bytes.h"
#include "common/telemetry.h"
#include "common/verdict.h"
#include "proto/slices.h"
struct edits;
struct model;

enum dialect_id { /* whose rules shape replies: worker/dialects.c */
	DIALECT_PLAIN,
	DIALECT_GENERIC, /* data models, opaque bodies: 202 */
	DIALECT_OTLP,
	DIALECT_REMOTE_WRITE,
	DIALECT_LOKI,
	/* Of the systems that headgate replaces (compatibility.md): on their own paths, or on the
	 * shared ones of a listener with that dialect. */
	DIALECT_OBSTACK,
	DIALECT_MICROMEGAS,
	DIALECT_MOOSE,
	DIALECT_GATEWAY
};
enum utf8_mode { UTF8_STRICT, UTF8_REPAIR }; /* broken UTF-8 in a string: 400, or U+FFFD */

enum { BODY_SLACK = 64 }; /* readable bytes past the end of every body given to enrich() */
enum { HEADERS_WANTED_MAX = 4 }; /* of one protocol: struct protocol's headers */

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
	struct bytes stamp_prefix; /* attributes that begin so are reserved too; n = 0: none */
	enum utf8_mode utf8;
	unsigned depth; /* nested messages allowed, the request being 1; 32..100 */
	unsigned resources_max; /* OTLP Resource* messages of one request; beyond: V_COUNT */
	struct scratch *scratch;
	int64_t received; /* wall clock, ns since 1970 */
	struct bytes headers[HEADERS_WANTED_MAX]; /* values of the fields that the protocol names;
	                                           * p NULL: not sent */
	const struct model *model; /* what a data model's objects must be; NULL on other routes */
	struct bytes claims; /* for its `jwt` columns: a compact JSON object; n 0: no JWT */
	bool client_claims_win; /* a client's own value in such a column stays */
	size_t record_max; /* bytes of one record: transcoders that make many of a body refuse a
	                    * larger one before there is room for it. 0: none is too large */
};

/* What a reply to remote_write 2.0 says was written. */
enum written { WRITTEN_SAMPLES, WRITTEN_HISTOGRAMS, WRITTEN_EXEMPLARS, WRITTEN_COUNT };

struct enriched {
	struct edits *edits; /* the caller's, reset before; sorted: turns body into the value */
	/* The caller's, emptied before: the records that the value consists of, in order. None: all
	 * of it is one record. Only for values without edits: a transcoder writes them ready-made. */
	struct slices *slices;
	enum signal signal; /* the protocol's; with any_signal set by enrich() */
	uint64_t items; /* spans, data points, log records; samples, histograms, exemplars, metadata */
	uint64_t written[WRITTEN_COUNT]; /* formats that say so: of these items */
	uint64_t spoofed; /* client's own tenant attributes removed */
	uint64_t repaired; /* items whose broken UTF-8 was mended */
	uint64_t rejected; /* items that no record can hold: set by split(), not by enrich() */
	bool is_syntax; /* after V_INVALID: no JSON at all, rather than JSON that is refused */
	bool is_tenant; /* after V_INVALID: not the body's fault: its model cannot hold the id: 403 */
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
	TRANSCODE_ROOM, /* cap is too small: *n bytes are enough, if the body is valid at all */
	TRANSCODE_INVALID, /* e->reason says why */
	TRANSCODE_COUNT, /* too many of something: e->counted and so on, as after V_COUNT */
	TRANSCODE_RECORD, /* valid, but one of its e->items has *n bytes: above record_max */
};
/* The answer of a transcoder from JSON to protobuf that is out of room: an element of a packed list
 * of doubles takes 8 bytes for 2. */
static inline enum transcode transcode_room(const struct enrich_in *in, size_t *n)
{
	*n = 4 * in->body.n + 64;
	return TRANSCODE_ROOM;
}

/* Turns in->body into the form that enrich() reads. Writes nothing behind cap; sets e->signal where
 * only the body tells, and e->slices where a body is many records. What enrich() finds out is left
 * to it. */
typedef enum transcode (*transcode_fn)(const struct enrich_in *in, uint8_t *out, size_t cap,
                                       size_t *n, struct enriched *e);

struct split_in { /* a value too large for one record (records.md 1.3) */
	struct bytes value; /* as enrich() and the edits left it, BODY_SLACK readable bytes behind */
	size_t limit; /* bytes of one part */
	enum signal signal; /* of the value */
	struct scratch *scratch;
};
enum split {
	SPLIT_OK, /* *n bytes of out are the parts, one after the other */
	SPLIT_ROOM, /* cap is too small: *n bytes are enough */
	SPLIT_ITEM, /* an item of *n bytes fits no part, where none may be left out, or none is left */
	SPLIT_COUNT, /* more than SLICES_MAX parts */
};
/* Cuts a value into messages of at most in->limit bytes that together hold its items, each once, in
 * their order, and each part whatever encloses them. Writes nothing behind cap; parts is emptied
 * before. *rejected counts the items left out because no part can hold them (OTLP alone). */
typedef enum split (*split_fn)(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                               struct slices *parts, uint64_t *rejected);

#define TYPE_ANY "*/*" /* as a format's type: any well-formed one that no format before it has */
struct format {
	const char *type; /* media type, lower case, no parameters, one * in it stands for any
	                   * text; NULL ends the list */
	const char *proto; /* the parameter `proto` that means this format; without one it is the
	                    * first format of its type. NULL: the parameter is not looked at */
	const char *record_format; /* the record's `format` header (records.md 1) */
	const char *topic_suffix; /* of its topic, where the route names one for all; NULL: none */
	const char *record_type; /* the record's `content-type` header; NULL: the request's own type,
	                          * application/octet-stream if it has none */
	transcode_fn transcode; /* NULL: enrich() reads the body as it came */
	enrich_fn enrich;
	split_fn split; /* NULL: a value too large for one record is refused */
	/* Writes the stamp for a tenant into out (cap bytes): its length, 0 if it does not fit.
	 * NULL: the tenant stands in key and headers alone. */
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
	const char *const *headers; /* fields of the request that it reads; NULL, or ends with NULL */
	unsigned encodings; /* bit set of 1u << enum encoding */
	uint64_t wire_limit, inflated_limit; /* bytes; 0: limits.body, limits.inflated */
};

/* Builds the protocols' constant tables; once, before the first enrich(). Again is harmless. */
void protocols_open(void);

/* Those that a route of the configuration may name, then the others. */
#define PROTOCOL(word, variable) extern const struct protocol variable;
#include "common/protocols.def"
#undef PROTOCOL
extern const struct protocol protocol_loki_legacy, protocol_loki_entries,
	protocol_loki_legacy_entries; /* stamp: structured_metadata */
/* The same, but JSON bodies stay JSON. */
extern const struct protocol protocol_otlp_traces_kept, protocol_otlp_metrics_kept,
	protocol_otlp_logs_kept, protocol_otlp_any_kept, protocol_loki_kept,
	protocol_loki_legacy_kept, protocol_loki_entries_kept, protocol_loki_legacy_entries_kept;
extern const struct protocol protocol_models, protocol_moose; /* proto/model.h */
extern const struct protocol protocol_micromegas_process, protocol_micromegas_stream,
	protocol_micromegas_block, protocol_micromegas_traces, protocol_micromegas_metrics,
	protocol_micromegas_logs, protocol_micromegas_webhook, protocol_micromegas_traces_kept,
	protocol_micromegas_metrics_kept, protocol_micromegas_logs_kept;
