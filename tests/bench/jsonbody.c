/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonbody.c -- a body of OTLP protobuf as OTLP/JSON, compact as an SDK writes it, for B5a.
 * Usage: jsonbody traces|metrics|logs IN OUT; says how many bytes it wrote.
 */
#include <stdio.h>

#include "tests/unit/proto/oracle.h"
#include "tests/unit/proto/print_json.h"

static enum signal signal_of(const char *name)
{
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++)
		if (strcmp(name, signal_name((enum signal)s)) == 0)
			return (enum signal)s;
	fprintf(stderr, "jsonbody: no signal '%s'\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	enum { BODY_MAX = 64 * MIB };
	uint8_t *wire = xcalloc(BODY_MAX, 1);
	ProtobufCMessage *m = NULL;
	struct buf json;
	size_t n;
	FILE *f;

	if (argc != 4 || !(f = fopen(argv[2], "rb")))
		return 2;
	n = fread(wire, 1, BODY_MAX, f);
	fclose(f);
	m = oracle_unpack(signal_of(argv[1]), bytes_of(wire, n));
	f = fopen(argv[3], "wb");
	if (!m || !f)
		return 1;
	buf_init(&json, 4 * (size_t)BODY_MAX);
	print_message(&(struct print){ .out = &json }, m);
	if (json.failed || fwrite(json.p, 1, json.n, f) != json.n || fclose(f) != 0)
		return 1;
	printf("%zu\n", json.n);
	buf_done(&json);
	protobuf_c_message_free_unpacked(m, NULL);
	free(wire);
	return 0;
}
