/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reload.c -- generations with a real configuration file and processes that speak the channel
 * (stub_worker.h). Callers are clients of a real control socket.
 */
#include "master/reload.c"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "master/jwks.h"
#include "tests/unit/master/stub_worker.h"

enum { WAIT_MS = 20000 };

static struct fixture {
	struct master m;
	struct master_args args;
	struct control_hooks hooks;
	char folder[40], file[64], tenants[64], socket[64];
	int64_t now_ns;
} f;

int main(int argc, char **argv)
{
	struct criterion_test_set *tests;
	int failed_tests = 0;

	if (strcmp(argv[0], "headgate-worker") == 0)
		return stub_main();
	tests = criterion_initialize();
	if (criterion_handle_args(argc, argv, true))
		failed_tests = !criterion_run_all_tests(tests);
	criterion_finalize(tests);
	return failed_tests;
}

/* ---- the fixture ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void configure(const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text),
	         "sink: discard\nlisteners: [{name: a, listen: 127.0.0.1:0}]\n"
	         "control: {socket: %s}\ntenants: {file: %s}\nmetrics: {max_tenants: 4}\n%s",
	         f.socket, f.tenants, more);
	write_file(f.file, text);
}

static void on_test_changed(void *arg)
{
	(void)arg;
	reload_look(&f.m);
}

static void on_test_gone(void *arg, struct generation *gen)
{
	(void)arg;
	generation_free(gen);
	reload_look(&f.m);
}

static void on_test_served(void *arg, uint64_t table)
{
	(void)arg, (void)table;
}

static void on_test_set_up(void *arg, struct proc *p)
{
	(void)arg, (void)p;
}

static void on_test_reload(void *arg, const struct control_client *from,
                           const struct control_reload *what)
{
	(void)arg;
	reload_ask(&f.m, from, what);
}

static void on_test_publish(void *arg, const struct tables *now)
{
	(void)arg;
	workers_tables(&f.m.workers, now);
}

static void on_test_audit(void *arg, const char *what, struct bytes tenant, struct bytes token)
{
	(void)arg, (void)what, (void)tenant, (void)token;
}

#define await(condition)                                                                           \
	do {                                                                                       \
		msec_t end_ = stub_now() + WAIT_MS;                                                \
                                                                                                   \
		while (!(condition)) {                                                             \
			cr_assert(stub_now() < end_, "in vain: %s", #condition);                   \
			event_base_loop(f.m.base, EVLOOP_ONCE);                                    \
		}                                                                                  \
	} while (0)

static unsigned ready(void)
{
	return generation_count(f.m.workers.current, PROC_READY);
}

static void on_test_key_sets(void *arg, int fd)
{
	(void)arg, (void)fd;
}

static void open_shared_parts(struct err *err)
{
	const struct jwks_hooks jwks = { .publish = on_test_key_sets };
	struct master *m = &f.m;

	m->base = loop_open(err);
	m->systemd = systemd_open(err);
	m->listeners = listeners_open(m->systemd);
	m->pages = pages_open(6, err);
	m->workers.pages = m->pages;
	m->workers.logs = &m->logs;
	m->workers.limits_fd = limits_memfd(65536, 4, err);
	m->workers.hooks = (struct workers_hooks){ .changed = on_test_changed,
		                                   .gone = on_test_gone,
		                                   .served = on_test_served,
		                                   .set_up = on_test_set_up };
	m->jwks = jwks_open(m->base, master_stats(m), &jwks, err);
	cr_assert_not_null(m->jwks, "%s", err->text);
	event_assign(&m->rotate, m->base, -1, EV_PERSIST, on_timer, m); /* never due in a test */
	cr_assert(m->base && m->systemd && m->pages && m->workers.limits_fd >= 0, "%s", err->text);
	cr_assert(workers_open(&m->workers, m->base, open("/proc/self/exe", O_PATH | O_CLOEXEC),
	                       err) == 0);
	reload_init(m);
}

