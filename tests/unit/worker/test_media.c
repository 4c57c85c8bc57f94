/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "worker/media.c"

Test(media, what_real_clients_send_is_taken)
{
	static const char *const good[] = {
		"application/json",
		"APPLICATION/JSON",
		"  application/json\t",
		"application/json; charset=utf-8",
		"application/json;charset=utf-8",
		"application/json ; charset=\"utf-8\"",
		"application/json;",
		"application/json; a=b; c=\"x;y\\\"z\"",
		"application/json ; charset = utf-8",
		"application/json;charset\t=\t\"utf-8\"\t",
		"application/json;; a=b",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_assert(media_is(bytes_str(good[i]), "application/json"), "%s", good[i]);
}

Test(media, malformed_types_and_parameters_are_none)
{
	static const char *const bad[] = {
		"",
		" ",
		"application",
		"application/",
		"/json",
		"application /json",
		"application/ json",
		"application/json charset=utf-8",
		"application/json; charsetutf-8",
		"application/json; =utf-8",
		"application/json; charset=",
		"application/json; charset=\"utf-8",
		"application/json; a=\"b\\",
		"application/json, text/plain",
		"application/js\x01on",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct bytes type;

		cr_assert(!media_parse(bytes_str(bad[i]), &type), "%s", bad[i]);
	}
	cr_assert(!media_is(BYTES("application/json\0x"), "application/json"));
}

Test(media, a_longer_or_shorter_type_is_another)
{
	cr_assert(!media_is(BYTES("application/jsonx"), "application/json"));
	cr_assert(!media_is(BYTES("application/jso"), "application/json"));
	cr_assert(!media_is(BYTES("application/json+x"), "application/json"));
}

static void expect_parameter(const char *field, const char *want)
{
	struct bytes got = media_parameter(bytes_str(field), "proto");

	if (!want)
		cr_expect_null(got.p, "%s: %.*s", field, (int)got.n, (const char *)got.p);
	else
		cr_expect(got.p && bytes_eq(got, bytes_str(want)), "%s: %.*s", field, (int)got.n,
		          (const char *)got.p);
}

/* protocols.md 5: blanks around ; and = and quotes around the value are accepted */
Test(media, a_parameter_is_found_whatever_stands_around_it)
{
	expect_parameter("a/b;proto=x.Y", "x.Y");
	expect_parameter("a/b; PROTO=x.Y", "x.Y");
	expect_parameter("a/b \t;\t proto \t= \tx.Y \t", "x.Y");
	expect_parameter("a/b;proto=\"x.Y\"", "x.Y");
	expect_parameter("a/b ; proto = \"x.Y\" ;", "x.Y");
	expect_parameter("a/b;charset=utf-8;;proto=x.Y;z=1", "x.Y");
	expect_parameter("a/b;z=\"proto=no;\";proto=x.Y", "x.Y");
	expect_parameter("a/b;proto=first;proto=second", "first");
}

Test(media, an_absent_parameter_is_not_an_empty_one)
{
	expect_parameter("a/b", NULL);
	expect_parameter("a/b;", NULL);
	expect_parameter("a/b;protocol=x", NULL);
	expect_parameter("a/b;prot=x", NULL);
	expect_parameter("a/b;z=\"proto=x\"", NULL);
	expect_parameter("a/b;proto=\"\"", "");
	expect_parameter("a/b;proto=", NULL); /* malformed */
	expect_parameter("proto=x", NULL); /* no type before it */
	expect_parameter("", NULL);
}
