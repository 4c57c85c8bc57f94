/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sys/mman.h>

#include "common/log.c"

static char got[16384];
static int memfd;

static void capture(void)
{
	memfd = memfd_create("stderr", MFD_CLOEXEC);
	cr_assert_geq(memfd, 0);
	cr_assert_eq(dup2(memfd, STDERR_FILENO), STDERR_FILENO);
}

static const char *written(void)
{
	ssize_t n = pread(memfd, got, sizeof(got) - 1, 0);

	cr_assert_geq(n, 0);
	got[n] = '\0';
	return got;
}

TestSuite(log, .init = capture);

Test(log, one_event_is_one_logfmt_line)
{
	log_warn("tenants_pg", "connection lost, retrying", KV_U("in_ms", 2000));
	cr_assert_str_eq(written(),
	                 "lvl=warn mod=tenants_pg msg=\"connection lost, retrying\" in_ms=2000\n");
}

Test(log, all_types_of_values)
{
	log_info("m", "x", KV_S("s", "two words"), KV_S("none", NULL), KV_B("b", BYTES("a\nb")),
	         KV_I("i", -5), KV_S("addr", "[::1]:4318"), KV_S("empty", ""));
	cr_assert_str_eq(written(),
	                 "lvl=info mod=m msg=\"x\" s=\"two words\" none=null b=\"a\\x0ab\" "
	                 "i=-5 addr=[::1]:4318 empty=\"\"\n");
}

Test(log, json_lines)
{
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, NULL);
	log_identity(3, 7);
	log_err("m", "say \"x\"", KV_S("none", NULL), KV_U("n", 1), KV_B("b", BYTES("\xff\n")));
	cr_assert_str_eq(
		written(),
		"{\"lvl\":\"err\",\"mod\":\"m\",\"msg\":\"say \\\"x\\\"\",\"none\":null,\"n\":1,"
		"\"b\":\"\xef\xbf\xbd\\n\",\"worker\":3,\"gen\":7}\n");
}

Test(log, a_worker_says_who_it_is)
{
	log_identity(0, 12);
	log_info("m", "x");
	cr_assert_str_eq(written(), "lvl=info mod=m msg=\"x\" worker=0 gen=12\n");
}

Test(log, levels_and_debug_modules)
{
	log_setup(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, "auth,conn");
	log_info("m", "hidden");
	log_debug("aut", "hidden");
	log_debug("auth", "shown");
	log_debug("conn", "shown too");
	cr_assert_str_eq(written(), "lvl=debug mod=auth msg=\"shown\"\n"
	                            "lvl=debug mod=conn msg=\"shown too\"\n");
	cr_assert_eq(log_count(LOG_LEVEL_DEBUG), 2);
	cr_assert_eq(log_count(LOG_LEVEL_INFO), 0);
}

/* F52 */
Test(log, no_value_can_forge_a_line)
{
	log_warn("m", "x", KV_B("v", BYTES("a\r\nlvl=err mod=fake\0\x1b[2J\"=\xc2\x85")));
	cr_assert_null(strstr(written(), "\nlvl=err"));
	cr_assert_null(strchr(got, '\r'));
	cr_assert_null(strchr(got, '\x1b'));
	cr_assert_eq(strchr(got, '\n'), got + strlen(got) - 1);
}

Test(log, long_values_are_cut_and_pairs_stay_whole)
{
	static char huge[100000];
	struct kv many[12] = { 0 };

	memset(huge, 0x01, sizeof(huge)); /* four characters each */
	for (size_t i = 0; i < ARRAY_LEN(many) - 1; i++)
		many[i] = (struct kv)KV_B("huge", bytes_of(huge, sizeof(huge)));
	log_identity(0, 1);
	log_write(LOG_LEVEL_INFO, "m", "x", many);
	cr_assert_leq(strlen(written()), LINE_BYTES);
	cr_assert_not_null(strstr(got, "\\x01\" worker=0 gen=1\n"));
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, NULL);
	log_write(LOG_LEVEL_INFO, "m", "x", many);
	cr_assert_not_null(strstr(written(), "\",\"worker\":0,\"gen\":1}\n"));
}

Test(log, errno_survives_a_line)
{
	errno = ENOENT;
	log_info("m", "x");
	cr_assert_eq(errno, ENOENT);
}

/* ---- the journal ---- */

static int journal[2];

static const char *entry(void)
{
	ssize_t n = recv(journal[1], got, sizeof(got) - 1, MSG_DONTWAIT);

	cr_assert_gt(n, 0, "nothing was sent");
	got[n] = '\0';
	return got;
}

Test(log, the_journal_gets_native_fields)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, journal), 0);
	logger.journal_fd = journal[0];
	log_identity(1, 2);
	log_err("auth", "refused", KV_S("tenant", "acme"), KV_S("trace_id", "0af7"),
	        KV_S("request_id", "ab"), KV_B("text", BYTES("a\nPRIORITY=0")), KV_U("n", 5));
	cr_assert_eq(strncmp(entry(), "MESSAGE=refused tenant=acme trace_id=0af7 ", 42), 0, "%s",
	             got);
	cr_assert_not_null(strstr(got, "\nPRIORITY=3\nMESSAGE_ID="));
	cr_assert_not_null(strstr(got, "\nHEADGATE_MODULE=auth\n"));
	cr_assert_not_null(strstr(got, "\nHEADGATE_WORKER=1\nHEADGATE_GENERATION=2\n"));
	cr_assert_not_null(strstr(got, "\nHEADGATE_TENANT=acme\nTRACE_ID=0af7\n"));
	cr_assert_not_null(strstr(got, "\nHEADGATE_REQUEST_ID=ab\n"));
	cr_assert_not_null(strstr(got, "\nHEADGATE_TEXT=a\\x0aPRIORITY=0\nHEADGATE_N=5\n"));
	cr_assert_str_eq(written(), "", "not on stderr too");
}

