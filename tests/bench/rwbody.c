/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rwbody.c -- the body of B4: rwbody VERSION SERIES LABELS OUT writes a remote_write request of 1.0 or
 * 2.0 as a snappy block: SERIES series of LABELS labels, __name__ among them, and one sample each.
 * Prints the bytes of the message and of the block. It ends at once: its memory is nobody's matter.
 */
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base.h"
#include "proto/schema/remote_write.pb-c.h"
#include "proto/schema/remote_write_v2.pb-c.h"

enum { TEXT_BYTES = 48, LABELS_MAX = 64 };
static const int64_t time_ms = 1767225600000; /* 2026-01-01 */

static char *text_of(const char *format, unsigned a, unsigned b)
{
	char *text = xcalloc(1, TEXT_BYTES);

	snprintf(text, TEXT_BYTES, format, a, b);
	return text;
}

/* Label `i` of series `s`, in order of names: __name__, then label_01 and on. */
static void label(unsigned s, unsigned i, char **name, char **value)
{
	if (i == 0) {
		*name = text_of("__name__", 0, 0);
		*value = text_of("http_requests_%04u_total", s / 16, 0);
	} else {
		*name = text_of("label_%02u", i, 0);
		*value = text_of("value-%02u-%05u", i, i % 3 ? s / 100 : s);
	}
}

static size_t pack_v1(unsigned series, unsigned labels, uint8_t **out)
{
	Prometheus__WriteRequest request = PROMETHEUS__WRITE_REQUEST__INIT;
	size_t n;

	request.n_timeseries = series;
	request.timeseries = xcalloc(series, sizeof(*request.timeseries));
	for (unsigned s = 0; s < series; s++) {
		Prometheus__TimeSeries *ts = xcalloc(1, sizeof(*ts));
		Prometheus__Sample *sample = xcalloc(1, sizeof(*sample));

		prometheus__time_series__init(ts);
		prometheus__sample__init(sample);
		ts->n_labels = labels;
		ts->labels = xcalloc(labels, sizeof(*ts->labels));
		for (unsigned i = 0; i < labels; i++) {
			ts->labels[i] = xcalloc(1, sizeof(**ts->labels));
			prometheus__label__init(ts->labels[i]);
			label(s, i, &ts->labels[i]->name, &ts->labels[i]->value);
		}
		sample->value = s * 1.25;
		sample->timestamp = time_ms;
		ts->n_samples = 1;
		ts->samples = xcalloc(1, sizeof(*ts->samples));
		ts->samples[0] = sample;
		request.timeseries[s] = ts;
	}
	n = prometheus__write_request__get_packed_size(&request);
	*out = xcalloc(1, n);
	prometheus__write_request__pack(&request, *out);
	return n;
}

struct symbols {
	char **v;
	size_t n, cap;
};

static uint32_t intern(struct symbols *t, char *text)
{
	for (size_t i = t->n; i-- > 0 && t->n - i < 4096;) /* near ones repeat */
		if (strcmp(t->v[i], text) == 0)
			return (uint32_t)i;
	for (size_t i = 0; i < t->n && i < 128; i++) /* and names, which come first */
		if (strcmp(t->v[i], text) == 0)
			return (uint32_t)i;
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 256;
		t->v = xrealloc(t->v, t->cap, sizeof(*t->v));
	}
	t->v[t->n] = text;
	return (uint32_t)t->n++;
}

static size_t pack_v2(unsigned series, unsigned labels, uint8_t **out)
{
	Io__Prometheus__Write__V2__Request request = IO__PROMETHEUS__WRITE__V2__REQUEST__INIT;
	struct symbols t = { 0 };
	size_t n;

	(void)intern(&t, text_of("", 0, 0));
	request.n_timeseries = series;
	request.timeseries = xcalloc(series, sizeof(*request.timeseries));
	for (unsigned s = 0; s < series; s++) {
		Io__Prometheus__Write__V2__TimeSeries *ts = xcalloc(1, sizeof(*ts));
		Io__Prometheus__Write__V2__Sample *sample = xcalloc(1, sizeof(*sample));

		io__prometheus__write__v2__time_series__init(ts);
		io__prometheus__write__v2__sample__init(sample);
		ts->n_labels_refs = 2 * (size_t)labels;
		ts->labels_refs = xcalloc(2 * (size_t)labels, sizeof(*ts->labels_refs));
		for (unsigned i = 0; i < labels; i++) {
			char *name, *value;

			label(s, i, &name, &value);
			ts->labels_refs[2 * i] = intern(&t, name);
			ts->labels_refs[2 * i + 1] = intern(&t, value);
		}
		sample->value = s * 1.25;
		sample->timestamp = time_ms;
		ts->n_samples = 1;
		ts->samples = xcalloc(1, sizeof(*ts->samples));
		ts->samples[0] = sample;
		request.timeseries[s] = ts;
	}
	request.n_symbols = t.n;
	request.symbols = t.v;
	n = io__prometheus__write__v2__request__get_packed_size(&request);
	*out = xcalloc(1, n);
	io__prometheus__write__v2__request__pack(&request, *out);
	return n;
}

int main(int argc, char **argv)
{
	unsigned series, labels;
	size_t n, block_n;
	uint8_t *message;
	char *block;
	FILE *f;

	if (argc != 5 || (series = (unsigned)atoi(argv[2])) == 0 ||
	    (labels = (unsigned)atoi(argv[3])) == 0 || labels > LABELS_MAX) {
		fputs("usage: rwbody 1|2 SERIES LABELS OUT\n", stderr);
		return 2;
	}
	n = strcmp(argv[1], "2") == 0 ? pack_v2(series, labels, &message)
	                              : pack_v1(series, labels, &message);
	block_n = snappy_max_compressed_length(n);
	block = xcalloc(1, block_n);
	if (snappy_compress((const char *)message, n, block, &block_n) != SNAPPY_OK)
		return 1;
	f = fopen(argv[4], "w");
	if (!f || fwrite(block, 1, block_n, f) != block_n || fclose(f) != 0) {
		perror(argv[4]);
		return 1;
	}
	printf("%zu %zu\n", n, block_n);
	return 0;
}
