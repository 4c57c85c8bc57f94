/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle.h -- the same enrichment by protobuf-c's trees: unpack, remove, add, pack. Slow and
 * without a depth limit, so only for small bodies of tests and fuzzers; made from nothing of the
 * walker's.
 */
#pragma once
#include <protobuf-c/protobuf-c.h>
#include "common/bytes.h"
#include "common/telemetry.h"
#include "proto/schema/logs_service.pb-c.h"
#include "proto/schema/metrics_service.pb-c.h"
#include "proto/schema/trace_service.pb-c.h"

typedef Opentelemetry__Proto__Resource__V1__Resource oracle_resource;
typedef Opentelemetry__Proto__Common__V1__KeyValue oracle_pair;
typedef Opentelemetry__Proto__Common__V1__AnyValue oracle_value;

static inline const ProtobufCMessageDescriptor *oracle_root(enum signal signal)
{
	if (signal == SIGNAL_TRACES)
		return &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor;
	if (signal == SIGNAL_METRICS)
		return &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor;
	return &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor;
}

static inline oracle_pair *oracle_stamp(const char *name, const char *tenant)
{
	oracle_pair *pair = xcalloc(1, sizeof(*pair));

	opentelemetry__proto__common__v1__key_value__init(pair);
	pair->value = xcalloc(1, sizeof(*pair->value));
	opentelemetry__proto__common__v1__any_value__init(pair->value);
	pair->key = strdup(name);
	pair->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
	pair->value->string_value = strdup(tenant);
	return pair;
}

static inline void oracle_enrich_resource(oracle_resource **resource, const char *name,
                                          const char *tenant)
{
	oracle_resource *r = *resource;
	size_t kept = 0;

	if (!r) {
		r = *resource = xcalloc(1, sizeof(*r));
		opentelemetry__proto__resource__v1__resource__init(r);
	}
	for (size_t i = 0; i < r->n_attributes; i++) {
		if (strcmp(r->attributes[i]->key, name))
			r->attributes[kept++] = r->attributes[i];
		else
			opentelemetry__proto__common__v1__key_value__free_unpacked(r->attributes[i],
			                                                           NULL);
	}
	r->attributes = xrealloc(r->attributes, kept + 1, sizeof(*r->attributes));
	r->attributes[kept] = oracle_stamp(name, tenant);
	r->n_attributes = kept + 1;
}

/* Where a message keeps the member of this name. */
static inline void *oracle_member(ProtobufCMessage *m, const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

	return field ? (char *)m + field->offset : NULL;
}

static inline ProtobufCMessage *oracle_unpack(enum signal signal, struct bytes body)
{
	static const uint8_t none;

	return protobuf_c_message_unpack(oracle_root(signal), NULL, body.n,
	                                 body.n ? body.p : &none);
}

static inline uint8_t *oracle_pack(ProtobufCMessage *m, size_t *n)
{
	uint8_t *out;

	*n = protobuf_c_message_get_packed_size(m);
	out = xcalloc(*n + 1, 1);
	protobuf_c_message_pack(m, out);
	return out;
}

static inline void oracle_enrich(ProtobufCMessage *m, const char *name, const char *tenant)
{
	const ProtobufCFieldDescriptor *envelopes = &m->descriptor->fields[0];
	size_t n = *(size_t *)((char *)m + envelopes->quantifier_offset);
	ProtobufCMessage **list = *(ProtobufCMessage ***)((char *)m + envelopes->offset);

	for (size_t i = 0; i < n; i++)
		oracle_enrich_resource(oracle_member(list[i], "resource"), name, tenant);
}

/* Is value what a decoder makes of body, with the stamp? */
static inline bool oracle_equal(enum signal signal, struct bytes body, struct bytes value,
                                const char *name, const char *tenant)
{
	ProtobufCMessage *before = oracle_unpack(signal, body),
			 *after = oracle_unpack(signal, value);
	uint8_t *a = NULL, *b = NULL;
	size_t a_n = 0, b_n = 0;
	bool equal = false;

	if (before && after) {
		if (name)
			oracle_enrich(before, name, tenant);
		a = oracle_pack(before, &a_n);
		b = oracle_pack(after, &b_n);
		equal = a_n == b_n && !memcmp(a, b, a_n);
	}
	free(a);
	free(b);
	protobuf_c_message_free_unpacked(before, NULL);
	protobuf_c_message_free_unpacked(after, NULL);
	return equal;
}

static inline uint64_t oracle_count(const ProtobufCMessage *m, const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

	return field ? *(const size_t *)((const char *)m + field->quantifier_offset) : 0;
}

/* Items as a decoder sees them: the elements of the named lists, wherever they are. */
static inline uint64_t oracle_items(const ProtobufCMessage *m)
{
	uint64_t items = oracle_count(m, "spans") + oracle_count(m, "data_points") +
	                 oracle_count(m, "log_records");

	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &m->descriptor->fields[i];
		const void *at = (const char *)m + field->offset;

		if (field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			size_t n = *(const size_t *)((const char *)m + field->quantifier_offset);

			for (size_t k = 0; k < n; k++)
				items += oracle_items((*(ProtobufCMessage *const *const *)at)[k]);
		} else if (*(ProtobufCMessage *const *)at &&
		           (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
		            *(const uint32_t *)((const char *)m + field->quantifier_offset) ==
		                    field->id)) {
			items += oracle_items(*(ProtobufCMessage *const *)at);
		}
	}
	return items;
}
