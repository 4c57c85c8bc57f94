/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/html.c"

#include <criterion/criterion.h>
#include <string.h>

static char mem[1024];
static struct buf b;

static void begin(void)
{
	buf_init_fixed(&b, mem, sizeof(mem) - 1);
}

static const char *done(void)
{
	cr_assert(!b.failed);
	mem[b.n] = '\0';
	return mem;
}

TestSuite(html, .init = begin);

/* O19 */
Test(html, no_value_can_open_a_tag_or_leave_its_quotes)
{
	html_text(&b, "<b>&\"' \x01\x7f\xc3\xa9");
	cr_assert_str_eq(done(), "&lt;b&gt;&amp;&quot;&#39; &#xfffd;&#xfffd;\xc3\xa9");
}

static void expect_bytes(uint64_t n, const char *want)
{
	begin();
	html_bytes(&b, n);
	cr_assert_str_eq(done(), want);
}

Test(html, bytes_are_told_in_the_largest_unit)
{
	expect_bytes(0, "0 B");
	expect_bytes(1023, "1023 B");
	expect_bytes(1536, "1.5 KiB");
	expect_bytes(256ull * MIB, "256.0 MiB");
	expect_bytes(UINT64_MAX, "16.0 EiB");
}

static void expect_span(int64_t s, const char *want)
{
	begin();
	html_span(&b, s);
	cr_assert_str_eq(done(), want);
}

Test(html, spans_are_told_roughly)
{
	expect_span(-1, "0 s");
	expect_span(59, "59 s");
	expect_span(61, "1 min");
	expect_span(3720, "1 h 2 min");
	expect_span(90000, "1 d 1 h");
}

static void expect_width(uint64_t value, uint64_t most, const char *want)
{
	begin();
	html_bar(&b, value, most);
	cr_assert(strstr(done(), want), "%s", mem);
}

Test(html, a_bar_is_as_long_as_its_share_and_never_longer)
{
	expect_width(1, 4, "\"part\" width=\"25\"");
	expect_width(0, 0, "\"part\" width=\"0\"");
	expect_width(9, 3, "\"part\" width=\"100\"");
	expect_width(UINT64_MAX, UINT64_MAX, "\"part\" width=\"100\"");
}

Test(html, a_row_escapes_its_value)
{
	html_row_text(&b, "name", "<a>");
	html_row_share(&b, "part", 1536, 3072);
	cr_assert(strstr(done(), "<tr><th scope=\"row\">name</th><td>&lt;a&gt;</td></tr>\n"));
	cr_assert(strstr(mem, "<td>1.5 KiB of 3.0 KiB <svg"));
	cr_assert(strstr(mem, "\"part\" width=\"50\""));
}
