/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/model_form.c"

#include <criterion/criterion.h>

typedef bool (*form_fn)(struct bytes b);

/* Both lists end with NULL. */
static void forms(form_fn form, const char *const *good, const char *const *bad)
{
	for (; *good; good++)
		cr_expect(form(bytes_str(*good)), "%s", *good);
	for (; *bad; bad++)
		cr_expect_not(form(bytes_str(*bad)), "%s", *bad);
	cr_expect_not(form(BYTES_NONE));
	cr_expect_not(form(BYTES("")));
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

Test(model_form, integers_have_no_leading_zeros)
{
	forms(form_is_integer, LIST("0", "-0", "7", "-42", "100000000000000000000000"),
	      LIST("-", "00", "-01", "+1", "1.0", "1e3", " 1", "1 ", "a"));
}

Test(model_form, decimals_have_digits_on_both_sides_of_a_point)
{
	forms(form_is_decimal, LIST("0", "007", "-1.50", "1.0"),
	      LIST("-", ".5", "1.", "1.5.5", "1e3", "+1", "-.5", "1,5"));
}

Test(model_form, any_number_is_a_float_text_finite_or_not)
{
	forms(form_is_float,
	      LIST("1", "-1.5", "1e999", "+1", ".5", "5.", "007", "nan", "NaN", "-inf",
	           "+Infinity"),
	      LIST("-", ".", "e5", "1e", "infinit", "0x1", "1 ", "--1", "nan1"));
}

Test(model_form, finite_numbers_are_written_as_json_would)
{
	static const struct {
		const char *text, *json;
	} cases[] = { { "1.50", "1.50" }, { "+1", "1" },      { "-.5e3", "-0.5e3" },
		      { "5.", "5" },      { "5.e2", "5e2" },  { "0007.5", "7.5" },
		      { "000", "0" },     { "-00.0", "-0.0" } };
	static const char *const bad[] = { "",    "-",   ".",   "nan",   "1e999", "1e",
		                           "e1",  "+-1", "1 ",  "1.2.3", "5.5.",  "0x1",
		                           "1e+", "+",   "-e1", "1_0" };
	uint8_t odd[FORM_FLOAT_MAX];
	char longest[FORM_FLOAT_MAX + 2];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cr_expect(bytes_eq(form_float_of(bytes_str(cases[i].text), odd),
		                   bytes_str(cases[i].json)),
		          "%s", cases[i].text);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(form_float_of(bytes_str(bad[i]), odd).n, 0, "%s", bad[i]);
	memset(longest, '1', sizeof(longest));
	longest[0] = '.';
	cr_expect_eq(form_float_of(bytes_of(longest, FORM_FLOAT_MAX - 2), odd).n,
	             FORM_FLOAT_MAX - 1);
	cr_expect_eq(form_float_of(bytes_of(longest, FORM_FLOAT_MAX - 1), odd).n, 0);
}

Test(model_form, dates_are_not_looked_up_in_a_calendar)
{
	forms(form_is_date, LIST("2024-02-31", "0000-01-01", "9999-12-31"),
	      LIST("2024-13-01", "2024-00-10", "2024-01-32", "2024-01-00", "2024-1-01", "24-01-01",
	           "2024-01-01 ", "20240101", "2024-01-0a"));
}

Test(model_form, times_are)
{
	forms(form_is_date_time,
	      LIST("2024-02-29T23:59:60Z", "2000-02-29t00:00:00z", "2024-12-31 00:00:00.1-23:59"),
	      LIST("1900-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2024-04-31T00:00:00Z",
	           "2024-04-30T00:00:00", "2024-04-30T00:00:00.Z", "2024-04-30T0:00:00Z",
	           "2024-04-30T00:00:00+1:00", "2024-04-30T00:00:00+01",
	           "2024-04-30T00:00:00*01:00", "2024-04-30T00-00:00Z", "2024-04-30T00:00-00Z",
	           "2024-04-30T00:00:00Z1"));
}

Test(model_form, uuids_have_hyphens_in_their_places_or_none)
{
	forms(form_is_uuid,
	      LIST("67e5504410b1426f9247bb680e5fe0c8", "67E55044-10B1-426F-9247-BB680E5FE0C8",
	           "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
	           "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8"),
	      LIST("67e5504410b1426f9247bb680e5fe0c", "67e55044-10b1-426f-9247bb680-e5fe0c8",
	           "67e55044--0b1-426f-9247-bb680e5fe0c8", "(67e55044-10b1-426f-9247-bb680e5fe0c8)",
	           "{67e5504410b1426f9247bb680e5fe0c8}",
	           "urn:uuid:67e5504410b1426f9247bb680e5fe0c8",
	           "URN:UUID:67e55044-10b1-426f-9247-bb680e5fe0c8"));
}

Test(model_form, addresses_have_no_more_than_their_parts)
{
	forms(form_is_ipv4, LIST("0.0.0.0", "255.255.255.255", "001.02.3.099"),
	      LIST("1.2.3", "1.2.3.", "1.2.3.4.", ".1.2.3", "1.2.3.256", "1.2.3.0001", "1.2.3.a",
	           "1.2.3.4 "));
	forms(form_is_ipv6, LIST("::", "::1", "1:2:3:4:5:6:7:8", "1::", "::1.2.3.4", "A:b::"),
	      LIST(":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1%1", "g::", "1.2.3.4",
	           "::01.2.3.4", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"));
	cr_expect_not(form_is_ipv6(BYTES("::1\0")));
}
