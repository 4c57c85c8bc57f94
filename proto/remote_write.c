/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write.c -- Prometheus remote_write 1.0 and 2.0 (protocols.md 5): two messages of one
 * protocol, told apart by the Content-Type alone.
 */
#include "proto/remote_write.h"

#include "proto/encoding.h"
#include "proto/schema/remote_write.pb-c.h"
#include "proto/schema/remote_write_v2.pb-c.h"

#define V1(x) prometheus__##x##__descriptor
#define V2(x) io__prometheus__write__v2__##x##__descriptor

/* clang-format off */
static const struct pb_mark marks[] = {
	/* message              field         role      watch */
	{ &V1(write_request),   "metadata",   PB_ITEM,  0 },
	{ &V1(time_series),     "samples",    PB_ITEM,  0 },
	{ &V1(time_series),     "exemplars",  PB_ITEM,  0 },
	{ &V1(time_series),     "histograms", PB_ITEM,  0 },
	{ &V2(time_series),     "samples",    PB_ITEM,  0 },
	{ &V2(time_series),     "exemplars",  PB_ITEM,  0 },
	{ &V2(time_series),     "histograms", PB_ITEM,  0 },
	{ 0 }
};
/* clang-format on */

/* Built once by remote_write_open(), only read afterwards. */
static struct pb_schema schemas[2];
static const struct pb_message *roots[2];

void remote_write_open(void)
{
	if (schemas[0].n)
		return;
	roots[0] = pb_schema_add(&schemas[0], &V1(write_request), marks);
	roots[1] = pb_schema_add(&schemas[1], &V2(request), marks);
}

enum verdict remote_write_enrich(unsigned version, bool exact, const struct enrich_in *in,
                                 struct enriched *out)
{
	struct pb_walk w;

	pb_walk_init(&w, &schemas[version - 1], roots[version - 1]);
	w.body = in->body;
	w.utf8 = in->utf8;
	w.depth = in->depth;
	w.edits = out->edits;
	w.exact = exact;
	out->reason[0] = '\0';
	if (!pb_walk_run(&w)) {
		pb_reason(&w, out->reason, sizeof(out->reason));
		return V_INVALID;
	}
	out->items = w.items;
	return w.items ? V_ACCEPTED : V_EMPTY;
}

static enum verdict v1_enrich(const struct enrich_in *in, struct enriched *out)
{
	return remote_write_enrich(1, false, in, out);
}

static enum verdict v2_enrich(const struct enrich_in *in, struct enriched *out)
{
	return remote_write_enrich(2, false, in, out);
}

static size_t label_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	(void)name, (void)tenant_id;
	if (!cap)
		return 0;
	out[0] = 0;
	return 1;
}

const struct protocol protocol_remote_write = {
	.name = "remote_write",
	.signal = SIGNAL_METRICS,
	.dialect = DIALECT_REMOTE_WRITE,
	.paths = (const char *const[]){ "/api/v1/write", "/api/v1/push", NULL },
	.formats = (const struct format[]){ { .type = "application/x-protobuf",
	                                      .proto = "prometheus.WriteRequest",
	                                      .untyped = true,
	                                      .block = true,
	                                      .record_format = "prom_rw1",
	                                      .record_type = "application/x-protobuf;proto="
	                                                     "prometheus.WriteRequest",
	                                      .enrich = v1_enrich,
	                                      .stamp = label_stamp },
	                                    { .type = "application/x-protobuf",
	                                      .proto = "io.prometheus.write.v2.Request",
	                                      .block = true,
	                                      .written = true,
	                                      .record_format = "prom_rw2",
	                                      .record_type = "application/x-protobuf;proto="
	                                                     "io.prometheus.write.v2.Request",
	                                      .enrich = v2_enrich,
	                                      .stamp = label_stamp },
	                                    { 0 } },
	.encodings = 1u << ENCODING_IDENTITY | 1u << ENCODING_SNAPPY,
};
