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
