/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "master/field.c"

static uint8_t stream[512];
static size_t used;

static void be(uint64_t v, unsigned bytes)
{
	while (bytes-- > 0)
		stream[used++] = (uint8_t)(v >> 8 * bytes);
}

static void text(const char *s)
{
	if (!s) {
		be(UINT32_MAX, 4);
		return;
	}
	be(strlen(s), 4);
	memcpy(stream + used, s, strlen(s));
	used += strlen(s);
}

/* A text[] of `n` elements as the server sends it. */
static struct field list(uint32_t dimensions, uint32_t n, const char *const *items)
{
	used = 0;
	be(dimensions, 4);
	be(0, 4); /* no NULLs */
	be(25, 4); /* text */
	for (uint32_t d = 0; d < dimensions; d++) {
		be(n, 4);
		be(1, 4);
	}
	for (uint32_t i = 0; i < n; i++)
		text(items[i]);
	return (struct field){ bytes_of(stream, used), false };
}

static struct bytes out[4];
static unsigned count;

Test(field, a_list_comes_out_with_its_elements)
{
	const char *const items[] = { "10.0.0.0/8", "", "a,b" };

	cr_assert(field_list(list(1, 3, items), 3, out, &count));
	cr_assert_eq(count, 3);
	cr_assert(bytes_eq(out[0], BYTES("10.0.0.0/8")));
	cr_assert_eq(out[1].n, 0);
	cr_assert(bytes_eq(out[2], BYTES("a,b")));
	cr_assert(field_list(list(0, 0, NULL), 3, out, &count), "an empty list has no dimension");
	cr_assert_eq(count, 0);
}

Test(field, what_is_no_plain_list_is_refused)
{
	const char *const items[] = { "a", "b" }, *const with_null[] = { "a", NULL };

	cr_assert_not(field_list(list(1, 2, items), 1, out, &count), "more than fit");
	cr_assert_not(field_list(list(2, 1, items), 4, out, &count), "two dimensions");
	cr_assert_not(field_list(list(1, 2, with_null), 4, out, &count), "a NULL among them");
	cr_assert_not(field_list((struct field){ BYTES_NONE, true }, 4, out, &count), "NULL");
	cr_assert_not(field_list((struct field){ BYTES("text"), false }, 4, out, &count));
}

Test(field, a_list_cut_anywhere_is_refused)
{
	const char *const items[] = { "a", "bc" };
	struct field f = list(1, 2, items);

	for (size_t n = 0; n < used; n++)
		cr_assert_not(
			field_list((struct field){ bytes_of(stream, n), false }, 4, out, &count),
			"%zu bytes", n);
	stream[used] = 0;
	f.value.n++;
	cr_assert_not(field_list(f, 4, out, &count), "a byte too many");
}

Test(field, after_an_error_a_cursor_gives_zero_and_never_moves)
{
	struct cursor c = { bytes_of("\0\0\0\5ab", 6), false };
	struct field f = field_take(&c);

	cr_assert(c.failed);
	cr_assert_eq(f.value.n, 0);
	cr_assert_eq(field_take_be(&c, 1), 0);
	cr_assert_eq(field_take(&c).value.n, 0);
}

Test(field, times_at_the_ends_do_not_wrap)
{
	bool broken = false;
	uint8_t bytes[8] = { 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe };
	struct field f = { bytes_of(bytes, 8), false };

	cr_assert_eq(field_time(f, 0, &broken), INT64_MAX);
	bytes[7] = 0xff;
	cr_assert_eq(field_time(f, 0, &broken), INT64_MAX);
	memset(bytes, 0, 8);
	bytes[0] = 0x80;
	cr_assert_eq(field_time(f, 0, &broken), INT64_MIN);
	cr_assert_not(broken);
	cr_assert_eq(field_seconds(INT64_MAX), INT64_MAX);
	cr_assert_eq(field_seconds(1000000), 1);
	cr_assert_eq(field_seconds(1000001), 2);
	cr_assert_eq(field_seconds(0), 0);
}

Test(field, a_value_of_another_type_is_broken)
{
	bool broken = false;

	field_time((struct field){ BYTES("2027"), false }, 0, &broken);
	cr_assert(broken);
	broken = false;
	cr_assert_not(field_bool((struct field){ BYTES("\2"), false }, &broken));
	cr_assert(broken);
	broken = false;
	cr_assert_not(field_bool((struct field){ BYTES_NONE, true }, &broken));
	cr_assert(broken);
}