Test(log, in_the_journal_the_masters_lines_have_the_generation_of_which_they_speak)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, journal), 0);
	logger.journal_fd = journal[0];
	log_identity(-1, 0);
	log_info("workers", "worker ready", KV_U("slot", 0), KV_U("gen", 3));
	cr_assert_not_null(strstr(entry(), "\nHEADGATE_SLOT=0\nHEADGATE_GENERATION=3\n"), "%s", got);
	cr_assert_eq(strncmp(got, "MESSAGE=worker ready slot=0 gen=3\n", 34), 0, "%s", got);
}

Test(log, a_field_with_a_newline_has_its_length)
{
	char out[64];
	struct buf b;

	buf_init_fixed(&b, out, sizeof(out));
	journal_field(&b, "K", BYTES("a\nb"));
	cr_assert(bytes_eq(buf_view(&b), BYTES("K\n\x03\0\0\0\0\0\0\0a\nb\n")));
}

Test(log, a_message_id_depends_on_module_and_text_alone)
{
	char a[33], b[33], c[33];

	message_id("m", "text", a);
	message_id("m", "text", b);
	message_id("n", "text", c);
	cr_assert_str_eq(a, b);
	cr_assert_str_neq(a, c);
	message_id("", "", a);
	cr_assert_eq(strlen(a), 32);
}

Test(log, a_lost_journal_falls_back_to_stderr)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, journal), 0);
	logger.journal_fd = journal[0];
	close(journal[1]);
	log_info("m", "x");
	cr_assert_str_eq(written(), "lvl=info mod=m msg=\"x\"\n");
}

Test(log, stderr_is_the_journal_only_if_device_and_inode_agree)
{
	char stream[64];
	struct stat st;

	cr_assert_eq(fstat(STDERR_FILENO, &st), 0);
	unsetenv("JOURNAL_STREAM");
	cr_assert_not(stderr_is_journal());
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	cr_assert(stderr_is_journal());
	strcat(stream, "1");
	setenv("JOURNAL_STREAM", stream, 1);
	cr_assert_not(stderr_is_journal());
	setenv("JOURNAL_STREAM", "junk", 1);
	cr_assert_not(stderr_is_journal());
}

/* ---- floods ---- */

Test(log, a_site_is_held_to_its_rate_and_the_rest_is_counted)
{
	struct log_limit limit = { 0 };
	uint32_t held = 99;

	cr_assert(log_limited(&limit, 2, 1000, &held));
	cr_assert_eq(held, 0);
	cr_assert(log_limited(&limit, 2, 1001, &held));
	cr_assert_not(log_limited(&limit, 2, 1002, &held));
	cr_assert_not(log_limited(&limit, 2, 60999, &held));
	cr_assert(log_limited(&limit, 2, 61000, &held));
	cr_assert_eq(held, 2);
	cr_assert(log_limited(&limit, 2, 61001, &held));
	cr_assert_eq(held, 0);
}

/* O19 */
Test(log, an_error_is_among_the_last_errors_too_and_a_warning_is_not)
{
	static struct last_errors ring;
	struct last_error list[LAST_ERRORS];

	log_err("early", "before there was a page");
	log_last_errors(&ring);
	log_identity(3, 12);
	log_warn("conn", "no error");
	log_err("sink_kafka", "refused", KV_S("err", "<b>&\"\n"), KV_U("repeats", 4));
	cr_assert_eq(last_errors_merge(list, 0, &ring), 1u);
	cr_assert_str_eq(list[0].module, "sink_kafka");
	cr_assert_str_eq(list[0].text, "refused err=\"<b>&\\x22\\x0a\" repeats=4");
	cr_assert_eq(list[0].worker, 3);
	cr_assert_eq(list[0].generation, 12u);
	cr_assert_gt(list[0].at, 1600000000ll * 1000000000);
	log_last_errors(NULL);
	log_err("late", "after the page");
	cr_assert_eq(last_errors_merge(list, 0, &ring), 1u);
}

Test(log, what_does_not_fit_a_last_error_leaves_a_line_that_is_whole)
{
	static struct last_errors ring;
	struct last_error list[LAST_ERRORS];
	char longest[600];

	memset(longest, '\x01', sizeof(longest) - 1); /* four bytes each, cut at 512 by the log */
	longest[sizeof(longest) - 1] = '\0';
	log_last_errors(&ring);
	log_err("m", "msg", KV_S("a", longest), KV_S("b", "short"));
	log_err("m", longest, KV_S("b", "short"));
	log_last_errors(NULL);
	cr_assert_eq(last_errors_merge(list, 0, &ring), 2u);
	cr_assert_str_eq(list[1].text, "msg");
	cr_assert_eq(strncmp(list[0].text, "\\x01\\x01", 8), 0);
	cr_assert_lt(strlen(list[0].text), sizeof(list[0].text));
}
