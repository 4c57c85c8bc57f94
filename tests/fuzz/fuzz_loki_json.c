/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_loki_json.c -- libFuzzer over Loki JSON of both shapes: the first byte picks what is done
 * with it, the rest is the body. fuzz_loki.h says what must hold; and what is accepted is JSON to
 * jansson too, which has limits of its own and is never asked for the reverse.
 */
#include <jansson.h>
#include "tests/fuzz/fuzz_loki.h"

/* Of both, a body that is no JSON is never a push. */
static void must_be_json(struct loki_settings s, struct bytes body)
{
	struct loki_outcome o;
	json_error_t error;
	json_t *doc;

	s.utf8 = UTF8_STRICT;
	o = loki_once(s, body, false, 0, 4 * body.n + 64);
	if (o.verdict == V_ACCEPTED) {
		doc = json_loadb((const char *)body.p, body.n, JSON_ALLOW_NUL, &error);
		must(doc || json_error_code(&error) == json_error_numeric_overflow ||
		             json_error_code(&error) == json_error_null_byte_in_key,
		     "what is accepted is JSON");
		json_decref(doc);
	}
	loki_outcome_done(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct loki_settings s;

	if (n == 0)
		return 0;
	s = settings_of_pick(data[0], LOKI_JSON);
	fuzz(s, bytes_of(data + 1, n - 1));
	must_be_json(s, bytes_of(data + 1, n - 1));
	return 0;
}
