/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_model.c -- libFuzzer over events that a data model judges: the first byte picks the model
 * and what is done with the body, the rest is the body. What must hold for any bytes:
 *   - scalar, sse2, avx2, any room: one verdict, one output, and what is said to be enough is
 * (B18);
 *   - each record is one JSON object to jansson, no name twice in any of its objects, with the
 *     tenant once and only ours;
 *   - judged once more a record stays as it is;
 *   - a body that is accepted, or refused by the model alone, is JSON to jansson, which has limits
 *     of its own and is never asked for the reverse;
 *   - a reason is one line of UTF-8.
 */
#include <jansson.h>
#include "common/buf.h"
#include "tests/unit/proto/models.h"

enum {
	PICK_MODEL = 3,
	PICK_HEADER = 4,
	PICK_NUMBER = 8, /* the tenant is a number, in a column of the model */
	MODELS = PICK_MODEL + 1,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define COLUMN(name, type) "{\"name\":\"" name "\",\"data_type\":" type ",\"required\":false}"
#define NEEDED(name, type) "{\"name\":\"" name "\",\"data_type\":" type ",\"required\":true}"

/* clang-format off */
static const char *const texts[MODELS] = {
	"{\"name\":\"scalars\",\"columns\":["
	COLUMN("b", "\"Boolean\"") "," COLUMN("s", "\"String\"") ","
	COLUMN("f", "\"FixedString(4)\"") "," COLUMN("i", "\"Int8\"") ","
	COLUMN("u", "\"UInt8\"") "," COLUMN("w", "\"Int256\"") ","
	COLUMN("g", "\"BigInt\"") "," COLUMN("d", "\"Float64\"") ","
	COLUMN("y", "\"Bytes\"") "," COLUMN("c", "\"Decimal\"") ","
	COLUMN("t", "\"DateTime\"") "," COLUMN("a", "\"Date\"") ","
	COLUMN("id", "\"UUID\"") "," COLUMN("v4", "\"IPv4\"") ","
	COLUMN("v6", "\"IPv6\"") ","
	COLUMN("e", "{\"name\":\"E\",\"values\":[{\"name\":\"one\",\"value\":{\"Int\":1}},"
	            "{\"name\":\"x\",\"value\":{\"String\":\"two\"}}]}")
	"]}",

	"{\"name\":\"composites\",\"allow_extra_fields\":true,\"columns\":["
	COLUMN("a", "{\"elementType\":{\"nullable\":{\"elementType\":\"Int32\"}}}") ","
	COLUMN("n", "{\"name\":\"N\",\"columns\":[" NEEDED("x", "\"Int8\"") ","
	            COLUMN("y", "{\"fields\":[[\"p\",\"String\"],"
	                        "[\"q\",{\"nullable\":\"Float32\"}]]}")
	            "]}") ","
	COLUMN("m", "{\"keyType\":\"String\",\"valueType\":{\"keyType\":\"UInt8\",\"valueType\":"
	            "\"Float64\"}}") ","
	COLUMN("k", "{\"keyType\":\"Float64\",\"valueType\":{\"nullable\":\"Int8\"}}") ","
	COLUMN("g", "\"Point\"") "," COLUMN("r", "\"MultiPolygon\"") ","
	COLUMN("j", "\"Json\"") ","
	COLUMN("p", "{\"typed_paths\":[[\"a.b\",\"Int8\"],[\"a\",\"Json\"],"
	            "[\"c\",{\"nullable\":\"Int8\"}]]}")
	"]}",

	"{\"name\":\"needed\",\"schema_id\":7,\"columns\":["
	NEEDED("tenant_id", "\"String\"") "," NEEDED("a", "\"Int64\"") ","
	NEEDED("b", "{\"nullable\":\"String\"}") ","
	"{\"name\":\"m\",\"data_type\":\"Int8\",\"required\":true,\"materialized\":\"a\"},"
	"{\"name\":\"j\",\"data_type\":{\"name\":\"J\",\"jwt\":true,\"columns\":[]},"
	"\"required\":true}]}",

	"{\"name\":\"any\",\"allow_extra_fields\":true,\"columns\":[]}",
};
/* clang-format on */

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static const struct model *model_at(unsigned i)
{
	static struct model *models[MODELS];
	struct err err = { "" };

	if (!models[i])
		models[i] = model_parse(bytes_str(texts[i]), &err);
	must(models[i] != NULL, err.text);
	return models[i];
}

/* jansson's word, but for what it cannot hold. NULL with *no: it is no JSON. */
static json_t *parsed(struct bytes text, size_t flags, bool *no)
{
	json_error_t error;
	json_t *json = json_loadb((const char *)text.p, text.n, JSON_ALLOW_NUL | flags, &error);

	*no = !json && json_error_code(&error) != json_error_numeric_overflow &&
	      json_error_code(&error) != json_error_null_byte_in_key;
	return json;
}

static void tenant_must_be_ours(const struct model_settings *s, const json_t *json)
{
	const json_t *tenant = json_object_get(json, s->name);
	struct bytes name = bytes_str(s->name);
	bool has_room = s->model->allow_extra_fields ||
	                model_column_find(&s->model->root, name) < s->model->column_count;

	if (!s->stamp)
		return;
	must(has_room == (tenant != NULL), "the tenant is there where the model has room");
	if (json_is_integer(tenant))
		must(json_integer_value(tenant) == atoll(s->tenant), "the tenant is ours");
	else if (tenant)
		must(!strcmp(json_string_value(tenant), s->tenant), "the tenant is ours");
}

static void record_must_hold(struct model_settings s, struct bytes record)
{
	size_t id = s.model->has_schema_id ? 5 : 0, enough;
	struct bytes object = bytes_from(record, id);
	json_t *json;
	struct judged again;
	bool no;

	must(object.n >= 2 && object.p[0] == '{', "a record is an object");
	json = parsed(object, JSON_REJECT_DUPLICATES, &no);
	must(!no, "a record is JSON without a name twice");
	if (json)
		tenant_must_be_ours(&s, json);
	json_decref(json);
	again = judge_once(s, object, judge_bound(s, object), 0x22, &enough);
	must(again.result == TRANSCODE_OK && bytes_eq(record, bytes_of(again.out, again.n)),
	     "judged once more a record stays as it is");
	judged_done(&again);
}

static void reason_must_hold(const char *reason)
{
	must(!strncmp(reason, "Invalid JSON: ", 14), "a reason says what it is about");
	must(strstr(reason, " at line "), "and where");
	must(bytes_is_utf8(bytes_str(reason)), "a reason is UTF-8");
	for (const char *p = reason; *p; p++)
		must((uint8_t)*p >= 0x20 && *p != 0x7f, "a reason is one line");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct model_settings s;
	struct bytes body;
	struct judged j;
	bool no;

	if (n == 0)
		return 0;
	s = model_settings_of(model_at(data[0] & PICK_MODEL));
	s.stamp = !(data[0] & PICK_HEADER);
	if (data[0] & PICK_NUMBER) {
		s.name = "u";
		s.tenant = "42";
	}
	body = bytes_of(data + 1, n - 1);
	j = judge_all(s, body);
	if (j.result == TRANSCODE_OK || (j.result == TRANSCODE_INVALID && !j.e.is_syntax)) {
		json_decref(parsed(body, JSON_DECODE_ANY, &no));
		must(!no, "what is no syntax error is JSON");
	}
	if (j.result == TRANSCODE_INVALID)
		reason_must_hold(j.e.reason);
	for (size_t i = 0; j.result == TRANSCODE_OK && i < j.slices.n; i++)
		record_must_hold(s, bytes_of(j.out + j.slices.v[i].at, j.slices.v[i].n));
	judged_done(&j);
	return 0;
}
