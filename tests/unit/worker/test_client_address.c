/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client_address.c"

#include <arpa/inet.h>

#include "tests/unit/worker/otlp_bodies.h"

static struct fixture *f;

/* The fixture's connections come from 127.0.0.1. */
static void trust(const char *block)
{
	static const char *blocks[2] = { "192.0.2.0/24" };

	blocks[1] = block;
	f->listener_confs[0].trusted_proxies = (struct conf_list){ blocks, 2 };
	client_address_open(&f->public);
}

static void opens(void)
{
	f = fixture_open();
}

static void closes(void)
{
	client_address_close(&f->public);
	fixture_close(f);
}

TestSuite(client_address, .init = opens, .fini = closes);

static const char *ask(const char *token, const char *fields)
{
	static char text[4096];

	snprintf(text, sizeof(text),
	         "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
	         "Content-Length: 0\r\nAuthorization: Bearer %s\r\n%s\r\n",
	         token, fields);
	return fixture_ask(f, text);
}

static const char *client_with(const char *fields)
{
	static char text[INET6_ADDRSTRLEN];

	ask("secret-acme", fields);
	return inet_ntop(AF_INET6, f->r.client, text, sizeof(text));
}

Test(client_address, only_a_trusted_proxy_is_believed)
{
	trust("10.0.0.0/8");
	cr_assert_str_eq(client_with("X-Forwarded-For: 10.1.2.3\r\n"), "::ffff:127.0.0.1");
	client_address_close(&f->public);
	trust("127.0.0.0/8");
	cr_assert_str_eq(client_with("X-Forwarded-For: 10.1.2.3\r\n"), "::ffff:10.1.2.3");
	cr_assert_str_eq(f->r.client_text, "10.1.2.3");
	cr_assert_str_eq(client_with(""), "::ffff:127.0.0.1");
}

/* What stands before it may be the client's own. */
Test(client_address, the_last_entry_of_the_last_line_counts)
{
	trust("127.0.0.1");
	cr_assert_str_eq(client_with("X-Forwarded-For: 10.9.9.9, 10.1.2.3\r\n"
	                             "x-forwarded-for: 10.8.8.8 ,\t2001:db8::1 \r\n"
	                             "X-Real-IP: 10.7.7.7\r\n"),
	                 "2001:db8::1");
	cr_assert_str_eq(f->r.client_text, "2001:db8::1");
}

Test(client_address, x_real_ip_is_asked_where_no_other_line_is)
{
	trust("127.0.0.1");
	cr_assert_str_eq(client_with("X-Real-IP: 10.7.7.7\r\n"), "::ffff:10.7.7.7");
	cr_assert_str_eq(client_with("X-Forwarded-For: unknown\r\nX-Real-IP: 10.7.7.7\r\n"),
	                 "::ffff:127.0.0.1", "the proxy speaks by the other field");
	cr_assert_str_eq(client_with("X-Real-IP: 10.7.7.7\r\nX-Real-IP: 10.7.7.8\r\n"),
	                 "::ffff:127.0.0.1", "one of the two is not the proxy's");
}

Test(client_address, what_is_no_address_leaves_the_sockets)
{
	static const char *const bad[] = {
		"",
		",",
		"10.1.2.3,",
		"unknown",
		"localhost",
		"_hidden",
		"10.1.2",
		"10.1.2.0/24",
		"10.1.2.3:x",
		"10.1.2.3:70000",
		"[2001:db8::1",
		"[2001:db8::1]x",
		"[]",
		"fe80::1%eth0",
		"2001:db8::1]",
		"10.1.2.3 10.1.2.4",
		"1111111111111111111111111111111111111111111111111111111111111111111111111111",
	};
	char line[200];

	trust("127.0.0.1");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(line, sizeof(line), "X-Forwarded-For: 10.5.5.5, %s\r\n", bad[i]);
		cr_assert_str_eq(client_with(line), "::ffff:127.0.0.1", "%s", bad[i]);
		cr_assert_str_eq(f->r.client_text, "127.0.0.1:40000");
	}
}

Test(client_address, a_port_and_brackets_are_left_out)
{
	static const struct {
		const char *entry, *client;
	} cases[] = {
		{ "10.1.2.3:4711", "::ffff:10.1.2.3" },
		{ "[2001:db8::1]", "2001:db8::1" },
		{ "[2001:db8::1]:4711", "2001:db8::1" },
		{ "::ffff:10.1.2.3", "::ffff:10.1.2.3" },
		{ "::1", "::1" },
	};
	char line[100];

	trust("127.0.0.1");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(line, sizeof(line), "X-Forwarded-For: %s\r\n", cases[i].entry);
		cr_assert_str_eq(client_with(line), cases[i].client);
	}
}

/* B23, P24 */
Test(client_address, allowed_cidrs_see_whom_a_trusted_proxy_names)
{
	trust("10.0.0.0/8");
	cr_assert_eq(fixture_status(ask("secret-cidr", "X-Forwarded-For: 10.1.2.3\r\n")), 401);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_TOKEN, AUTH_ADDRESS), 1);
	client_address_close(&f->public);
	trust("127.0.0.1");
	cr_assert_eq(fixture_status(ask("secret-cidr", "X-Forwarded-For: 10.1.2.3\r\n")), 415);
	cr_assert_eq(fixture_status(ask("secret-cidr", "X-Forwarded-For: 10.1.4.3\r\n")), 401);
	cr_assert_eq(fixture_status(ask("secret-cidr", "")), 401);
}

/* F51: whoever guesses spends what is his, not the proxy's */
Test(client_address, budgets_are_of_whom_a_trusted_proxy_names)
{
	trust("127.0.0.1");
	f->conf.auth.unknown_per_source = 1;
	ask("secret-acme", "X-Forwarded-For: 10.1.2.3\r\n");
	cr_assert(auth_may_ask(&f->r));
	cr_assert(auth_may_ask(&f->r));
	cr_assert_not(auth_may_ask(&f->r));
	ask("secret-acme", "X-Forwarded-For: 10.1.2.4\r\n");
	cr_assert(auth_may_ask(&f->r));
}
