/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pb_read.c"

#include <criterion/criterion.h>

#include "tests/golden/hex.h"

static uint8_t room[1 << 12];

static struct pb_cursor over(const char *text)
{
	memset(room, 0xff, sizeof(room)); /* hostile slack */
	return pb_cursor_of(hex_bytes(text, room, sizeof(room) - BODY_SLACK));
}

Test(pb_read, each_wire_type_gives_its_value)
{
	struct pb_cursor c = over("0a { \"text\" } 08 96 01 11 *8(01) 1d 02000000 82 06 { }");
	struct pb_field f;

	cr_assert(pb_next(&c, &f));
	cr_expect_eq(f.tag, 0x0a);
	cr_expect(bytes_eq(f.bytes, BYTES("text")));
	cr_expect_eq(f.at, room);
	cr_expect_eq(f.length_at, room + 1);
	cr_expect_eq(f.end, room + 6);
	cr_assert(pb_next(&c, &f) && f.tag == 0x08 && f.value == 150);
	cr_assert(pb_next(&c, &f) && f.tag == 0x11 && f.value == 0x0101010101010101);
	cr_assert(pb_next(&c, &f) && f.tag == 0x1d && f.value == 2);
	cr_assert(pb_next(&c, &f) && f.tag == (96 << 3 | 2) && f.bytes.n == 0);
	cr_expect_eq(f.length_at, f.at + 2);
	cr_expect_not(pb_next(&c, &f));
	cr_expect_not(c.failed);
}

Test(pb_read, padded_tags_lengths_and_varints_are_read)
{
	struct pb_cursor c =
		over("8a 80 80 80 00 81 80 80 80 00 \"x\" 88 00 ff ff ff ff ff ff ff ff ff 01");
	struct pb_field f;

	cr_assert(pb_next(&c, &f) && f.tag == 0x0a && bytes_eq(f.bytes, BYTES("x")));
	cr_expect_eq(f.length_at, room + 5);
	cr_assert(pb_next(&c, &f) && f.tag == 0x08 && f.value == UINT64_MAX);
	cr_expect_not(pb_next(&c, &f) || c.failed);
}

Test(pb_read, lengths_of_two_bytes_take_the_short_way_too)
{
	struct pb_cursor c = over("0a { *300(\"x\") } 0a 81 00 \"y\"");
	struct pb_field f;

	cr_assert(pb_next(&c, &f) && f.bytes.n == 300 && f.bytes.p == room + 3);
	cr_assert(pb_next(&c, &f) && f.bytes.n == 1 && f.bytes.p[0] == 'y');
	cr_expect_not(pb_next(&c, &f) || c.failed);
}

Test(pb_read, what_is_no_field_fails_for_good)
{
	static const char *const bad[] = {
		"00 01", /* field 0 */
		"02 00",
		"0b", /* groups */
		"0c",
		"0e 00", /* wire types 6 and 7 */
		"0f 00",
		"0a 02 78", /* past the end */
		"0a 83 00 7878",
		"0a", /* cut in tag, length, value */
		"0a 80",
		"8a",
		"08",
		"08 80",
		"09 *7(00)",
		"0d *3(00)",
		"8a 80 80 80 80 00 00", /* tag over 5 bytes */
		"0a 80 80 80 80 80 00", /* length over 5 bytes */
		"08 ff ff ff ff ff ff ff ff ff 02", /* varint over 64 bits */
		"08 80 80 80 80 80 80 80 80 80 80 00",
		"fa ff ff ff 1f 00", /* field number over 2^29 - 1 */
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct pb_cursor c = over(bad[i]);
		struct pb_field f;

		cr_expect_not(pb_next(&c, &f), "%s", bad[i]);
		cr_expect(c.failed, "%s", bad[i]);
		cr_expect_not(pb_next(&c, &f), "%s: it moved", bad[i]);
	}
}

Test(pb_read, a_varint_ends_before_its_end)
{
	static const uint8_t bytes[16] = { 0x80, 0x80, 0x01 };
	uint64_t v = 4711;

	cr_expect_eq(pb_varint_read(bytes, bytes + 3, &v), bytes + 3);
	cr_expect_eq(v, 1 << 14);
	cr_expect_null(pb_varint_read(bytes, bytes + 2, &v));
}

Test(pb_read, zigzag_and_doubles_are_as_the_wire_has_them)
{
	cr_expect_eq(pb_zigzag(0), 0);
	cr_expect_eq(pb_zigzag(1), -1);
	cr_expect_eq(pb_zigzag(UINT64_MAX), INT64_MIN);
	cr_expect_eq(pb_zigzag(UINT64_MAX - 1), INT64_MAX);
	cr_expect_eq(pb_zigzag32(105), -53);
	cr_expect_eq(pb_zigzag32(UINT64_C(0x100000000) | 3), -2, "cut at 32 bits");
	cr_expect_eq(pb_double(0x3ff0000000000000), 1.0);
}
