/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_yaml.c -- any bytes as the configuration: the loader, its messages, -T and the packed form.
 * Oracles: a configuration and errors exclude each other; what -T prints loads again and prints the
 * same; packed, unpacked and packed again the bytes are the same; the report is bounded.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "conf/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "fuzz_yaml: not true: %s\n", #x);                          \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The bytes as a file that the loader can open by name. */
static int file_of(struct bytes text, char path[static 64])
{
	int fd = memfd_create("headgate.yaml", MFD_CLOEXEC);

	MUST(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* No file beside: nothing is included, and those that options name are not opened. */
static struct conf *load(struct bytes text, bool with_sink, struct conf_report *report)
{
	static const struct conf_set sets[] = { { "include", "" }, { "sink", "discard" } };
	char path[64];
	autoclose int fd = file_of(text, path);
	struct conf_load_in in = {
		.file = path, .sets = sets, .set_count = with_sink ? 2 : 1, .offline = true
	};
	struct conf *conf;

	MUST(fd >= 0);
	conf_report_init(report);
	conf = conf_load(&in, report);
	MUST((conf == NULL) == (report->errors > 0));
	MUST(!report->text.failed);
	MUST(!report->usage);
	return conf;
}

/* The origins speak of another file the second time: from the last "  # " of each line on. */
static void strip_origins(struct buf *text)
{
	size_t to = 0, line = 0;

	for (size_t i = 0; i < text->n; i++) {
		text->p[to++] = text->p[i];
		if (text->p[i] != '\n')
			continue;
		for (size_t k = to; k >= line + 4; k--) {
			if (memcmp(text->p + k - 4, "  # ", 4) == 0) {
				to = k - 4;
				text->p[to++] = '\n';
				break;
			}
		}
		line = to;
	}
	text->n = to;
}

static void check_dump(const struct conf *conf, const struct conf_report *report)
{
	struct conf_report again_report;
	struct conf *again;
	struct buf first, second;

	buf_init(&first, 64 * MIB);
	buf_init(&second, 64 * MIB);
	conf_dump(conf, report, CONF_DUMP_ALL, &first);
	again = load(buf_view(&first), false, &again_report);
	if (!again)
		fprintf(stderr, "%.*s\n%.*s\n", (int)first.n, first.p, (int)again_report.text.n,
		        again_report.text.p);
	MUST(again);
	conf_dump(again, &again_report, CONF_DUMP_ALL, &second);
	strip_origins(&first);
	strip_origins(&second);
	MUST(bytes_eq(buf_view(&first), buf_view(&second)));
	conf_free(again);
	conf_report_done(&again_report);
	buf_done(&first);
	buf_done(&second);
}

static void check_packed(const struct conf *conf)
{
	struct err err = { "" };
	uint8_t *packed, *again;
	size_t packed_bytes, again_bytes;
	struct conf *copy;

	MUST(conf_pack(conf, &packed, &packed_bytes, &err) == 0);
	copy = conf_unpack(bytes_of(packed, packed_bytes), &err);
	MUST(copy);
	MUST(conf_pack(copy, &again, &again_bytes, &err) == 0);
	MUST(bytes_eq(bytes_of(packed, packed_bytes), bytes_of(again, again_bytes)));
	conf_free(copy);
	free(packed);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_report report;
	struct conf *conf = load(bytes_of(data, size), true, &report);

	if (conf) {
		check_dump(conf, &report);
		check_packed(conf);
	}
	conf_free(conf);
	conf_report_done(&report);
	return 0;
}
