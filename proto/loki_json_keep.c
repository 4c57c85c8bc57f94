/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_json_keep.c -- Loki JSON that stays JSON (`json: separate`): loki_json.c reads it as if it
 * became protobuf, writes nothing, and tells this file where the client's own tenant leaves and
 * ours comes (records.md 1.2): a member of `stream`, or of each entry's structured metadata; in the
 * legacy shape, whose entries have none, always a pair of the label text. Labels are judged as
 * loki.c judges them, by the text that they would be. All else stays byte for byte, but that a
 * stream without entries is none, as there.
 */
#include <stdio.h>

#include "proto/loki.h"
#include "proto/loki_json_private.h"
#include "proto/loki_judge.h"
#include "proto/loki_splice.h"
#include "proto/loki_time.h"

/* ---- stamps; neither name nor id needs an escape (records.md 1.2, conf/options.def) ---- */

enum { BEFORE_MEMBER = 2 /* `,{` */, BEHIND_MEMBER = 1 };

/* `,{"tenant_id":"acme"}`: what an entry of two elements lacks, and the member inside. */
size_t loki_json_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	int n = snprintf((char *)out, cap, ",{\"%.*s\":\"%.*s\"}", (int)name.n,
	                 (const char *)name.p, (int)tenant_id.n, (const char *)tenant_id.p);

	return n < 0 || (size_t)n >= cap ? 0 : (size_t)n;
}

/* That of a label text, as it stands in a JSON string. */
size_t loki_json_legacy_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	const char *quote = label_is_bare(name) ? "" : "\\\"";
	int n = snprintf((char *)out, cap, ", %s%.*s%s=\\\"%.*s\\\", ", quote, (int)name.n,
	                 (const char *)name.p, quote, (int)tenant_id.n, (const char *)tenant_id.p);

	return n < 0 || (size_t)n >= cap ? 0 : (size_t)n;
}

static struct bytes member_of(const struct keeper *k)
{
	struct bytes stamp = k->in->stamp;

	return bytes_of(stamp.p + BEFORE_MEMBER, stamp.n - BEFORE_MEMBER - BEHIND_MEMBER);
}

/* ---- labels and structured metadata ---- */

void loki_json_keep_pair(struct maker *m, struct json_splice *s, struct json_text name,
                         uint64_t mended, bool is_label)
{
	struct keeper *k = m->keep;
	bool leaves = k->in->stamp.n && json_text_is(name, k->in->stamp_name);

	json_splice_end(s, m->j.p, leaves);
	if (!leaves)
		return;
	m->j.mended = mended;
	if (!is_label) /* of labels judge() knows: an empty one is none */
		k->out->spoofed++;
}

void loki_json_keep_pairs_end(struct maker *m, struct json_splice *s, bool is_label)
{
	struct keeper *k = m->keep;

	if (is_label)
		k->has_labels = true;
	if (k->in->stamp.n && is_label != k->into_entries)
		json_splice_close(s, member_of(k));
	else
		json_splice_close(s, BYTES_NONE);
}

/* What a legacy text means; BYTES_NONE if it is too long. Until the next one. */
static struct bytes text_plain(struct keeper *k)
{
	uint8_t *plain;

	if (k->text.raw.n > LABELS_TEXT_MAX)
		return BYTES_NONE;
	if (!k->text.escaped)
		return k->text.raw;
	plain = scratch_room(k->in->scratch, k->text.raw.n);
	return bytes_of(plain, json_unescape(k->text, plain));
}

/* From p to `to`, which stays. */
static bool mend(struct maker *m, const uint8_t *p, const uint8_t *to)
{
	return m->j.mends && json_mend(&m->j, bytes_of(p, (size_t)(to - p)));
}

/* The text by these cuts of what it means. They are made between characters of ASCII, so that no
 * edit of the two kinds meets the other. */
static void text_edit(struct maker *m, struct bytes plain, const struct cut *cuts, unsigned n)
{
	struct json_text text = m->keep->text;
	const uint8_t *p = text.raw.p, *end = p + text.raw.n;
	bool broken = false;

	for (unsigned i = 0; i < n; i++) {
		size_t at = (size_t)(cuts[i].at - plain.p);
		const uint8_t *from = json_text_at(text, at);
		const uint8_t *to = json_text_at(text, at + cuts[i].del);

		broken |= mend(m, p, from);
		edits_add(m->keep->out->edits, (size_t)(from - m->j.start), (size_t)(to - from),
		          cuts[i].ins);
		p = to;
	}
	broken |= mend(m, p, end);
	m->j.mended += broken;
}

