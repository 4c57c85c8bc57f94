/* SPDX-License-Identifier: Apache-2.0 */
/* O13: clients that cannot be run are compared with a reviewed text; UPDATE=1 rewrites them. */
#include "tools/ctl/snippet_text.c"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct snippet plain = {
	.endpoint = "https://gw.example.com:4318",
	.tenant = "acme",
	.token_file = "/etc/client/it's \"mine\".token",
	.ca = "/etc/client/ca.pem",
	.loki = true,
};
static const char token[] = "hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr";

static struct buf make(const struct snippet_client *client, const struct snippet *s)
{
	struct buf text;

	buf_init(&text, MIB);
	client->put(s, &text);
	cr_assert(!text.failed && text.n && text.p[text.n - 1] == '\n', "%s", client->name);
	return text;
}

static void compare(const char *path, const struct buf *text)
{
	const char *update = getenv("UPDATE");
	FILE *f = fopen(path, update && *update == '1' ? "w" : "r");
	static char want[64 * KIB];
	size_t n;

	cr_assert(f, "%s", path);
	if (update && *update == '1') {
		fwrite(text->p, 1, text->n, f);
		fclose(f);
		return;
	}
	n = fread(want, 1, sizeof(want), f);
	fclose(f);
	cr_expect(n == text->n && memcmp(want, text->p, n) == 0, "%s differs:\n%.*s", path,
	          (int)text->n, text->p);
}

Test(snippet_text, each_client_has_its_reviewed_text)
{
	for (const struct snippet_client *p = snippet_clients; p->name; p++) {
		struct buf text = make(p, &plain);
		char path[128];

		snprintf(path, sizeof(path), "tests/golden/snippet/%s.txt", p->name);
		compare(path, &text);
		buf_done(&text);
	}
}

Test(snippet_text, without_inline_none_holds_the_token_and_with_it_none_names_the_file)
{
	struct snippet inlined = plain;

	inlined.token = token;
	for (const struct snippet_client *p = snippet_clients; p->name; p++) {
		struct buf text = make(p, &plain);

		cr_expect_null(memmem(text.p, text.n, "hgt_", 4), "%s", p->name);
		cr_expect(memmem(text.p, text.n, "mine", 4), "%s", p->name);
		buf_done(&text);
		text = make(p, &inlined);
		cr_expect(memmem(text.p, text.n, token, strlen(token)), "%s", p->name);
		cr_expect_null(memmem(text.p, text.n, "mine", 4), "%s", p->name);
		buf_done(&text);
	}
}

Test(snippet_text, a_plain_endpoint_has_no_settings_of_tls)
{
	struct snippet s = plain;

	s.endpoint = "http://127.0.0.1:4318";
	for (const struct snippet_client *p = snippet_clients; p->name; p++) {
		struct buf text = make(p, &s);

		cr_expect_null(memmem(text.p, text.n, "ca.pem", 6), "%s", p->name);
		cr_expect(memmem(text.p, text.n, "127.0.0.1", 9), "%s", p->name);
		buf_done(&text);
	}
}

Test(snippet_text, alloy_has_its_third_writer_only_where_loki_is_taken)
{
	struct snippet s = plain;
	struct buf text = make(&snippet_clients[1], &s);

	cr_expect(memmem(text.p, text.n, "loki.write", 10));
	buf_done(&text);
	s.loki = false;
	text = make(&snippet_clients[1], &s);
	cr_expect_null(memmem(text.p, text.n, "loki", 4));
	cr_expect(memmem(text.p, text.n, "otlphttp", 8));
	buf_done(&text);
}

Test(snippet_text, host_and_port_of_fluent_bit_come_from_the_url)
{
	static const char *const cases[][2] = {
		{ "https://a.example", "host        a.example\n    port        443\n" },
		{ "http://a.example", "host        a.example\n    port        80\n" },
		{ "http://[::1]:4318", "host        [::1]\n    port        4318\n" },
		{ "https://[::1]", "host        [::1]\n    port        443\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct snippet s = plain;
		struct buf text;

		s.endpoint = cases[i][0];
		buf_init(&text, MIB);
		put_fluent_bit(&s, &text);
		cr_expect(memmem(text.p, text.n, cases[i][1], strlen(cases[i][1])), "%.*s",
		          (int)text.n, text.p);
		buf_done(&text);
	}
}

Test(snippet_text, quotes_are_escaped_in_the_words_of_each_language)
{
	struct buf b;

	buf_init(&b, KIB);
	quoted(&b, "", "a\"b\\c", " ");
	shell(&b, "", "it's", " ");
	percent(&b, "a b/=~");
	cr_expect(bytes_eq(buf_view(&b), BYTES("\"a\\\"b\\\\c\" 'it'\\''s' a%20b%2F%3D~")));
	buf_done(&b);
}
