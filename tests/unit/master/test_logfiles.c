/* SPDX-License-Identifier: Apache-2.0 */
#include "master/logfiles.c"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

static char folder[] = "/tmp/hg-logs-XXXXXX", access_path[64], audit_path[64];

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(access_path, sizeof(access_path), "%s/access.log", folder);
	snprintf(audit_path, sizeof(audit_path), "%s/audit.log", folder);
	loop_set_clock(1, 1800000000123456789);
	umask(0);
}

static void tear_down(void)
{
	unlink(access_path);
	unlink(audit_path);
	rmdir(folder);
}

TestSuite(logfiles, .init = set_up, .fini = tear_down);

static struct conf conf_of_paths(void)
{
	struct conf conf = { .log = { .access_file = { access_path, BYTES_NONE },
		                      .audit_file = { audit_path, BYTES_NONE } } };

	return conf;
}

static const char *content(const char *path)
{
	static char text[8192];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(logfiles, an_audit_line_is_one_json_object)
{
	struct conf conf = conf_of_paths();
	struct logfiles l;
	struct err err;

	cr_assert(logfiles_open(&l, &conf, &err) == 0);
	logfiles_audit(&l, &(struct audit_event){ .kind = "token.change",
	                                          .tenant = BYTES("acme"),
	                                          .token = BYTES("0123ABcd"),
	                                          .reason = "a \"quote\",\r\na line",
	                                          .actor_uid = -1,
	                                          .generation = 3 });
	cr_expect_str_eq(content(audit_path),
	                 "{\"ts\":\"2027-01-15T08:00:00.123456Z\",\"kind\":\"token.change\","
	                 "\"seq\":0,\"worker\":null,"
	                 "\"gen\":3,\"tenant\":\"acme\",\"token\":\"0123ABcd\",\"result\":null,"
	                 "\"reason\":\"a "
	                 "\\\"quote\\\",\\r\\na line\",\"actor\":null,\"actor_uid\":null}\n");
	logfiles_close(&l);
}

Test(logfiles, an_actor_is_named_by_the_password_file)
{
	struct conf conf = conf_of_paths();
	struct logfiles l;
	struct err err;

	cr_assert(logfiles_open(&l, &conf, &err) == 0);
	logfiles_audit(&l,
	               &(struct audit_event){ .kind = "reload", .result = "ok", .actor_uid = 0 });
	cr_expect(strstr(content(audit_path), "\"actor\":\"root\",\"actor_uid\":0}"));
	logfiles_close(&l);
}

Test(logfiles, a_replaced_file_goes_on_with_the_sequence)
{
	struct conf conf = conf_of_paths();
	struct logfiles l, next;
	struct err err;

	cr_assert(logfiles_open(&l, &conf, &err) == 0);
	logfiles_audit(&l, &(struct audit_event){ .kind = "start", .actor_uid = -1 });
	unlink(audit_path); /* logrotate's move */
	cr_assert(logfiles_open(&next, &conf, &err) == 0);
	logfiles_replace(&l, &next);
	cr_expect_eq(next.fd[STREAM_AUDIT], -1);
	logfiles_audit(&l, &(struct audit_event){ .kind = "stop", .actor_uid = -1 });
	cr_expect(strstr(content(audit_path), "\"kind\":\"stop\",\"seq\":1,"));
	logfiles_close(&l);
}

Test(logfiles, files_are_made_for_owner_and_group)
{
	struct conf conf = conf_of_paths();
	struct logfiles l;
	struct stat st;
	struct err err;

	cr_assert(logfiles_open(&l, &conf, &err) == 0);
	cr_expect(stat(access_path, &st) == 0 && (st.st_mode & 0777) == 0640);
	logfiles_close(&l);
}

Test(logfiles, a_path_that_cannot_be_opened_is_named)
{
	struct conf conf = conf_of_paths();
	struct logfiles l = { .fd = { -7, -7 } };
	struct err err = { "" };

	conf.log.audit_file.path = "/nonexistent-folder/audit.log";
	cr_expect_lt(logfiles_open(&l, &conf, &err), 0);
	cr_expect_str_eq(err.text,
	                 "can't open /nonexistent-folder/audit.log: No such file or directory");
	cr_expect_eq(l.fd[0], -7);
}

Test(logfiles, a_fifo_that_nobody_reads_is_an_error_and_stops_nothing, .timeout = 10)
{
	struct conf conf = conf_of_paths();
	struct err err = { "" };
	struct logfiles l;

	cr_assert_eq(mkfifo(audit_path, 0600), 0);
	cr_expect_eq(logfiles_open(&l, &conf, &err), -1);
	cr_expect(strstr(err.text, audit_path), "%s", err.text);
}