static void set_up(void)
{
	const struct tenants_hooks hooks = { .publish = on_test_publish, .audit = on_test_audit };
	struct conf_report report;
	struct err err = { "" };
	struct conf *conf;

	strcpy(f.folder, "/tmp/hg-reload-XXXXXX");
	cr_assert_not_null(mkdtemp(f.folder));
	snprintf(f.file, sizeof(f.file), "%s/headgate.yaml", f.folder);
	snprintf(f.tenants, sizeof(f.tenants), "%s/tenants.yaml", f.folder);
	snprintf(f.socket, sizeof(f.socket), "%s/control.sock", f.folder);
	write_file(f.tenants, "version: 1\ntenants: []\n");
	configure("workers: 2\n");
	f.args = (struct master_args){ .file = f.file, .debug_modules = "" };
	f.m.args = &f.args;
	f.m.logs.fd[0] = f.m.logs.fd[1] = -1;
	f.now_ns = 1000000000;
	loop_set_clock(f.now_ns, 1800000000000000000);
	open_shared_parts(&err);
	conf_report_init(&report);
	conf = check_load(&f.args, false, &report);
	cr_assert_not_null(conf, "%.*s", (int)report.text.n, report.text.p);
	conf_report_done(&report);
	cr_assert(reload_first(&f.m, conf, &err) == 0, "%s", err.text);
	f.m.tenants = tenants_open(f.m.base, f.m.conf, master_stats(&f.m), &hooks, &err);
	f.hooks = (struct control_hooks){ .reload = on_test_reload };
	f.m.control = control_open(f.m.base, f.socket, &f.hooks, &err);
	cr_assert(f.m.tenants && f.m.control, "%s", err.text);
	await(ready() == 2);
	f.m.serving = true;
}

static void tear_down(void)
{
	tenants_close(f.m.tenants);
	workers_close(&f.m.workers);
	jwks_close(f.m.jwks);
	reload_done(&f.m);
	control_close(f.m.control);
	listeners_close(f.m.listeners);
	pages_close(f.m.pages);
	logfiles_close(&f.m.logs);
	systemd_close(f.m.systemd);
	close(f.m.workers.exe_fd);
	close(f.m.workers.limits_fd);
	event_del(&f.m.rotate);
	loop_close(f.m.base);
	unlink(f.file);
	unlink(f.tenants);
	rmdir(f.folder);
}

TestSuite(reload, .init = set_up, .fini = tear_down, .timeout = 60);

static int ask_for(const char *line)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, f.socket);
	cr_assert(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	cr_assert(send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line));
	return fd;
}

static json_t *answer_of(int fd)
{
	static char text[65536];
	ssize_t n = -1;
	json_t *o;

	await((n = recv(fd, text, sizeof(text), 0)) > 0);
	o = json_loadb(text, (size_t)n, JSON_DISABLE_EOF_CHECK, NULL);
	cr_assert_not_null(o);
	close(fd);
	return o;
}

static const char *text_in(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "(none)";
}

