/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/yaml_out.h"

#include <string.h>
#include <strings.h>
#include "conf/yaml_node.h"

/* ---- in ---- */

static json_t *from_node(const struct yaml_node *n)
{
	json_t *out;

	if (n->kind == NODE_SCALAR)
		return ctl_text(bytes_str(n->text));
	out = n->kind == NODE_MAP ? json_object() : json_array();
	for (const struct yaml_node *v = n->first; v; v = v->next) {
		if (n->kind == NODE_MAP)
			json_object_set_new(out, v->key->text, from_node(v));
		else
			json_array_append_new(out, from_node(v));
	}
	return out;
}

json_t *tenants_from_yaml(const char *path, struct bytes text)
{
	struct report *r = report_new();
	const struct yaml_node *root = yaml_read_text(r, path, text);
	json_t *out = root && report_errors(r) == 0 ? from_node(root) : NULL;

	report_free(r);
	return out;
}

bool has_comment(struct bytes text)
{
	char before = '\n';

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '#' && strchr(" \t\n", before))
			return true;
		before = (char)text.p[i];
	}
	return false;
}

/* ---- out ---- */

enum { C1_END = 0xa0, LINE_SEPARATOR = 0x2028, PARAGRAPH_SEPARATOR = 0x2029, BOM = 0xfeff };

/* What needs no quotes: our reader knows no types. Words that others take for a truth or for
 * nothing have them all the same. */
static bool may_be_plain(const char *text)
{
	static const char inside[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789_./:+-";
	static const char *const words[] = { "yes",   "no",   "on", "off", "true",
		                             "false", "null", "y",  "n" };
	size_t n = strlen(text);

	if (n == 0 || text[n - 1] == ':' || strspn(text, inside) != n || strchr("_./:+-", text[0]))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return false;
	return true;
}

static uint32_t code_point(const uint8_t *p, size_t n)
{
	static const uint8_t lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = p[0] & lead[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

static bool is_shown(uint32_t c)
{
	if (c < ' ' || c == '"' || c == '\\' || (c >= 0x7f && c < C1_END))
		return false;
	return c != LINE_SEPARATOR && c != PARAGRAPH_SEPARATOR && c != BOM &&
	       (c & 0xfffe) != 0xfffe;
}

static void put_scalar(struct buf *out, const char *text)
{
	struct bytes b = bytes_str(text);

	if (may_be_plain(text)) {
		buf_str(out, text);
		return;
	}
	buf_char(out, '"');
	while (b.n) {
		size_t n = utf8_sequence(b.p, b.n); /* JSON strings are UTF-8 */
		uint32_t c = code_point(b.p, n);

		if (is_shown(c))
			buf_add(out, b.p, n);
		else
			buf_printf(out, c > UINT16_MAX ? "\\U%08x" : "\\u%04x", c);
		b = bytes_from(b, n);
	}
	buf_char(out, '"');
}

static void put_flow(struct buf *out, const json_t *v)
{
	const char *key, *separator = "";
	json_t *e;
	size_t i;

	if (json_is_object(v)) {
		buf_char(out, '{');
		json_object_foreach((json_t *)v, key, e) {
			buf_printf(out, "%s%s: ", separator, key);
			put_flow(out, e);
			separator = ", ";
		}
		buf_char(out, '}');
	} else if (json_is_array(v)) {
		buf_char(out, '[');
		json_array_foreach(v, i, e) {
			buf_str(out, separator);
			put_flow(out, e);
			separator = ", ";
		}
		buf_char(out, ']');
	} else {
		put_scalar(out, json_string_value(v));
	}
}

static const char *const tenant_order[] = { "id",     "state",       "display_name",
	                                    "limits", "block_until", "topic_prefix",
	                                    NULL };
static const char *const token_order[] = { "id",          "name",          "sha256",
	                                   "pbkdf2",      "iterations",    "scopes",
	                                   "not_before",  "expires_at",    "revoked_at",
	                                   "replaced_by", "allowed_cidrs", NULL };

/* The keys of one list entry, the first behind its dash. */
static void put_entry(struct buf *out, const json_t *entry, const char *const *order, int indent)
{
	const char *dash = "- ";

	for (; *order; order++) {
		const json_t *v = json_object_get(entry, *order);

		if (!v)
			continue;
		buf_printf(out, "%*s%s%s: ", indent, "", dash, *order);
		put_flow(out, v);
		buf_char(out, '\n');
		dash = "  ";
	}
}

void tenants_to_yaml(const json_t *root, struct buf *out)
{
	const json_t *tenants = json_object_get(root, "tenants"), *tokens;
	json_t *tenant, *token;
	size_t i, k;

	buf_str(out, "version: 1\ntenants:");
	buf_str(out, json_array_size(tenants) ? "\n" : " []\n");
	json_array_foreach(tenants, i, tenant) {
		put_entry(out, tenant, tenant_order, 2);
		tokens = json_object_get(tenant, "tokens");
		if (json_array_size(tokens))
			buf_str(out, "    tokens:\n");
		json_array_foreach(tokens, k, token)
			put_entry(out, token, token_order, 6);
	}
}
