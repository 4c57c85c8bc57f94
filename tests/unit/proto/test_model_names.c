/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/model_names.c"

#include <criterion/criterion.h>

#include <stdio.h>

static struct enrich_in in = { .received = 1234567890 };
static struct model_pass pass = { .in = &in };

/* A text of n bytes, and the same with its byte at `at` written as an escape. */
static void written_twice(char *plain, char *escaped, size_t n, size_t at)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		plain[i] = (char)('a' + i % 26);
		if (i == at)
			k += (size_t)sprintf(escaped + k, "\\u%04x", plain[i]);
		else
			escaped[k++] = plain[i];
	}
	plain[n] = escaped[k] = '\0';
}

Test(model_names, a_name_has_one_print_however_it_is_written)
{
	char plain[64], escaped[128];

	for (size_t n = 1; n <= 41; n++)
		for (size_t at = 0; at < n; at++) {
			struct json_text a = { .escaped = false }, b = { .escaped = true };
			struct model_name x, y;

			written_twice(plain, escaped, n, at);
			a.raw = bytes_str(plain);
			b.raw = bytes_str(escaped);
			cr_expect_eq(print_of(&pass, a), print_of(&pass, b), "%s", escaped);
			x = (struct model_name){ .p = a.raw.p, .n = (uint32_t)a.raw.n };
			y = (struct model_name){ .p = b.raw.p,
				                 .n = (uint32_t)b.raw.n,
				                 .escaped = true };
			cr_expect_eq(compare_texts(&x, &y), 0, "%s", escaped);
			y.n -= at == n - 1 ? 6 : 1; /* one character less */
			cr_expect_gt(compare_texts(&x, &y), 0, "%s", escaped);
			cr_expect_lt(compare_texts(&y, &x), 0, "%s", escaped);
		}
}

Test(model_names, prints_differ_from_one_moment_to_the_next)
{
	struct json_text name = { BYTES("a_name"), false };
	uint32_t print = print_of(&pass, name);

	in.received++;
	cr_expect_neq(print_of(&pass, name), print);
}

static struct json_text text_at(const char *list, size_t i)
{
	return (struct json_text){ bytes_of(list + i * 16, 16), false };
}

Test(model_names, names_are_told_apart_whatever_their_number_and_order)
{
	enum { MOST = 600 };
	static char list[MOST * 16 + 16];
	struct scratch scratch = { 0 };

	in.scratch = &scratch;
	for (size_t i = 0; i < MOST; i++)
		sprintf(list + i * 16, "name_%010zu.", i * 7919 % MOST);
	for (size_t n = 0; n < MOST; n += 1 + n / 7) {
		struct model_pass m = { .in = &in };
		struct json_text twice = { .escaped = false };

		m.cells = scratch.p;
		m.cell_cap = scratch.bytes / sizeof(*m.cells);
		for (size_t i = 0; i < n; i++)
			cr_assert(model_name_add(&m, text_at(list, i)));
		cr_expect(model_names_differ(&m, 0, &twice), "%zu names", n);
		cr_expect_eq(m.name_n, 0);
		m.cell_n = 0;
		for (size_t i = 0; i < n; i++)
			cr_assert(model_name_add(&m, text_at(list, i)));
		if (n) {
			cr_assert(model_name_add(&m, text_at(list, n / 3)));
			cr_expect_not(model_names_differ(&m, 0, &twice), "%zu names", n);
			cr_expect(bytes_eq(twice.raw, text_at(list, n / 3).raw));
		}
	}
	free(scratch.p);
}

/* What would be left if every print were the same: slow, but right. */
Test(model_names, equal_prints_are_settled_by_the_bytes)
{
	enum { N = 200 };
	static char list[N * 16 + 16];
	struct scratch scratch = { 0 };
	struct model_pass m = { .in = &in };
	struct json_text twice;

	in.scratch = &scratch;
	for (size_t i = 0; i < N; i++) {
		sprintf(list + i * 16, "name_%010zu.", i * 7919 % N);
		cr_assert(model_name_add(&m, text_at(list, i)));
		m.cells[i].name.print = 7;
	}
	cr_expect(model_names_differ(&m, 0, &twice));
	m.cells[N / 2] = m.cells[3];
	m.name_n = N;
	cr_expect_not(model_names_differ(&m, 0, &twice));
	free(scratch.p);
}