void loki_json_keep_text(struct maker *m, struct json_text text)
{
	struct keeper *k = m->keep;
	struct bytes stamp = k->in->stamp, plain;
	struct cut cuts[SPLICE_MAX];
	unsigned n = 0;

	k->has_labels = true;
	k->text = text;
	plain = text_plain(k);
	if (stamp.n && labels_parse(plain, &k->labels) && k->labels.n)
		n = splice(&k->labels, splice_own(&k->labels, k->in->stamp_name), k->in->stamp_name,
		           stamp, cuts);
	text_edit(m, plain, cuts, n);
}

/* The text that the pairs would be; BYTES_NONE if it is too long. */
static struct bytes pairs_text(struct keeper *k)
{
	enum { QUOTES = 2, SEPARATORS = 3, BRACES = 2 };
	size_t cap = BRACES;
	uint8_t *text, *end;

	for (unsigned i = 0; i < k->pairs.order.n; i++)
		cap += LABEL_GROWTH * (k->pairs.v[i].name.raw.n + k->pairs.v[i].value.raw.n) +
		       2 * QUOTES + SEPARATORS;
	cap = min_size(cap, LABELS_TEXT_MAX);
	text = scratch_room(k->in->scratch, cap);
	end = loki_json_labels_write(&k->pairs, text, cap);
	return end ? bytes_of(text, (size_t)(end - text)) : BYTES_NONE;
}

static enum verdict judge(const struct maker *m)
{
	struct keeper *k = m->keep;
	enum verdict verdict;
	struct bytes text;
	unsigned own;

	if (!k->has_labels)
		return loki_unlabelled(k->out);
	text = m->shape == &loki_json_modern ? pairs_text(k) : text_plain(k);
	if (!text.p)
		return loki_too_many(k->out, "bytes of a stream's labels", LABELS_TEXT_MAX + 1,
		                     LABELS_TEXT_MAX);
	verdict = loki_judge(k->in, k->into_entries, text, &k->labels, &own, k->out);
	if (verdict == V_NONE)
		k->out->spoofed += own < k->labels.n;
	return verdict;
}

/* ---- entries and streams ---- */

void loki_json_keep_time(struct maker *m, int64_t seconds)
{
	struct keeper *k = m->keep;

	if (k->verdict == V_NONE && !time_is_in_range(seconds))
		k->verdict = loki_untimely(k->out, k->stored, k->entries);
}

void loki_json_keep_short(struct maker *m, const uint8_t *end)
{
	struct keeper *k = m->keep;

	if (k->in->stamp.n && k->into_entries)
		edits_add(k->out->edits, (size_t)(end - m->j.start), 0, k->in->stamp);
}

void loki_json_keep_entry_end(struct maker *m, uint64_t mended)
{
	struct keeper *k = m->keep;

	k->out->items++;
	k->entries++;
	k->out->repaired += m->j.mended > mended;
	m->j.mended = mended;
}

void loki_json_keep_stream(struct maker *m, const uint8_t *start)
{
	struct keeper *k = m->keep;

	json_splice_begin(&k->streams, start);
	k->entries = 0;
	k->has_labels = false;
	k->mended_then = m->j.mended;
}

void loki_json_keep_stream_end(struct maker *m)
{
	struct keeper *k = m->keep;
	bool leaves = k->entries == 0 && k->in->stamp.n;

	if (k->entries) {
		if (k->verdict == V_NONE)
			k->verdict = judge(m);
		k->stored++;
	}
	k->out->repaired += !leaves && m->j.mended > k->mended_then;
	m->j.mended = k->mended_then;
	json_splice_end(&k->streams, m->j.p, leaves);
}

/* ---- enrich() ---- */

static enum verdict keep(const struct shape *shape, bool into_entries, const struct enrich_in *in,
                         struct enriched *out)
{
	struct keeper k;
	struct maker m;

	memset(&k, 0, offsetof(struct keeper, pairs));
	k.in = in;
	k.out = out;
	k.into_entries = into_entries;
	k.verdict = V_NONE;
	out->reason[0] = '\0';
	if (!loki_json_read(&m, shape, in, NULL, 0, &k)) {
		loki_json_reason(&m, out->reason, sizeof(out->reason));
		return V_INVALID;
	}
	if (k.verdict != V_NONE)
		return k.verdict;
	if (out->edits->failed)
		return loki_too_many(out, "edits", EDITS_MAX + 1, EDITS_MAX);
	edits_sort(out->edits); /* born sorted, unless names were mended: a look, no more */
	out->repaired += m.j.mended > 0;
	return out->items ? V_ACCEPTED : m.has_stream ? V_EMPTY : V_NO_STREAMS;
}

enum verdict loki_json_keep(const struct enrich_in *in, struct enriched *out)
{
	return keep(&loki_json_modern, false, in, out);
}

enum verdict loki_json_keep_entries(const struct enrich_in *in, struct enriched *out)
{
	return keep(&loki_json_modern, true, in, out);
}

enum verdict loki_json_keep_legacy(const struct enrich_in *in, struct enriched *out)
{
	return keep(&loki_json_old, false, in, out);
}
