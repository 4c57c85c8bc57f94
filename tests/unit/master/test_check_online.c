/* SPDX-License-Identifier: Apache-2.0 */
#include "master/check_online.c"

#include <criterion/criterion.h>

/* The database, issuers and brokers themselves: tests/way/47-online.sh. */

static struct conf_report report;
static struct online o;

static void opens(void)
{
	conf_report_init(&report);
	buf_str(&report.text, "0 errors, 0 warnings: configuration is good\n");
	o = (struct online){ .report = &report, .file = "f" };
}

static void closes(void)
{
	conf_report_done(&report);
}
TestSuite(check_online, .init = opens, .fini = closes);

static void said(const char *text)
{
	buf_char(&report.text, '\0');
	cr_expect_str_eq(report.text.p, text);
	report.text.n--;
}

#define TOPIC(exists, have, brokers)                                                               \
	"{\"topic\":\"t\",\"routes\":[\"a\",\"b\"],\"exists\":" exists                             \
	",\"max_message_bytes\":" have ",\"request_max_bytes\":" brokers                           \
	",\"wanted_max_message_bytes\":1048576,\"record_max_bytes\":983040,\"error\":null}\n"

Test(check_online, a_topic_that_takes_all_or_does_not_say_is_fine)
{
	judge_topics(&o, BYTES(TOPIC("true", "1048576", "104857600") TOPIC("true", "0", "0")));
	said("0 errors, 0 warnings: configuration is good\n");
}

/* records.md 1.3 */
Test(check_online, what_lowers_a_record_is_named_with_both_values)
{
	judge_topics(&o, BYTES(TOPIC("true", "1048575", "104857600")));
	said("f: warning: the topic 't' lowers what a record may have from 983040 to 983039 bytes "
	     "(a, b): its max.message.bytes is 1048575, the brokers' socket.request.max.bytes "
	     "104857600; set both to 1048576 at least, or record_max_bytes to 983039\n"
	     "0 errors, 1 warning: configuration is good\n");
	closes();
	opens();
	judge_topics(&o, BYTES(TOPIC("true", "0", "65537")));
	cr_expect(memmem(report.text.p, report.text.n, "to 1 bytes", 10));
	closes();
	opens();
	judge_topics(&o, BYTES(TOPIC("true", "100", "0")));
	cr_expect(memmem(report.text.p, report.text.n, "to 0 bytes", 10));
}

Test(check_online, a_topic_that_is_not_there_is_a_warning_as_it_is_for_ready)
{
	judge_topics(&o, BYTES(TOPIC("false", "0", "0")));
	said("f: warning: the topic 't' is not there, a, b answer 503: headgatectl topics create\n"
	     "0 errors, 1 warning: configuration is good\n");
	closes();
	opens();
	judge_topics(&o, BYTES("{\"topic\":\"dead\",\"routes\":[],\"exists\":false}\n"));
	said("f: warning: the topic 'dead' is not there: headgatectl topics create\n"
	     "0 errors, 1 warning: configuration is good\n");
}

Test(check_online, what_the_worker_program_cannot_say_is_an_error)
{
	judge_topics(&o, BYTES("{\"error\":\"x\\ny\\u001b\"}\n"));
	said("f: error: kafka.brokers: x y\n1 error, 0 warnings: configuration not applied\n");
	closes();
	opens();
	judge_topics(&o, BYTES("Segmentation fault"));
	said("f: error: kafka.brokers: the worker program says no JSON\n"
	     "1 error, 0 warnings: configuration not applied\n");
	closes();
	opens();
	judge_topics(&o, BYTES("{\"error\":7}\n[1]\n"));
	cr_expect_eq(report.errors, 2);
}

/* --json has nothing to show for a text that is none. */
Test(check_online, words_of_another_encoding_or_cut_ones_are_text_all_the_same)
{
	char cut[TEXT_BYTES];

	tell(&o, true, "tenants.dsn: f\xfcr \xc2\xbbx\xc2\xab \xe2\x82");
	said("f: error: tenants.dsn: f?r \xc2\xbbx\xc2\xab ??\n"
	     "1 error, 0 warnings: configuration not applied\n");
	closes();
	opens();
	memset(cut, 'x', sizeof(cut));
	memcpy(cut + TEXT_BYTES - 2, "\xc3", 2);
	tell(&o, true, "%s\xbc", cut);
	cr_expect(bytes_is_utf8(buf_view(&report.text)));
}
