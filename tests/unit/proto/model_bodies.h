/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_bodies.h -- for the tests of proto/model.c: models made of text, and what bodies become by
 * them.
 */
#pragma once
#include <criterion/criterion.h>
#include "tests/unit/proto/models.h"

#define COLUMN(name, type, required)                                                               \
	"{\"name\":\"" name "\",\"data_type\":" type ",\"required\":" required "}"
#define MODEL(more, columns) "{\"name\":\"e\"," more "\"columns\":[" columns "]}"

static inline struct model *made(const char *json)
{
	struct err err = { "" };
	struct model *m = model_parse(bytes_str(json), &err);

	cr_assert(m, "%s: %s", json, err.text);
	return m;
}

static inline struct model *of_type(const char *type)
{
	char json[2048];

	cr_assert_lt(snprintf(json, sizeof(json), MODEL("", COLUMN("x", "%s", "true")), type),
	             (int)sizeof(json));
	return made(json);
}

/* The records are the lines of `want`. */
static inline void records_are(struct model_settings s, const char *body, const char *want)
{
	struct judged j = judge_all(s, bytes_str(body));
	size_t at = 0;

	cr_assert_eq(j.result, TRANSCODE_OK, "%s: %s", body, j.e.reason);
	for (size_t i = 0; i < j.slices.n; i++) {
		struct slice v = j.slices.v[i];
		size_t n = strcspn(want, "\n");

		cr_expect_eq(v.at, at);
		cr_expect_eq(v.items, 1);
		cr_expect(v.n == n && !memcmp(want, j.out + v.at, n), "%s: %.*s", body, (int)v.n,
		          j.out + v.at);
		want += n + (want[n] == '\n');
		at = v.at + v.n;
	}
	cr_expect_str_empty(want, "%s: less than wanted", body);
	cr_expect_eq(at, j.n);
	cr_expect_eq(j.e.items, j.slices.n);
	cr_expect_eq(j.verdict, j.slices.n ? V_ACCEPTED : V_EMPTY);
	judged_done(&j);
}

static inline void refused_in(struct model_settings s, const char *body, const char *why,
                              bool is_syntax)
{
	struct judged j = judge_all(s, bytes_str(body));
	char text[400];

	cr_expect_eq(j.result, TRANSCODE_INVALID, "%s", body);
	snprintf(text, sizeof(text), "Invalid JSON: %s", why);
	cr_expect_str_eq(j.e.reason, text, "%s: %s", body, j.e.reason);
	cr_expect_eq(j.e.is_syntax, is_syntax, "%s", body);
	cr_expect_eq(j.slices.n, 0, "%s: a record of what was refused", body);
	judged_done(&j);
}

static inline void refused(struct model_settings s, const char *body, const char *why)
{
	refused_in(s, body, why, false);
}

/* A value of column x, alone in its object; `out` NULL: as it came. */
static inline void takes(const struct model *m, const char *value, const char *out)
{
	struct model_settings s = model_settings_of(m);
	char body[2048], want[2048];

	snprintf(body, sizeof(body), "{\"x\":%s}", value);
	snprintf(want, sizeof(want), "{\"x\":%s}", out ? out : value);
	records_are(s, body, want);
}

static inline void denies(const struct model *m, const char *value, const char *text)
{
	char body[2048], why[400];
	size_t n;

	snprintf(body, sizeof(body), "{\"x\":%s}", value);
	/* a reader is behind the value, or in its bracket, or behind an empty one */
	n = strlen("{\"x\":") + (*value != '{' && *value != '[' ? strlen(value) : value[2] ? 1 : 2);
	snprintf(why, sizeof(why), "%s at line 1 column %zu", text, n);
	refused(model_settings_of(m), body, why);
}

/* clang-format off */
static const char user_event[] = MODEL(
	"\"version\":\"1.0\",",
	COLUMN("id", "\"String\"", "true") ","
	COLUMN("timestamp", "\"DateTime\"", "true") ","
	COLUMN("n", "\"UInt8\"", "false") ","
	COLUMN("tags", "{\"elementType\":\"String\"}", "false") ","
	COLUMN("nested", "{\"name\":\"N\",\"columns\":["
	                 COLUMN("a", "\"Int64\"", "true") ","
	                 COLUMN("b", "\"Boolean\"", "false") "]}", "false"));
/* clang-format on */

#define ID "\"id\":\"1\",\"timestamp\":\"2024-09-10T17:34:51+00:00\""

static inline struct model *map_of(const char *key, const char *value)
{
	char type[200];

	snprintf(type, sizeof(type), "{\"keyType\":\"%s\",\"valueType\":%s}", key, value);
	return of_type(type);
}
