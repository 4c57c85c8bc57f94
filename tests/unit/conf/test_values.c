/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "conf/values.c"

#define REFUSED(parse, in) cr_assert_eq(parse(bytes_str(in), &v, &err), -1, "%s", (in))
#define GIVES(parse, in, want)                                                                     \
	do {                                                                                       \
		cr_assert_eq(parse(bytes_str(in), &v, &err), 0, "%s: %s", (in), err.text);         \
		cr_assert_eq(v, (want), "%s", (in));                                               \
	} while (0)

static struct err err;

Test(values, durations_need_a_unit)
{
	msec_t v = 77;

	GIVES(value_msec, "0", 0);
	GIVES(value_msec, "0s", 0);
	GIVES(value_msec, "250ms", 250);
	GIVES(value_msec, "10s", 10000);
	GIVES(value_msec, "15m", 900000);
	GIVES(value_msec, "1h", 3600000);
	GIVES(value_msec, "2d", 172800000);
	v = 77;
	REFUSED(value_msec, "10");
	cr_assert_str_eq(err.text, "a duration needs a unit: ms, s, m, h or d");
	REFUSED(value_msec, "");
	REFUSED(value_msec, "s");
	REFUSED(value_msec, "-1s");
	REFUSED(value_msec, "1.5s");
	REFUSED(value_msec, "1 s");
	REFUSED(value_msec, "1us");
	REFUSED(value_msec, "1S");
	REFUSED(value_msec, "1h30m");
	REFUSED(value_msec, "9223372036854775807d");
	REFUSED(value_msec, "99999999999999999999s");
	cr_assert_eq(v, 77, "untouched on failure");
}

Test(values, microseconds_where_the_option_has_them)
{
	uint64_t v;

	GIVES(value_usec, "0", 0);
	GIVES(value_usec, "500us", 500);
	GIVES(value_usec, "1ms", 1000);
	GIVES(value_usec, "2s", 2000000);
	REFUSED(value_usec, "500");
}

Test(values, sizes_know_both_powers)
{
	uint64_t v;

	GIVES(value_size, "0", 0);
	GIVES(value_size, "512B", 512);
	GIVES(value_size, "1kB", 1000);
	GIVES(value_size, "1KiB", 1024);
	GIVES(value_size, "5MB", 5000000);
	GIVES(value_size, "64MiB", 67108864);
	GIVES(value_size, "2GB", 2000000000);
	GIVES(value_size, "3GiB", 3221225472);
	REFUSED(value_size, "5");
	REFUSED(value_size, "5M");
	REFUSED(value_size, "5mb");
	REFUSED(value_size, "5KB");
	REFUSED(value_size, "17179869184GiB");
}

Test(values, rates_end_in_per_second)
{
	uint64_t v;

	GIVES(value_rate, "0", 0);
	GIVES(value_rate, "20/s", 20);
	GIVES(value_rate, "1KiB/s", 1024);
	GIVES(value_rate, "20MB/s", 20000000);
	REFUSED(value_rate, "20");
	REFUSED(value_rate, "/s");
	REFUSED(value_rate, "1KiB");
	REFUSED(value_rate, "20/m");
	GIVES(value_count_rate, "0", 0);
	GIVES(value_count_rate, "20/s", 20);
	REFUSED(value_count_rate, "20");
	REFUSED(value_count_rate, "/s");
	REFUSED(value_count_rate, "s");
	REFUSED(value_count_rate, "20B/s");
	REFUSED(value_count_rate, "1KiB/s");
	REFUSED(value_count_rate, "20/m");
}

Test(values, shares_end_in_percent)
{
	uint64_t v;

	GIVES(value_percent, "0", 0);
	GIVES(value_percent, "0%", 0);
	GIVES(value_percent, "25%", 25);
	GIVES(value_percent, "100%", 100);
	REFUSED(value_percent, "25");
	REFUSED(value_percent, "101%");
	REFUSED(value_percent, "%");
	REFUSED(value_percent, "2.5%");
}

