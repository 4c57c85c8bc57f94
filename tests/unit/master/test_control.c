/* SPDX-License-Identifier: Apache-2.0 */
#include "master/control.c"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "common/loop.h"

static struct fixture {
	struct event_base *base;
	struct control *control;
	char folder[40], path[64];
	struct control_client asked; /* by the last command */
	struct control_reload reload;
	msec_t sync_timeout;
	unsigned statuses, reopens;
	bool answer_later;
	char tap_tenant[32];
	uint64_t gone;
} f;

static void on_test_status(void *arg, const struct control_client *from)
{
	(void)arg;
	f.asked = *from;
	f.statuses++;
	if (!f.answer_later)
		control_answer(f.control, from->handle, json_pack("{s:b}", "ok", 1));
}

static void on_test_reload(void *arg, const struct control_client *from,
                           const struct control_reload *what)
{
	(void)arg;
	f.asked = *from;
	f.reload = *what;
	control_answer(f.control, from->handle, json_pack("{s:s}", "result", "ok"));
}

static void on_test_tap(void *arg, const struct control_client *from, const struct json_t *what)
{
	(void)arg;
	f.asked = *from;
	snprintf(f.tap_tenant, sizeof(f.tap_tenant), "%s",
	         json_string_value(json_object_get(what, "tenant")));
}

static void on_test_gone(void *arg, uint64_t client)
{
	(void)arg;
	f.gone = client;
}

static void on_test_sync(void *arg, const struct control_client *from, msec_t timeout)
{
	(void)arg;
	f.asked = *from;
	f.sync_timeout = timeout;
	control_answer(f.control, from->handle, json_pack("{s:b}", "ok", 1));
}

static void on_test_reopen(void *arg, const struct control_client *from)
{
	(void)arg;
	f.reopens++;
	control_answer_error(f.control, from->handle, "can't open it");
}

static void set_up(void)
{
	const struct control_hooks hooks = {
		.status = on_test_status,
		.reload = on_test_reload,
		.sync = on_test_sync,
		.reopen = on_test_reopen,
		.tap = on_test_tap,
		.gone = on_test_gone,
	};
	struct err err = { "" };

	strcpy(f.folder, "/tmp/hg-control-XXXXXX");
	cr_assert_not_null(mkdtemp(f.folder));
	snprintf(f.path, sizeof(f.path), "%s/control.sock", f.folder);
	f.base = loop_open(&err);
	umask(0077);
	f.control = control_open(f.base, f.path, &hooks, &err);
	cr_assert_not_null(f.control, "%s", err.text);
}

static void tear_down(void)
{
	control_close(f.control);
	cr_expect(rmdir(f.folder) == 0, "the socket was unlinked");
	loop_close(f.base);
}

TestSuite(control, .init = set_up, .fini = tear_down);

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, f.path);
	cr_assert(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return fd;
}

static void turns(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(f.base, EVLOOP_NONBLOCK);
}

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	turns();
}

static const char *hear(int fd)
{
	static char text[8192];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return n < 0 ? "(nothing)" : n == 0 ? "(end)" : text;
}

Test(control, a_line_gets_a_line)
{
	int fd = dial();

	say(fd, "{\"do\":\"status\"}\n");
	cr_expect_str_eq(hear(fd), "{\"ok\":true,\"schema\":1}\n");
	cr_expect_eq(f.asked.uid, getuid());
	say(fd, "{\"do\":\"sta");
	cr_expect_str_eq(hear(fd), "(nothing)");
	say(fd, "tus\"}\n{\"do\":\"status\"}\n");
	cr_expect_eq(f.statuses, 3);
	close(fd);
}

Test(control, reload_has_a_time_out_and_may_be_dry)
{
	int fd = dial();

	say(fd, "{\"do\":\"reload\",\"timeout_ms\":1500,\"dry_run\":true}\n");
	cr_expect_eq(f.reload.timeout, 1500);
	cr_expect(f.reload.dry_run);
	hear(fd);
	say(fd, "{\"do\":\"reload\"}\n");
	cr_expect_eq(f.reload.timeout, 50000);
	cr_expect_not(f.reload.dry_run);
	hear(fd);
	say(fd, "{\"do\":\"reload\",\"timeout_ms\":\"soon\"}\n");
	cr_expect(strstr(hear(fd), "timeout_ms is 1..3600000"));
	close(fd);
}

Test(control, sync_has_a_time_out_of_10_s_unless_it_is_told)
{
	int fd = dial();

	say(fd, "{\"do\":\"sync\"}\n");
	cr_expect_eq(f.sync_timeout, 10000);
	hear(fd);
	say(fd, "{\"do\":\"sync\",\"timeout_ms\":5000}\n");
	cr_expect_eq(f.sync_timeout, 5000);
	hear(fd);
	say(fd, "{\"do\":\"sync\",\"timeout_ms\":0}\n");
	cr_expect(strstr(hear(fd), "sync: timeout_ms is 1..3600000"));
	cr_expect_eq(f.sync_timeout, 5000);
	close(fd);
}

Test(control, reopen_says_what_could_not_be_opened)
{
	int fd = dial();

	say(fd, "{\"do\":\"reopen\"}\n");
	cr_expect_eq(f.reopens, 1);
	cr_expect_str_eq(hear(fd), "{\"ok\":false,\"error\":\"can't open it\",\"schema\":1}\n");
	close(fd);
}

