/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_judge.c -- see loki_judge.h. The texts are Loki's (protocols.md 6).
 */
#include "proto/loki_judge.h"

#include <stdio.h>

#include "common/buf.h"
#include "proto/loki_splice.h"

enum {
	SHOWN_LABELS = 32, /* of a label text in a reason: a byte may be shown as four */
	SHOWN_NAME = 16,
};

enum verdict loki_too_many(struct enriched *out, const char *what, uint64_t counted, uint64_t limit)
{
	out->counted_what = what;
	out->counted = counted;
	out->count_limit = limit;
	return V_COUNT;
}

enum verdict loki_unlabelled(struct enriched *out)
{
	snprintf(out->reason, sizeof(out->reason),
	         "error at least one label pair is required per stream");
	return V_INVALID;
}

enum verdict loki_untimely(struct enriched *out, uint64_t stream, uint64_t entry)
{
	snprintf(out->reason, sizeof(out->reason),
	         "streams[%llu].entries[%llu].timestamp: out of range", (unsigned long long)stream,
	         (unsigned long long)entry);
	return V_INVALID;
}

static enum verdict unparsed(const struct labels *labels, struct bytes text, struct enriched *out)
{
	struct buf b;

	buf_init_fixed(&b, out->reason, sizeof(out->reason) - 1);
	switch (labels->error) {
	case LABELS_SYNTAX:
		buf_printf(&b, "couldn't parse labels: %s (byte %zu of '", labels->why,
		           (size_t)(labels->at - text.p));
		buf_escaped(&b, text, SHOWN_LABELS);
		buf_str(&b, "')");
		break;
	case LABELS_TWICE:
	case LABELS_NAME_LONG:
		buf_str(&b, "stream '");
		buf_escaped(&b, text, SHOWN_LABELS);
		buf_str(&b, labels->error == LABELS_TWICE ? "' has duplicate label name: '"
		                                          : "' has label name too long: '");
		buf_escaped(&b, labels->v[labels->n].name, SHOWN_NAME);
		buf_char(&b, '\'');
		break;
	case LABELS_MANY:
		buf_str(&b, "entry for stream '");
		buf_escaped(&b, text, SHOWN_LABELS);
		buf_printf(&b, "' has %u label names; limit %d", labels->n + 1, LABELS_MAX);
		break;
	case LABELS_OK:
		assert(!"an error");
	}
	out->reason[b.n] = '\0';
	return V_INVALID;
}

enum verdict loki_judge(const struct enrich_in *in, bool into_entries, struct bytes text,
                        struct labels *labels, unsigned *own, struct enriched *out)
{
	unsigned meant = 0;

	if (text.n > LABELS_TEXT_MAX)
		return loki_too_many(out, "bytes of a stream's labels", text.n, LABELS_TEXT_MAX);
	if (!labels_parse(text, labels))
		return unparsed(labels, text, out);
	*own = in->stamp.n ? splice_own(labels, in->stamp_name) : labels->n;
	for (unsigned i = 0; i < labels->n; i++)
		meant += !labels->v[i].is_empty && !(into_entries && i == *own);
	return meant ? V_NONE : loki_unlabelled(out);
}
