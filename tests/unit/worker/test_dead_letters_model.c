/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/dead_letters_model.c"

#include <criterion/criterion.h>
#include <jansson.h>

#include "proto/pb.h" /* BODY_SLACK */

struct letters_of {
	struct model_letters m;
	struct buf out;
	struct slices slices;
	uint8_t *body;
};

static struct model_letters of(const char *error)
{
	return (struct model_letters){ .depth = 64,
		                       .error = error,
		                       .topic = "ns.Event_1_0",
		                       .failed_at = 1764000000123456000,
		                       .limit = MIB };
}

/* As dead_letters.c does it, with no byte of room more than was said to be enough. */
static struct letters_of write_all(struct model_letters m, const char *text)
{
	struct letters_of w = { .m = m };
	size_t n = strlen(text);

	w.body = xcalloc(n + BODY_SLACK, 1);
	memcpy(w.body, text, n);
	w.m.body = bytes_of(w.body, n);
	cr_assert(model_letters_count(&w.m));
	buf_init(&w.out, w.m.bytes);
	model_letters_write(&w.m, &w.out, &w.slices);
	cr_assert_eq(w.slices.n, w.m.count);
	return w;
}

static void letters_done(struct letters_of *w)
{
	slices_done(&w->slices);
	buf_done(&w->out);
	free(w->body);
}

static json_t *letter(const struct letters_of *w, size_t i)
{
	const struct slice *s = &w->slices.v[i];
	json_t *doc;

	cr_assert_leq(s->n, w->m.limit);
	doc = json_loadb(w->out.p + s->at, s->n, JSON_REJECT_DUPLICATES, NULL);
	cr_assert(doc, "no JSON: %.*s", (int)min_size(s->n, 300), w->out.p + s->at);
	return doc;
}

static const char *text_of(json_t *doc, const char *name)
{
	const char *text = json_string_value(json_object_get(doc, name));

	cr_assert(text, "%s", name);
	return text;
}

/* C12 */
Test(dead_letters_model, each_object_has_a_letter_with_seven_members_the_good_ones_too)
{
	static const char body[] = "[{\"n\":1},\n {\"n\" : \"x\"},{\"a\\\"b\":\"\\u00e9\\t\"}]";
	static const char *const members[] = { "originalRecord", "errorMessage", "errorType",
		                               "failedAt",       "source",       "requestBody",
		                               "topic" };
	static const char *const originals[] = {
		"{\"originalRecord\":{\"n\":1},", "{\"originalRecord\":{\"n\" : \"x\"},",
		"{\"originalRecord\":{\"a\\\"b\":\"\\u00e9\\t\"},"
	};
	struct letters_of w = write_all(of("Invalid JSON: invalid type: string \"x\" at n"), body);

	cr_assert_eq(w.m.objects, 3);
	cr_assert_eq(w.m.count, 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *doc = letter(&w, i);
		const char *name;
		json_t *value;
		size_t at = 0;

		json_object_foreach(doc, name, value)
			cr_assert_str_eq(name, members[at++]);
		cr_assert_eq(at, ARRAY_LEN(members));
		cr_assert_eq(
			strncmp(w.out.p + w.slices.v[i].at, originals[i], strlen(originals[i])), 0);
		cr_assert_str_eq(text_of(doc, "errorMessage"), "invalid type: string \"x\" at n");
		cr_assert_str_eq(text_of(doc, "errorType"), "ValidationError");
		cr_assert_str_eq(text_of(doc, "failedAt"), "2025-11-24T16:00:00.123456Z");
		cr_assert_str_eq(text_of(doc, "source"), "api");
		cr_assert_str_eq(text_of(doc, "requestBody"), body);
		cr_assert_str_eq(text_of(doc, "topic"), "ns.Event_1_0");
		json_decref(doc);
	}
	letters_done(&w);
}

Test(dead_letters_model, what_is_no_object_has_no_letter)
{
	struct letters_of w =
		write_all(of("expected an object"), "[1,{},null,[{}],\"{}\",{\"a\":1}]");

	cr_assert_eq(w.m.objects, 2);
	cr_assert_eq(w.m.count, 2);
	letters_done(&w);
	w = write_all(of("expected an array"), "7");
	cr_assert_eq(w.m.objects, 0);
	cr_assert_eq(w.m.bytes, 0);
	letters_done(&w);
}

/* C13: what was refused for one object may be no JSON behind it */
Test(dead_letters_model, a_body_that_is_no_json_has_none)
{
	static const char *const bodies[] = { "[{\"n\":1},{]",     "[{\"n\":1}]x",     "[{\"n\":1}",
		                              "{\"n\":01}",        "{\"n\":\"\xc3\"}", "",
		                              "[{\"a\":[[[[]]]]}]" };

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct model_letters m = of("Invalid JSON");
		size_t n = strlen(bodies[i]);
		autofree uint8_t *body = xcalloc(n + BODY_SLACK, 1);

		memcpy(body, bodies[i], n);
		m.body = bytes_of(body, n);
		m.depth = 4;
		cr_assert_not(model_letters_count(&m), "%s", bodies[i]);
	}
}

