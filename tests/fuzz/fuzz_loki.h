/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_loki.h -- what the fuzzers of Loki pushes share. What must hold for any bytes:
 *   - scalar, sse2, avx2, fast path on and off, any room: one verdict, one value (B18);
 *   - the value says what the message said, but for the tenant, which it says once in each stream
 *     (or entry) and only ours, and what is for servers alone;
 *   - enriched once more it stays as it is.
 */
#pragma once
#include "common/buf.h"
#include "proto/loki_labels.h"
#include "proto/pb_read.h"
#include "tests/unit/proto/enrich_loki.h"

enum {
	PICK_HEADER = 1,
	PICK_ENTRIES = 2,
	PICK_STRICT = 4,
	PICK_NAME = 8,
	PICK_LEGACY = 16,
	DUMP_MAX = 16 * MIB,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static struct loki_settings settings_of_pick(uint8_t pick, enum loki_form form)
{
	return (struct loki_settings){
		.form = form == LOKI_JSON && pick & PICK_LEGACY ? LOKI_LEGACY : form,
		.stamp = !(pick & PICK_HEADER),
		.into_entries = pick & PICK_ENTRIES,
		.utf8 = pick & PICK_STRICT ? UTF8_STRICT : UTF8_REPAIR,
		.name = pick & PICK_NAME ? "a.b" : "tenant_id",
		.tenant = pick & PICK_NAME ? "c" : "acme",
	};
}

struct dump { /* what a message means, as text */
	struct loki_settings s;
	struct buf text;
	uint64_t streams, entries; /* streams that have entries */
	uint64_t stamps, labels_stamps; /* pairs of the reserved name, in entries and in labels */
	bool foreign; /* one of them is not ours */
};

static void dump_pair(struct dump *d, struct bytes pair)
{
	struct pb_cursor c = pb_cursor_of(pair);
	struct bytes name = BYTES_NONE, value = BYTES_NONE;
	struct pb_field f;
	size_t before = d->text.n;

	buf_str(&d->text, " pair");
	while (pb_next(&c, &f)) {
		if (f.tag == 0x0a)
			name = f.bytes;
		else if (f.tag == 0x12)
			value = f.bytes;
		else
			buf_add(&d->text, f.at, (size_t)(f.end - f.at));
	}
	if (pb_text_is(name, bytes_str(d->s.name)) && d->s.stamp) {
		d->text.n = before;
		d->stamps++;
		d->foreign |= !bytes_eq(value, bytes_str(d->s.tenant));
		return;
	}
	buf_printf(&d->text, "<%zu,%zu>", name.n, value.n);
	buf_bytes(&d->text, name);
	buf_bytes(&d->text, value);
}

static void dump_time(struct dump *d, struct bytes time, uint64_t parts[2])
{
	struct pb_cursor c = pb_cursor_of(time);
	struct pb_field f;

	while (pb_next(&c, &f))
		if (f.tag == 0x08 || f.tag == 0x10)
			parts[f.tag == 0x10] = f.value;
		else
			buf_add(&d->text, f.at, (size_t)(f.end - f.at));
}

static void dump_entry(struct dump *d, struct bytes entry)
{
	struct pb_cursor c = pb_cursor_of(entry);
	struct bytes line = BYTES_NONE;
	uint64_t time[2] = { 0 };
	struct pb_field f;

	d->entries++;
	buf_str(&d->text, " entry");
	while (pb_next(&c, &f)) {
		if (f.tag == 0x0a)
			dump_time(d, f.bytes, time);
		else if (f.tag == 0x12)
			line = f.bytes;
		else if (f.tag == 0x1a)
			dump_pair(d, f.bytes);
		else if (f.tag != 0x22 || !d->s.stamp)
			buf_add(&d->text, f.at, (size_t)(f.end - f.at));
	}
	buf_printf(&d->text, "<%ju,%ju,%zu>", (uintmax_t)time[0], (uintmax_t)time[1], line.n);
	buf_bytes(&d->text, line);
}

static void dump_labels(struct dump *d, struct bytes text)
{
	static struct labels labels;

	must(labels_parse(text, &labels), "labels of what is accepted parse");
	for (unsigned i = 0; i < labels.n; i++) {
		const struct label *l = &labels.v[i];

		if (d->s.stamp && bytes_eq(l->meant, bytes_str(d->s.name))) {
			size_t n = strlen(d->s.tenant);

			d->labels_stamps++;
			d->foreign |= (size_t)(l->end - l->start) < n + 2 ||
			              memcmp(l->end - 1 - n, d->s.tenant, n) != 0;
			continue;
		}
		buf_printf(&d->text, " label<%zu>", (size_t)(l->end - l->start));
		buf_add(&d->text, l->start, (size_t)(l->end - l->start));
	}
}

static bool has_entries(struct bytes stream)
{
	struct pb_cursor c = pb_cursor_of(stream);
	struct pb_field f;

	while (pb_next(&c, &f))
		if (f.tag == 0x12)
			return true;
	return false;
}

static void dump_stream(struct dump *d, struct bytes stream)
{
	struct pb_cursor c = pb_cursor_of(stream);
	struct bytes labels = BYTES_NONE;
	struct pb_field f;

	if (!has_entries(stream))
		return;
	d->streams++;
	buf_str(&d->text, "\nstream");
	while (pb_next(&c, &f)) {
		if (f.tag == 0x0a)
			labels = f.bytes;
		else if (f.tag == 0x12)
			dump_entry(d, f.bytes);
		else if (f.tag != 0x18 || !d->s.stamp)
			buf_add(&d->text, f.at, (size_t)(f.end - f.at));
	}
	dump_labels(d, labels);
}

static struct dump dump_of(struct loki_settings s, const uint8_t *p, size_t n)
{
	struct dump d = { .s = s };
	uint8_t *copy = loki_copy(bytes_of(p, n), 0xff);
	struct pb_cursor c = pb_cursor_of(bytes_of(copy, n));
	struct pb_field f;