static long long number_in(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static uint64_t reloads(enum reload_result result)
{
	return stats_get(master_stats(&f.m), STAT_RELOADS, result, 0);
}

static const char reload_line[] = "{\"do\":\"reload\"}\n";

/* ---- the tests ---- */

Test(reload, a_good_file_gives_a_new_generation_and_says_what_changed)
{
	pid_t first = f.m.workers.current->procs[0].pid;
	json_t *a;
	int fd;

	configure("workers: 3\n");
	fd = ask_for(reload_line);
	a = answer_of(fd);
	cr_expect(json_is_true(json_object_get(a, "ok")));
	cr_expect_eq(number_in(a, "from"), 1);
	cr_expect_eq(number_in(a, "generation"), 2);
	cr_expect_eq(number_in(a, "workers"), 3);
	cr_expect_str_eq(text_in(a, "changes"), "workers: 2 -> 3  # headgate.yaml:6\n");
	cr_expect_eq(f.m.workers.current->number, 2);
	cr_expect_neq(f.m.workers.current->procs[0].pid, first);
	cr_expect_eq(ready(), 3);
	cr_expect_eq(reloads(RELOAD_OK), 1);
	json_decref(a);
	await(!f.m.workers.old);
}

/* O7 */
Test(reload, a_bad_file_changes_nothing_and_tells_all_errors)
{
	pid_t first = f.m.workers.current->procs[0].pid;
	json_t *a;
	int fd;

	configure("workers: many\nwrokers: 3\n");
	fd = ask_for(reload_line);
	a = answer_of(fd);
	cr_expect_str_eq(text_in(a, "result"), "config");
	cr_expect(strstr(text_in(a, "errors"), "unknown key 'wrokers' (did you mean 'workers'?)"),
	          "%s", text_in(a, "errors"));
	cr_expect(strstr(text_in(a, "errors"), "2 errors, 1 warning: configuration not applied"));
	cr_expect_eq(number_in(a, "generation"), 1);
	cr_expect_eq(f.m.workers.current->procs[0].pid, first);
	cr_expect_eq(stats_get(master_stats(&f.m), STAT_RELOAD_SUCCESS, 0, 0), 0);
	cr_expect_eq(reloads(RELOAD_CONFIG), 1);
	cr_expect(strstr(f.m.reload.last_why, "error: "),
	          "the first error, not a warning above it: %s", f.m.reload.last_why);
	json_decref(a);
}

Test(reload, a_file_that_is_no_utf_8_is_an_error_like_others)
{
	json_t *a;
	int fd;

	configure("workers: 2 # \xff\xfe\n");
	fd = ask_for(reload_line);
	a = answer_of(fd);
	cr_expect_str_eq(text_in(a, "result"), "config");
	cr_expect(strstr(text_in(a, "errors"), "error: "), "%s", text_in(a, "errors"));
	json_decref(a);
}

/* O7 */
Test(reload, a_generation_that_is_never_ready_is_given_up_after_ten_seconds)
{
	pid_t first = f.m.workers.current->procs[0].pid;
	json_t *a;
	int fd;

	configure("workers: 1\nlimits: {depth: 33}\n");
	fd = ask_for(reload_line);
	await(f.m.reload.state == RELOAD_STARTING && f.m.workers.next->procs[0].setup_done);
	f.now_ns += 10 * 1000000000ll;
	loop_set_clock(f.now_ns, 1800000010000000000);
	for (unsigned i = 0; i < 2; i++)
		f.m.workers.current->procs[i].beat_at = loop_now(); /* theirs beat in real time */
	reload_look(&f.m);
	a = answer_of(fd);
	cr_expect_str_eq(text_in(a, "result"), "not_ready");
	cr_expect_str_eq(text_in(a, "errors"), "0 of 1 workers were ready after 10 s");
	cr_expect_eq(reloads(RELOAD_NOT_READY), 1);
	json_decref(a);
	await(!f.m.workers.next);
	cr_expect_eq(f.m.workers.current->number, 1);
	cr_expect_eq(f.m.workers.current->procs[0].pid, first);
	cr_expect_eq(ready(), 2);
}

Test(reload, a_worker_that_cannot_set_up_ends_the_reload_at_once_with_its_words)
{
	json_t *a;
	int fd;

	configure("workers: 1\nlimits: {depth: 34}\n");
	fd = ask_for(reload_line);
	a = answer_of(fd);
	cr_expect_str_eq(text_in(a, "result"), "not_ready");
	cr_expect_str_eq(text_in(a, "errors"),
	                 "a worker could not set up: no certificate that I like");
	json_decref(a);
	await(!f.m.workers.next);
	cr_expect_eq(f.m.workers.current->number, 1);
}

/* O8: three asked for during one are one more, and each caller's answer contains its change */
Test(reload, those_that_come_during_a_reload_fold_into_one_more)
{
	int first, later[3];
	json_t *a;

	first = ask_for(reload_line);
	await(f.m.reload.state == RELOAD_STARTING);
	configure("workers: 1\n");
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		later[i] = ask_for(reload_line);
	a = answer_of(first);
	cr_expect_eq(number_in(a, "generation"), 2);
	cr_expect_eq(number_in(a, "workers"), 2);
	json_decref(a);
	for (size_t i = 0; i < ARRAY_LEN(later); i++) {
		a = answer_of(later[i]);
		cr_expect_eq(number_in(a, "generation"), 3);
		cr_expect_eq(number_in(a, "workers"), 1, "its change is in it");
		json_decref(a);
	}
	cr_expect_eq(reloads(RELOAD_OK), 2, "exactly one more");
}

Test(reload, a_dry_run_shows_the_changes_and_makes_none)
{
	json_t *a;
	int fd;

	configure("workers: 4\n");
	fd = ask_for("{\"do\":\"reload\",\"dry_run\":true}\n");
	a = answer_of(fd);
	cr_expect_str_eq(text_in(a, "result"), "dry_run");
	cr_expect_str_eq(text_in(a, "changes"), "workers: 2 -> 4  # headgate.yaml:6\n");
	cr_expect_eq(f.m.workers.current->number, 1);
	cr_expect_null(f.m.workers.next);
	cr_expect_eq(reloads(RELOAD_OK), 0);
	json_decref(a);
}

Test(reload, a_dry_run_makes_no_folder)
{
	char dir[64], text[1024];
	json_t *a;

	snprintf(dir, sizeof(dir), "%s/store", f.folder);
	snprintf(text, sizeof(text),
	         "sink: local\nlocal: {dir: %s}\nlisteners: [{name: a, listen: 127.0.0.1:0}]\n"
	         "control: {socket: %s}\ntenants: {file: %s}\nmetrics: {max_tenants: 4}\n",
	         dir, f.socket, f.tenants);
	write_file(f.file, text);
	a = answer_of(ask_for("{\"do\":\"reload\",\"dry_run\":true}\n"));
	cr_expect_str_eq(text_in(a, "result"), "dry_run");
	cr_expect(rmdir(dir) < 0 && errno == ENOENT);
	json_decref(a);
}

Test(reload, an_option_that_needs_a_restart_is_told_and_stays)
{
	json_t *a;
	int fd;

	configure("workers: 2\nlimits: {max_tokens: 17}\n");
	fd = ask_for(reload_line);
	a = answer_of(fd);
	cr_expect(json_is_true(json_object_get(a, "ok")));
	cr_expect(strstr(text_in(a, "changes"), "limits.max_tokens: 16777216 -> 17"), "%s",
	          text_in(a, "changes"));
	cr_expect(strstr(text_in(a, "changes"), "needs a restart"), "%s", text_in(a, "changes"));
	cr_expect_eq(f.m.conf->limits.max_tokens, 16777216);
	json_decref(a);
}

Test(reload, a_caller_whose_time_is_over_is_told_and_the_reload_goes_on)
{
	json_t *a;
	int fd;

	configure("workers: 1\nlimits: {depth: 33}\n");
	fd = ask_for("{\"do\":\"reload\",\"timeout_ms\":3000}\n");
	await(f.m.reload.state == RELOAD_STARTING);
	f.now_ns += 3 * 1000000000ll;
	loop_set_clock(f.now_ns, 1800000003000000000);
	on_timer(-1, 0, &f.m);
	a = answer_of(fd);
	cr_expect_str_eq(text_in(a, "result"), "timeout");
	cr_expect_eq(f.m.reload.state, RELOAD_STARTING);
	json_decref(a);
}

/* Until they have gone no other begins: what was asked for meanwhile must not be forgotten. */
Test(reload, one_that_waits_for_the_elders_comes_though_its_caller_waits_no_more)
{
	pid_t elders[2];
	json_t *a;
	int fd;

	for (size_t i = 0; i < ARRAY_LEN(elders); i++) {
		elders[i] = f.m.workers.current->procs[i].pid;
		cr_assert_eq(kill(elders[i], SIGSTOP), 0);
	}
	a = answer_of(ask_for(reload_line));
	cr_expect_eq(number_in(a, "generation"), 2);
	json_decref(a);
	configure("workers: 1\n");
	fd = ask_for("{\"do\":\"reload\",\"timeout_ms\":3000}\n");
	await(f.m.reload.caller_count == 1);
	f.now_ns += 3 * 1000000000ll;
	loop_set_clock(f.now_ns, 1800000003000000000);
	on_timer(-1, 0, &f.m);
	a = answer_of(fd);
	cr_expect_str_eq(text_in(a, "result"), "timeout");
	json_decref(a);
	for (size_t i = 0; i < ARRAY_LEN(elders); i++)
		cr_assert_eq(kill(elders[i], SIGCONT), 0);
	await(!f.m.workers.old);
	await(f.m.workers.current->number == 3 || f.m.reload.state == RELOAD_IDLE);
	cr_expect_eq(f.m.workers.current->number, 3);
	cr_expect_eq(f.m.workers.current->slots, 1, "its change is in it");
}