Test(values, counts_are_bare)
{
	uint64_t v;

	GIVES(value_count, "0", 0);
	GIVES(value_count, "18446744073709551615", UINT64_MAX);
	REFUSED(value_count, "18446744073709551616");
	REFUSED(value_count, "");
	REFUSED(value_count, "+1");
	REFUSED(value_count, "1k");
	REFUSED(value_count, "0x10");
}

Test(values, true_and_false_only)
{
	bool v;

	GIVES(value_bool, "true", true);
	GIVES(value_bool, "false", false);
	REFUSED(value_bool, "yes");
	REFUSED(value_bool, "True");
	REFUSED(value_bool, "1");
	REFUSED(value_bool, "");
}

Test(values, times_are_rfc_3339)
{
	int64_t v;

	GIVES(value_time, "1970-01-01T00:00:00Z", 0);
	GIVES(value_time, "2027-01-01T00:00:00Z", 1798761600);
	GIVES(value_time, "2027-01-01t02:30:00.25+02:30", 1798761600);
	GIVES(value_time, "2026-12-31T23:00:00-01:00", 1798761600);
	GIVES(value_time, "2024-02-29T00:00:00Z", 1709164800);
	GIVES(value_time, "2016-12-31T23:59:60Z", 1483228800);
	GIVES(value_time, "0001-01-01T00:00:00Z", -62135596800);
	REFUSED(value_time, "2023-02-29T00:00:00Z");
	REFUSED(value_time, "2027-13-01T00:00:00Z");
	REFUSED(value_time, "2027-01-00T00:00:00Z");
	REFUSED(value_time, "2027-01-01T24:00:00Z");
	REFUSED(value_time, "2027-01-01T00:00:00");
	REFUSED(value_time, "2027-01-01T00:00:00Z ");
	REFUSED(value_time, "2027-01-01T00:00:00.Z");
	REFUSED(value_time, "2027-01-01 00:00:00Z");
	REFUSED(value_time, "2027-01-01");
	REFUSED(value_time, "");
}

Test(values, texts_are_the_shortest_that_read_the_same)
{
	static const uint64_t sizes[] = { 0,        1,          999,        1000,      1024,
		                          65536,    1000000,    1024000,    983040,    104792064,
		                          67108864, 1073741824, 5000000000, UINT64_MAX };
	static const msec_t msecs[] = { 0, 1, 1500, 60000, 90000, 86400000, 8000, INT64_MAX };
	char text[64];
	uint64_t v;
	msec_t ms;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		value_size_text(sizes[i], text, sizeof(text));
		GIVES(value_size, text, sizes[i]);
		value_usec_text(sizes[i], text, sizeof(text));
		GIVES(value_usec, text, sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(msecs); i++) {
		value_msec_text(msecs[i], text, sizeof(text));
		cr_assert_eq(value_msec(bytes_str(text), &ms, &err), 0);
		cr_assert_eq(ms, msecs[i]);
	}
	value_size_text(983040, text, sizeof(text));
	cr_assert_str_eq(text, "960KiB");
	value_size_text(1000000, text, sizeof(text));
	cr_assert_str_eq(text, "1MB");
	value_msec_text(90000, text, sizeof(text));
	cr_assert_str_eq(text, "90s");
	value_msec_text(0, text, sizeof(text));
	cr_assert_str_eq(text, "0");
}

