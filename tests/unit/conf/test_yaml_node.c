/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "conf/yaml_node.c"

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
TestSuite(yaml_node, .init = opens, .fini = closes);

static const struct yaml_node *read_bytes(struct bytes text)
{
	return yaml_read_text(r, "f", text);
}
static const struct yaml_node *read_str(const char *text)
{
	return read_bytes(bytes_str(text));
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

Test(yaml_node, a_tree_has_kinds_keys_order_and_places)
{
	const struct yaml_node *root = read_str("a: 1\nb:\n  - x\n  - {c: \"y\"}\n"), *n;

	cr_assert_eq(root->kind, NODE_MAP);
	cr_assert_eq(root->count, 2);
	n = node_get(root, "a");
	cr_assert_str_eq(n->text, "1");
	cr_assert(n->plain);
	cr_assert_eq(n->at.line, 1);
	cr_assert_eq(n->at.col, 4);
	cr_assert_eq(n->key->at.col, 1);
	n = node_get(root, "b");
	cr_assert_eq(n->kind, NODE_LIST);
	cr_assert_eq(n->count, 2);
	cr_assert_str_eq(n->first->text, "x");
	n = node_get(n->first->next, "c");
	cr_assert_str_eq(n->text, "y");
	cr_assert_not(n->plain);
	cr_assert_eq(n->at.line, 4);
	cr_assert_eq(n->at.col, 9);
	cr_assert_eq(n->at.width, 3);
	cr_assert_null(node_get(root, "c"));
	cr_assert_null(node_get(n, "c"));
	cr_assert_eq(report_errors(r), 0);
}

Test(yaml_node, an_empty_file_is_no_error)
{
	cr_assert_null(read_str(""));
	cr_assert_null(read_str("# only this\n"));
	cr_assert_null(read_bytes(BYTES_NONE));
	cr_assert_str_eq(said(), "");
}

/* O2 */
Test(yaml_node, a_duplicate_key_names_both)
{
	const struct yaml_node *root = read_str("a: 1\nb: 2\na: 3\n");

	says("f:3:1: error: duplicate key 'a': first at f:1:1");
	cr_assert_eq(root->count, 2);
	cr_assert_str_eq(node_get(root, "a")->text, "1");
}

Test(yaml_node, every_further_duplicate_is_named)
{
	const struct yaml_node *root = read_str("{a: 1, a: {x: 1}, b: 1, a: 3, \"a\": 4}");

	cr_assert_eq(report_errors(r), 3);
	cr_assert_eq(root->count, 2);
	cr_assert_eq(root->first->next->key->text[0], 'b');
	cr_assert_null(root->first->next->next);
}

/* O2 */
Test(yaml_node, an_anchor_is_refused)
{
	read_str("a: &x 1\n");
	says("f:1:4: error: anchors (&) are not allowed");
}

/* O2 */
Test(yaml_node, an_alias_is_refused_even_an_unknown_one)
{
	const struct yaml_node *root = read_str("a: *x\nb: 1\n");

	says("f:1:4: error: aliases are not allowed");
	cr_assert_eq(root->count, 1);
	cr_assert_str_eq(node_get(root, "b")->text, "1");
}

Test(yaml_node, an_alias_in_a_list_as_a_key_or_alone_is_refused)
{
	read_str("[*x]");
	read_str("*x : 1\n");
	read_str("*x");
	cr_assert_eq(report_errors(r), 3);
}

/* O2 */
Test(yaml_node, a_merge_key_is_one_error)
{
	const struct yaml_node *root = read_str("<<: *x\nb: 1\n");

	says("f:1:1: error: merge keys (<<) are not allowed");
	cr_assert_eq(root->count, 1);
}

/* O2 */
Test(yaml_node, a_tag_is_refused)
{
	read_str("a: !!str 1\n");
	says("f:1:4: error: tags (!) are not allowed");
}

Test(yaml_node, a_tag_directive_is_refused)
{
	read_str("%TAG ! tag:x,2000:\n---\na: 1\n");
	says("f:1:1: error: tag directives (%TAG) are not allowed");
}

/* O2 */
Test(yaml_node, a_second_document_is_refused)
{
	const struct yaml_node *root = read_str("---\na: 1\n---\nb: 2\n");

	says("f:3:1: error: a second document is not allowed");
	cr_assert_str_eq(node_get(root, "a")->text, "1");
}

/* O2 */
Test(yaml_node, a_tab_does_not_indent)
{
	cr_assert_null(read_str("a:\n\tb: 1\n"));
	says("f:2:1: error: a tab cannot stand here");
	cr_assert_not_null(strstr(got, "    2 | \tb: 1\n      | ^\n  help: indent with spaces\n"));
}

Test(yaml_node, a_syntax_error_has_its_place)
{
	cr_assert_null(read_str("\xc3\xa4: 1\nb: [1, 2\nc: 3\n"));
	cr_assert_eq(report_errors(r), 1);
	cr_assert_eq(strncmp(said(), "f:3:2: error: YAML: ", 20), 0, "%s", got);
}

Test(yaml_node, what_is_no_utf8_has_its_place)
{
	cr_assert_null(read_bytes(BYTES("a: 1\n\xc3\xa4: \xff\n")));
	cr_assert_eq(strncmp(said(), "f:2:4: error: this is no text file in UTF-8: ", 45), 0, "%s",
	             got);
}

Test(yaml_node, a_nul_is_refused_raw_or_escaped)
{
	cr_assert_null(read_bytes(BYTES("a: 1\0\n")));
	cr_assert_str_eq(node_get(read_str("a: \"x\\0y\"\n"), "a")->text, "");
	cr_assert_eq(report_errors(r), 2);
}

Test(yaml_node, utf16_is_refused)
{
	cr_assert_null(read_bytes(BYTES("\xff\xfe"
	                                "a\0:\0 \0"
	                                "1\0")));
	cr_assert_eq(report_errors(r), 1);
}

Test(yaml_node, nesting_is_bounded)
{
	char deep[40000];

	memset(deep, '[', 32);
	memset(deep + 32, ']', 32);
	deep[64] = '\0';
	cr_assert_not_null(read_str(deep));
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	cr_assert_null(read_str(deep));
	says("f:1:33: error: nested too deeply: at most 32 levels");
}

Test(yaml_node, a_list_is_no_key)
{
	const struct yaml_node *root = read_str("? [a]\n: 1\n? {b: 1}\n: {c: 1}\nd: 1\n");

	cr_assert_eq(report_errors(r), 2);
	cr_assert_eq(root->count, 1);
}

Test(yaml_node, columns_count_characters)
{
	const struct yaml_node *root = read_str("\"\xe2\x82\xac\xf0\x9f\x98\x80\": x\n");

	cr_assert_eq(root->first->at.col, 7);
	cr_assert_eq(root->first->key->at.width, 4);
}

/* ---- files ---- */

Test(yaml_node, a_missing_file_is_said_without_a_line)
{
	cr_assert_null(yaml_read(r, "/nonexistent/x.yaml", 1000));
	says("/nonexistent/x.yaml: error: can't read this file: No such file or directory");
}

Test(yaml_node, a_file_over_its_limit_is_refused)
{
	char path[] = "/tmp/headgate-yaml-XXXXXX";
	autoclose int fd = mkstemp(path);

	cr_assert_eq(write(fd, "a: 12345\n", 9), 9);
	cr_assert_str_eq(node_get(yaml_read(r, path, 9), "a")->text, "12345");
	cr_assert_null(yaml_read(r, path, 8));
	cr_assert_not_null(strstr(said(), "File too large"));
	unlink(path);
}