/* compatibility.md 5: N objects repeat the body N times, so requestBody is cut */
Test(dead_letters_model, one_request_makes_32_mib_of_letters_at_most)
{
	enum { OBJECTS = LETTERS_MAX };
	struct buf body;
	struct letters_of w;
	size_t all = 0, shown = 0;

	buf_init(&body, MIB);
	for (int i = 0; i < OBJECTS; i++)
		buf_printf(&body, "%c{\"n\":%d,\"q\":\"\\\"\\\\\"}\n", i ? ',' : '[', i);
	buf_char(&body, ']');
	buf_char(&body, '\0');
	w = write_all(of("Integer out of range"), body.p);
	cr_assert_eq(w.m.count, OBJECTS);
	cr_assert_lt(w.m.shown, w.m.body.n);
	for (size_t i = 0; i < w.slices.n; i++)
		all += w.slices.v[i].n;
	for (size_t i = 0; i < OBJECTS; i += OBJECTS - 1) { /* the first and the last */
		json_t *doc = letter(&w, i);
		const char *text = text_of(doc, "requestBody");

		shown = strlen(text);
		cr_assert_eq(shown, w.m.shown);
		cr_assert_eq(strncmp(text, body.p, shown), 0);
		json_decref(doc);
	}
	cr_assert_leq(shown * OBJECTS, LETTERS_BODY_BYTES);
	cr_assert_leq(all, LETTERS_BODY_BYTES);
	cr_assert_gt(all, LETTERS_BODY_BYTES / 4); /* it is cut for that, and no more */
	letters_done(&w);
	buf_done(&body);
}

Test(dead_letters_model, objects_beyond_the_most_letters_are_counted_and_have_none)
{
	struct buf body;
	struct letters_of w;

	buf_init(&body, MIB);
	for (int i = 0; i < LETTERS_MAX + 5; i++)
		buf_str(&body, i ? ",{}" : "[{}");
	buf_char(&body, ']');
	buf_char(&body, '\0');
	w = write_all(of("Missing fields: n"), body.p);
	cr_assert_eq(w.m.objects, LETTERS_MAX + 5);
	cr_assert_eq(w.m.count, LETTERS_MAX);
	letters_done(&w);
	buf_done(&body);
}

/* A letter is a record: what no record can hold has none, and the body is cut to what is left
 * beside the largest object, between characters. */
Test(dead_letters_model, a_letter_is_no_larger_than_a_record)
{
	struct model_letters m = of("Missing fields: n");
	struct buf body;
	struct letters_of w;
	json_t *doc;
	const char *text;
	size_t n;

	m.limit = 6 * KIB;
	buf_init(&body, MIB);
	buf_str(&body, "[{\"big\":\"");
	for (int i = 0; i < 6000; i++)
		buf_char(&body, 'x');
	buf_str(&body, "\"},{\"e\":\"");
	for (int i = 0; i < 1000; i++)
		buf_str(&body, "\xe2\x82\xac");
	buf_str(&body, "\"},{\"n\":1}]");
	buf_char(&body, '\0');
	w = write_all(m, body.p);
	cr_assert_eq(w.m.objects, 3);
	cr_assert_eq(w.m.count, 2);
	for (size_t i = 0; i < 2; i++) {
		doc = letter(&w, i);
		text = text_of(doc, "requestBody");
		n = strlen(text);
		cr_assert(n <= w.m.shown && n > w.m.shown - 4);
		cr_assert_eq(strncmp(text, body.p, n), 0);
		json_decref(doc);
	}
	letters_done(&w);
	buf_done(&body);
}

/* P20 for letters: a text of the longest kind, of control bytes and of no UTF-8 stays JSON */
Test(dead_letters_model, a_text_of_any_bytes_is_escaped_and_cut)
{
	char error[2000];
	struct letters_of w;
	json_t *doc;

	memset(error, '\x01', sizeof(error) - 1);
	memcpy(error, "Invalid JSON: \xff\"\\", 17);
	error[sizeof(error) - 1] = '\0';
	w = write_all(of(error), "{\"n\":1}");
	doc = letter(&w, 0);
	cr_assert_eq(strncmp(text_of(doc, "errorMessage"), "\xef\xbf\xbd\"\\\x01", 6), 0);
	cr_assert_leq(strlen(text_of(doc, "errorMessage")), 255 + 2);
	json_decref(doc);
	letters_done(&w);
}