Test(field, scopes_are_words_and_no_parts_of_words)
{
	cr_assert_eq(field_scope(BYTES("*")), SCOPE_ALL);
	cr_assert_eq(field_scope(BYTES("traces:write")), 1u << SIGNAL_TRACES);
	cr_assert_eq(field_scope(BYTES("traces:writes")), 0);
	cr_assert_eq(field_scope(BYTES("traces")), 0);
	cr_assert_eq(field_scope(BYTES_NONE), 0);
}

Test(field, blocks_have_no_bits_beyond_their_prefix)
{
	struct snapshot_cidr c = { .prefix = 1 };

	cr_assert(cidr_of(BYTES("10.0.0.0/8"), &c));
	cr_assert_eq(c.prefix, 104);
	cr_assert(cidr_of(BYTES("10.0.0.1"), &c));
	cr_assert_eq(c.prefix, 128);
	cr_assert(cidr_of(BYTES("::ffff:10.0.0.0/104"), &c), "counts as IPv4");
	cr_assert_eq(c.prefix, 104);
	cr_assert_not(cidr_of(BYTES("10.0.0.1/8"), &c));
	cr_assert_not(cidr_of(BYTES("localhost"), &c));
	cr_assert_not(cidr_of(BYTES(""), &c));
}

Test(field, a_count_is_an_int8_that_is_not_negative)
{
	bool broken = false;

	used = 0;
	be(100000, 8);
	be(UINT64_MAX, 8);
	cr_assert_eq(field_count((struct field){ bytes_of(stream, 8), false }, &broken), 100000);
	cr_assert_eq(field_count((struct field){ bytes_of(stream + 8, 8), false }, &broken), 0);
	cr_assert_eq(field_count((struct field){ BYTES_NONE, true }, &broken), 0);
	cr_assert_not(broken);
	cr_assert_eq(field_count((struct field){ bytes_of(stream, 7), false }, &broken), 0);
	cr_assert(broken);
	broken = false;
	cr_assert_eq(field_count((struct field){ bytes_of(stream, 9), false }, &broken), 0);
	cr_assert(broken, "not of another type");
}

Test(field, scopes_and_blocks_of_lists)
{
	const char *const two[] = { "traces:write", "logs:write" }, *const bad[] = { "*", "admin" };
	const char *const blocks[] = { "10.0.0.0/8", "::1" }, *const wide[] = { "10.0.0.0/33" };
	struct snapshot_cidr cidrs[FIELD_CIDRS_MAX];
	unsigned scopes = 7, n = 7;

	cr_assert(field_scopes(list(1, 2, two), &scopes));
	cr_assert_eq(scopes, 1u << SIGNAL_TRACES | 1u << SIGNAL_LOGS);
	cr_assert(field_scopes(list(0, 0, NULL), &scopes), "none at all: it may do nothing");
	cr_assert_eq(scopes, 0);
	cr_assert_not(field_scopes(list(1, 2, bad), &scopes));
	cr_assert_not(field_scopes((struct field){ BYTES_NONE, true }, &scopes));
	cr_assert(field_cidrs(list(1, 2, blocks), cidrs, &n));
	cr_assert_eq(n, 2);
	cr_assert_eq(cidrs[0].prefix, 96 + 8);
	cr_assert_eq(cidrs[1].prefix, 128);
	cr_assert_not(field_cidrs(list(1, 1, wide), cidrs, &n));
	cr_assert_not(field_cidrs(list(0, 0, NULL), cidrs, &n), "none is not from anywhere");
	cr_assert(field_cidrs((struct field){ BYTES_NONE, true }, cidrs, &n));
	cr_assert_eq(n, 0);
}

Test(field, a_record_comes_out_with_its_values)
{
	struct field parts[2];

	for (unsigned columns = 1; columns <= 3; columns++) {
		used = 0;
		be(2, 4);
		be(25, 4); /* text */
		text("a");
		be(16, 4); /* bool */
		text(NULL);
		cr_assert_eq(field_record((struct field){ bytes_of(stream, used), false }, columns,
		                          parts),
		             columns == 2);
	}
	for (size_t n = 0; n < used; n++)
		cr_assert_not(field_record((struct field){ bytes_of(stream, n), false }, 2, parts));
	cr_assert(field_record((struct field){ bytes_of(stream, used), false }, 2, parts));
	cr_assert(bytes_eq(parts[0].value, BYTES("a")));
	cr_assert(parts[1].null);
	cr_assert_not(field_record((struct field){ bytes_of(stream, used + 1), false }, 2, parts));
	cr_assert_not(field_record((struct field){ BYTES_NONE, true }, 2, parts));
}
