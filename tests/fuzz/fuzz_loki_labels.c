/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_loki_labels.c -- libFuzzer over label texts: the first byte picks what is done, the rest is
 * the text of a push's one stream (fuzz_loki.h), and a value to be quoted and read again.
 */
#include "tests/fuzz/fuzz_loki.h"

static const uint8_t one_entry[] = { 0x12, 0x03, 0x12, 0x01, 'x' };

/* Into a message around it. */
static void in_a_push(struct loki_settings s, struct bytes text)
{
	uint8_t *all = xcalloc(text.n + 40, 1), *p = all;
	size_t stream = 1 + pb_varint_size(text.n) + text.n + sizeof(one_entry);

	*p++ = 0x0a;
	p += pb_varint_write(stream, p);
	*p++ = 0x0a;
	p += pb_varint_write(text.n, p);
	if (text.n)
		p = mempcpy(p, text.p, text.n);
	p = mempcpy(p, one_entry, sizeof(one_entry));
	fuzz(s, bytes_of(all, (size_t)(p - all)));
	free(all);
}

static void quoted(struct bytes text)
{
	static struct labels labels;
	uint8_t *all = xcalloc(LABEL_GROWTH * text.n + 40, 1), *p = all;
	size_t growth = label_quote_growth(text.p, text.n);

	must(growth <= (LABEL_GROWTH - 1) * text.n, "quoting grows no further");
	*p++ = '{';
	if (text.n)
		memcpy(p, text.p, text.n);
	p = label_quote(p, text.n, growth);
	p = mempcpy(p, "='v'}", 5);
	must(labels_parse(bytes_of(all, (size_t)(p - all)), &labels) ||
	             labels.error == LABELS_NAME_LONG || text.n == 0 || text.n > LABELS_ODD_MAX / 3,
	     "what is quoted parses");
	if (labels.error == LABELS_OK && bytes_is_utf8(text))
		must(bytes_eq(labels.v[0].meant, text), "and means the same");
	free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0)
		return 0;
	in_a_push(settings_of_pick(data[0], LOKI_PROTOBUF), bytes_of(data + 1, n - 1));
	quoted(bytes_of(data + 1, n - 1));
	return 0;
}