/* O18 */
Test(control, http_gets_one_json_error_line)
{
	int fd = dial();

	say(fd, "GET /status HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
	cr_expect_str_eq(
		hear(fd),
		"{\"ok\":false,\"error\":\"this is the control socket of headgate: one JSON object "
		"a line, no HTTP\",\"schema\":1}\n");
	cr_expect_str_eq(hear(fd), "(end)");
	close(fd);
}

Test(control, what_it_does_not_know_is_an_error_and_the_connection_stays)
{
	static const char *const lines[] = { "{\"do\":\"dance\"}\n", "{\"do\":7}\n", "{}\n" };
	int fd = dial();

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		say(fd, lines[i]);
		cr_expect(strstr(hear(fd), "unknown command"), "%s", lines[i]);
	}
	say(fd, "{\"do\":\"status\"}\n");
	cr_expect(strstr(hear(fd), "true"));
	close(fd);
}

Test(control, a_line_without_end_is_cut_at_64_kib)
{
	autofree char *line = xcalloc(LINE_MAX_BYTES + 1, 1);
	int fd = dial();

	memset(line, ' ', LINE_MAX_BYTES);
	line[0] = '{';
	say(fd, line);
	turns();
	cr_expect(strstr(hear(fd), "one JSON object a line"));
	close(fd);
}

Test(control, an_answer_to_a_client_that_has_gone_reaches_nobody_else)
{
	int first = dial(), second;
	uint64_t handle;

	f.answer_later = true;
	say(first, "{\"do\":\"status\"}\n");
	handle = f.asked.handle;
	close(first);
	turns();
	second = dial();
	turns();
	control_answer(f.control, handle, json_pack("{s:s}", "for", "the first"));
	turns();
	cr_expect_str_eq(hear(second), "(nothing)");
	close(second);
}

Test(control, clients_beyond_the_limit_are_closed_and_places_come_back)
{
	int fds[CLIENTS_MAX], one_more;

	for (int i = 0; i < CLIENTS_MAX; i++) {
		fds[i] = dial();
		turns();
	}
	one_more = dial();
	turns();
	cr_expect_str_eq(hear(one_more), "(end)");
	close(one_more);
	close(fds[0]);
	turns();
	one_more = dial();
	say(one_more, "{\"do\":\"status\"}\n");
	cr_expect(strstr(hear(one_more), "true"));
	close(one_more);
	for (int i = 1; i < CLIENTS_MAX; i++)
		close(fds[i]);
}

/* O19: whatever the service's UMask is */
Test(control, the_socket_is_for_owner_and_group_alone)
{
	struct stat st;

	cr_expect(stat(f.path, &st) == 0 && (st.st_mode & 0777) == 0660);
}

Test(control, a_second_master_does_not_take_the_socket)
{
	const struct control_hooks hooks = {
		.status = on_test_status,
		.reload = on_test_reload,
		.sync = on_test_sync,
		.tap = on_test_tap,
		.gone = on_test_gone,
	};
	struct err err = { "" };

	errno = 0;
	cr_expect_null(control_open(f.base, f.path, &hooks, &err));
	cr_expect_eq(errno, EADDRINUSE, "%d: a start's exit code hangs on it", errno);
	cr_expect(strstr(err.text, "Address already in use"), "%s", err.text);
	cr_expect(strstr(err.text, f.path));
}

Test(control, a_text_of_any_bytes_can_be_shown)
{
	json_t *s = control_text(BYTES("caf\xe9 \"x\"\n"));

	cr_expect_str_eq(json_string_value(s), "caf? \"x\"\n");
	json_decref(s);
	s = control_text(BYTES("caf\xc3\xa9"));
	cr_expect_str_eq(json_string_value(s), "caf\xc3\xa9");
	json_decref(s);
	s = control_text(BYTES_NONE);
	cr_expect_str_eq(json_string_value(s), "");
	json_decref(s);
}

Test(control, a_tap_has_its_question_and_lines_of_json_until_the_client_goes)
{
	int fd = dial();
	uint64_t handle;

	say(fd, "{\"do\":\"tap\",\"tenant\":\"acme\"}\n");
	cr_expect_str_eq(f.tap_tenant, "acme");
	handle = f.asked.handle;
	control_line(f.control, handle, BYTES("{\"one\":1}"));
	control_line(f.control, handle, BYTES("{\"two\":2}"));
	turns();
	cr_expect_str_eq(hear(fd), "{\"one\":1}\n{\"two\":2}\n");
	close(fd);
	turns();
	cr_expect_eq(f.gone, handle);
	control_line(f.control, handle, BYTES("{}")); /* to nobody */
}

Test(control, without_a_free_descriptor_it_pauses_and_says_so_once)
{
	uint64_t said = log_count(LOG_LEVEL_ERR);
	struct rlimit before, none;
	int fd = dial(), next = dup(fd);
	bool sleeps;

	close(next);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ (rlim_t)next, before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	turns();
	sleeps = !event_pending(&f.control->accept, EV_READ, NULL);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_expect_eq(log_count(LOG_LEVEL_ERR) - said, 1);
	cr_expect(sleeps, "the loop turns for nothing");
	while (!f.control->clients[0])
		event_base_loop(f.base, EVLOOP_ONCE);
	say(fd, "{\"do\":\"status\"}\n");
	cr_expect_eq(f.statuses, 1);
	close(fd);
}
