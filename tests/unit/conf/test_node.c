/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "conf/node.c"

static struct report *r;
static char got[65536];

static void opens(void)
{
	r = report_new();
}
static void closes(void)
{
	report_free(r);
}
TestSuite(node, .init = opens, .fini = closes);

static const struct yaml_node *read_str(const char *text)
{
	return yaml_read_text(r, "f", pool_dup(report_pool(r), bytes_str(text)));
}

static const char *said(void)
{
	struct buf out;

	buf_init_fixed(&out, got, sizeof(got) - 1);
	report_text(r, "not applied", &out);
	got[out.n] = '\0';
	return got;
}

/* One error, its first line. */
static void says(const char *line)
{
	said();
	cr_assert_eq(report_errors(r), 1, "%s", got);
	cr_assert_eq(strncmp(got, line, strlen(line)), 0, "%s", got);
	cr_assert_eq(got[strlen(line)], '\n', "%s", got);
}

Test(node, an_unknown_key_gets_a_hint_and_the_list)
{
	static const char *const allowed[] = { "listen", "name", NULL };
	const struct yaml_node *root = read_str("listne: 1\nname: x\n");

	cr_assert_not(node_keys(r, root, allowed));
	says("f:1:1: error: unknown key 'listne' (did you mean 'listen'?)");
	cr_assert_not_null(strstr(got, "\n  help: keys allowed here: listen, name\n"));
	cr_assert(node_keys(r, read_str("name: x"), allowed));
}

Test(node, an_unknown_secret_is_not_shown)
{
	static const char *const allowed[] = { "password_file", NULL };

	cr_assert_not(node_keys(r, read_str("password: hunter2\n"), allowed));
	cr_assert_null(strstr(said(), "hunter2"));
	cr_assert_not_null(strstr(got, "unknown key 'password'"));
}

/* O2 */
Test(node, a_plain_no_is_no_text)
{
	static const char *const words[] = { "no",    "yes",  "on", "Off", "true",
		                             "FALSE", "null", "~",  "" };
	char text[40];

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		snprintf(text, sizeof(text), "a: %s\n", words[i]);
		cr_assert_null(node_string(r, node_get(read_str(text), "a")), "%s", text);
		cr_assert_eq(report_errors(r), i + 1);
		snprintf(text, sizeof(text), "a: \"%s\"\n", words[i]);
		cr_assert_str_eq(node_string(r, node_get(read_str(text), "a")), words[i]);
	}
	cr_assert_not_null(strstr(said(), "'no' is not taken as a text without quotes\n"));
	cr_assert_not_null(strstr(got, "  help: write \"no\"\n"));
}

Test(node, values_are_read_or_said)
{
	const struct yaml_node *root =
		read_str("a: 5MB\nb: 5\nc: [1]\nd: true\ne: yes\nf: 101\ng: {}\n");
	uint64_t v = 0;
	bool yes = false;

	cr_assert(node_value(r, node_get(root, "a"), value_size, &v));
	cr_assert_eq(v, 5000000);
	cr_assert(node_bool(r, node_get(root, "d"), &yes));
	cr_assert(yes);
	cr_assert(node_u64(r, node_get(root, "f"), 101, 101, &v));
	cr_assert_eq(v, 101);
	cr_assert_eq(report_errors(r), 0);
	cr_assert_not(node_value(r, node_get(root, "b"), value_size, &v));
	cr_assert_not(node_value(r, node_get(root, "c"), value_size, &v));
	cr_assert_not(node_bool(r, node_get(root, "e"), &yes));
	cr_assert_not(node_u64(r, node_get(root, "f"), 0, 100, &v));
	cr_assert_not(node_u64(r, node_get(root, "f"), 102, 200, &v));
	cr_assert_null(node_string(r, node_get(root, "g")));
	cr_assert_eq(report_errors(r), 6);
	cr_assert_eq(v, 101, "untouched on failure");
	said();
	cr_assert_not_null(strstr(got, "f:2:4: error: '5': a size needs a unit: "));
	cr_assert_not_null(strstr(got, "f:3:4: error: 'c' must be a single value, not a list\n"));
	cr_assert_not_null(strstr(got, "  help: allowed: 0..100\n"));
}