Test(values, addresses)
{
	static const struct {
		const char *in, *text;
		bool loopback;
	} good[] = {
		{ "127.0.0.1:4318", "127.0.0.1:4318", true },
		{ "localhost:0", "127.0.0.1:0", true },
		{ "127.9.9.9:1", "127.9.9.9:1", true },
		{ "0.0.0.0:65535", "0.0.0.0:65535", false },
		{ "[::1]:4318", "[::1]:4318", true },
		{ "[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", true },
		{ "[::]:80", "[::]:80", false },
		{ "/run/headgate/admin.sock", "/run/headgate/admin.sock", true },
	};
	static const char *const bad[] = {
		"",      "4318",     ":4318",      "*:1",           "1.2.3:4",
		"::1:1", "[::1]",    "[::1]1",     "1.2.3.4:65536", "host:1",
		"[]:1",  "1.2.3.4:", "1.2.3.4:+1", "[localhost]:1"
	};
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		cr_assert_eq(value_addr(bytes_str(good[i].in), &a, &err), 0, "%s: %s", good[i].in,
		             err.text);
		cr_assert_str_eq(a.text, good[i].text);
		cr_assert_eq(addr_is_loopback(&a), good[i].loopback, "%s", good[i].in);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(value_addr(bytes_str(bad[i]), &a, &err), -1, "%s", bad[i]);
}

Test(values, a_socket_path_has_its_limit)
{
	char path[110] = "/";
	struct addr a;

	memset(path + 1, 'x', 106);
	cr_assert_eq(value_addr(bytes_str(path), &a, &err), 0);
	path[107] = 'x';
	cr_assert_eq(value_addr(bytes_str(path), &a, &err), -1);
	cr_assert_eq(value_addr(BYTES("/a\0b"), &a, &err), -1);
}

Test(values, an_unnamed_socket_has_a_text)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	uint8_t v6[16];
	char text[64];

	addr_text((struct sockaddr *)&sun, sizeof(sa_family_t), text, sizeof(text));
	cr_assert_str_eq(text, "unix");
	addr_to_v6((struct sockaddr *)&sun, v6);
	cr_assert_eq(v6[15], 1);
}

static bool is_in(const char *block, const char *addr)
{
	char text[80];
	struct cidr c;
	struct addr a;
	uint8_t v6[16];

	cr_assert_eq(value_cidr(bytes_str(block), &c, &err), 0, "%s: %s", block, err.text);
	snprintf(text, sizeof(text), strchr(addr, ':') ? "[%s]:1" : "%s:1", addr);
	cr_assert_eq(value_addr(bytes_str(text), &a, &err), 0, "%s", err.text);
	addr_to_v6((struct sockaddr *)&a.ss, v6);
	return cidr_has(&c, v6);
}

Test(values, blocks_hold_their_addresses_and_no_others)
{
	struct cidr c;

	cr_assert(is_in("10.0.0.0/8", "10.255.0.1"));
	cr_assert_not(is_in("10.0.0.0/8", "11.0.0.0"));
	cr_assert(is_in("0.0.0.0/0", "200.1.2.3"));
	cr_assert_not(is_in("0.0.0.0/0", "2001:db8::1"));
	cr_assert(is_in("::/0", "200.1.2.3"));
	cr_assert(is_in("10.0.0.0/8", "::ffff:10.1.1.1"), "v4-mapped is the same host");
	cr_assert(is_in("192.168.1.77", "192.168.1.77"));
	cr_assert_not(is_in("192.168.1.77", "192.168.1.78"));
	cr_assert(is_in("192.168.1.64/27", "192.168.1.95"));
	cr_assert_not(is_in("192.168.1.64/27", "192.168.1.96"));
	cr_assert(is_in("2001:db8::/33", "2001:db8:7fff::1"));
	cr_assert_not(is_in("2001:db8::/33", "2001:db8:8000::1"));
	cr_assert_eq(value_cidr(BYTES("10.0.0.0/8"), &c, &err), 0);
	cr_assert_eq(c.prefix, 104);
}

Test(values, bad_blocks)
{
	static const char *const bad[] = {
		"",         "10.0.0.0/33", "10.0.0.1/8",   "::1/129",  "10.0.0.0/",
		"10.0.0/8", "localhost/8", "10.0.0.0/8/8", "fd00::1/8"
	};
	struct cidr c;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(value_cidr(bytes_str(bad[i]), &c, &err), -1, "%s", bad[i]);
}