	buf_init(&d.text, DUMP_MAX);
	while (pb_next(&c, &f)) {
		if (f.tag == 0x0a)
			dump_stream(&d, f.bytes);
		else
			buf_add(&d.text, f.at, (size_t)(f.end - f.at));
	}
	must(!c.failed, "what is accepted is well-formed");
	free(copy);
	return d;
}

static void must_stay_as_it_is(struct loki_settings s, const struct loki_outcome *o)
{
	struct loki_outcome again;

	s.form = LOKI_PROTOBUF;
	s.utf8 = UTF8_STRICT;
	again = loki_once(s, bytes_of(o->value, o->value_n), false, 0xff, 0);
	must(again.verdict == V_ACCEPTED && again.e.items == o->e.items, "the value is valid");
	must(again.value_n == o->value_n && !memcmp(again.value, o->value, o->value_n),
	     "and enriched once more it stays as it is");
	loki_outcome_done(&again);
}

static void judge(struct loki_settings s, const struct loki_outcome *o)
{
	struct dump before, after;

	if (o->verdict != V_ACCEPTED)
		return;
	after = dump_of(s, o->value, o->value_n);
	must(after.entries == o->e.items, "the items");
	must(!after.foreign, "no tenant but ours");
	if (s.stamp && s.into_entries)
		must(after.stamps == after.entries && after.labels_stamps == 0,
		     "one stamp in each entry");
	else if (s.stamp)
		must(after.labels_stamps == after.streams && after.stamps == 0,
		     "one stamp in each stream");
	if (!o->e.repaired) {
		before = dump_of(s, o->message, o->message_n);
		must(bytes_eq(buf_view(&before.text), buf_view(&after.text)),
		     "the value says what the message said");
		must(before.stamps + before.labels_stamps == o->e.spoofed, "what was taken out");
		buf_done(&before.text);
	}
	buf_done(&after.text);
	must_stay_as_it_is(s, o);
}

static void fuzz(struct loki_settings s, struct bytes body)
{
	struct loki_outcome o = loki_all(s, body);

	must(o.verdict == V_ACCEPTED || o.verdict == V_EMPTY || o.verdict == V_INVALID ||
	             o.verdict == V_COUNT || o.verdict == V_NO_STREAMS,
	     "a verdict of enrich()");
	must((o.verdict == V_INVALID) == (o.e.reason[0] != '\0'),
	     "a reason if and only if invalid");
	must(!strpbrk(o.e.reason, "\r\n"), "in one line");
	judge(s, &o);
	loki_outcome_done(&o);
}
