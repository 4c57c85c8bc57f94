/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sync.c -- who waits for tables, over a real tenants file and a real control socket; the
 * workers are places without processes, whose confirmations the test sets.
 */
#include "master/sync.c"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "conf/yaml.h"
#include "master/workers.h"

enum { SLOTS = 4 };

static struct fixture {
	struct master m;
	struct conf *conf;
	char folder[40], file[64], tenants[64], socket[64];
	int fd;
	int64_t now_ns;
} f;

static void put(const char *path, const char *text)
{
	char fresh[80];
	FILE *file;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	umask(0077);
	file = fopen(fresh, "w");
	cr_assert(file && fputs(text, file) >= 0);
	fclose(file);
	cr_assert(rename(fresh, path) == 0);
}

static void on_test_sync(void *arg, const struct control_client *from, msec_t timeout)
{
	(void)arg;
	sync_ask(f.m.syncs, from, timeout);
}

static void on_test_gone(void *arg, uint64_t client)
{
	(void)arg;
	syncs_gone(f.m.syncs, client);
}

static void on_test_read(void *arg)
{
	(void)arg;
	if (f.m.syncs)
		syncs_look(f.m.syncs);
}

static void later(msec_t ms)
{
	f.now_ns += ms * 1000000;
	loop_set_clock(f.now_ns, f.now_ns);
}

static void configure(void)
{
	struct conf_load_in in = { .file = f.file };
	struct conf_report report;
	char text[512];

	snprintf(text, sizeof(text),
	         "sink: discard\nlisteners: [{name: a, listen: 127.0.0.1:0}]\n"
	         "control: {socket: %s}\ntenants: {file: %s}\n",
	         f.socket, f.tenants);
	put(f.file, text);
	conf_report_init(&report);
	f.conf = conf_load(&in, &report);
	cr_assert_not_null(f.conf, "%.*s", (int)report.text.n, report.text.p);
	conf_report_done(&report);
}

static void set_up(void)
{
	const struct control_hooks control = { .sync = on_test_sync, .gone = on_test_gone };
	const struct tenants_hooks tenants = { .read = on_test_read };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct err err = { "" };

	strcpy(f.folder, "/tmp/hg-sync-XXXXXX");
	cr_assert_not_null(mkdtemp(f.folder));
	snprintf(f.file, sizeof(f.file), "%s/h.yaml", f.folder);
	snprintf(f.tenants, sizeof(f.tenants), "%s/tenants.yaml", f.folder);
	snprintf(f.socket, sizeof(f.socket), "%s/control.sock", f.folder);
	put(f.tenants, "version: 1\ntenants: [{id: acme}]\n");
	f.m.base = loop_open(&err);
	later(1000);
	configure();
	f.m.pages = pages_open(3, &err);
	f.m.tenants =
		tenants_open(f.m.base, f.conf, pages_stats(f.m.pages, PAGE_MASTER), &tenants, &err);
	cr_assert_not_null(f.m.tenants, "%s", err.text);
	f.m.control = control_open(f.m.base, f.socket, &control, &err);
	cr_assert_not_null(f.m.control, "%s", err.text);
	f.m.workers.current = generation_new(1, f.conf, NULL, -1, SLOTS);
	f.m.syncs = syncs_open(&f.m);
	f.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(a.sun_path, f.socket);
	cr_assert(connect(f.fd, (struct sockaddr *)&a, sizeof(a)) == 0);
}

static void tear_down(void)
{
	close(f.fd);
	control_close(f.m.control);
	syncs_close(f.m.syncs);
	tenants_close(f.m.tenants);
	pages_close(f.m.pages);
	free(f.m.workers.current);
	conf_free(f.conf);
	loop_close(f.m.base);
	unlink(f.file);
	unlink(f.tenants);
	cr_expect(rmdir(f.folder) == 0);
}

TestSuite(sync, .init = set_up, .fini = tear_down);

static uint64_t table(void)
{
	return tenants_table(f.m.tenants);
}

static void turns(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(f.m.base, EVLOOP_NONBLOCK);
}

static void ask(const char *timeout_ms)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"do\":\"sync\",\"timeout_ms\":%s}\n", timeout_ms);
	cr_assert(send(f.fd, text, strlen(text), MSG_NOSIGNAL) > 0);
	turns();
}

/* NULL while there is none. */
static json_t *answered(void)
{
	char text[4096];
	ssize_t n;

	turns();
	n = recv(f.fd, text, sizeof(text), MSG_DONTWAIT);
	return n > 0 ? json_loadb(text, (size_t)n, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
}

static const char *result_of(const json_t *a)
{
	const char *text = json_string_value(json_object_get(a, "result"));

	return text ? text : "";
}

static long long number(const json_t *a, const char *key)
{
	return json_integer_value(json_object_get(a, key));
}

static void worker(unsigned slot, enum proc_state state, uint64_t confirmed)
{
	struct proc *p = &f.m.workers.current->procs[slot];

	p->state = state;
	p->pid = 1000 + (pid_t)slot;
	p->table_ok = confirmed;
}

Test(sync, nothing_new_and_all_have_it_is_answered_at_once)
{
	json_t *a;

	for (unsigned i = 0; i < SLOTS; i++)
		worker(i, PROC_READY, table());
	ask("1000");
	a = answered();
	cr_assert_not_null(a);
	cr_expect_str_eq(result_of(a), "ok");
	cr_expect_eq(number(a, "workers"), SLOTS);
	cr_expect_eq(number(a, "confirmed"), SLOTS);
	cr_expect_eq(number(a, "table"), (long long)table());
	json_decref(a);
}

Test(sync, a_change_is_waited_for_until_the_last_worker_has_it)
{
	uint64_t before = table();
	json_t *a;

	for (unsigned i = 0; i < SLOTS; i++)
		worker(i, i == 3 ? PROC_DRAINING : PROC_READY, before);
	put(f.tenants, "version: 1\ntenants: [{id: acme, state: suspended}]\n");
	ask("1000");
	cr_expect_gt(table(), before, "read without being told by the folder");
	cr_expect_null(answered());
	for (unsigned i = 0; i < 3; i++)
		worker(i, PROC_READY, table());
	syncs_look(f.m.syncs);
	cr_expect_null(answered(), "the draining one still answers on its connections");
	worker(3, PROC_DRAINING, table());
	later(12);
	syncs_look(f.m.syncs);
	a = answered();
	cr_assert_not_null(a);
	cr_expect_str_eq(result_of(a), "ok");
	cr_expect_eq(number(a, "ms"), 12);
	json_decref(a);
}

Test(sync, one_that_waits_is_not_held_back_by_newer_tables)
{
	uint64_t asked;
	json_t *a;

	worker(0, PROC_READY, table());
	put(f.tenants, "version: 1\ntenants: [{id: b}]\n");
	ask("1000");
	asked = table();
	put(f.tenants, "version: 1\ntenants: [{id: c}]\n");
	tenants_poke(f.m.tenants);
	cr_expect_gt(table(), asked);
	worker(0, PROC_READY, asked);
	syncs_look(f.m.syncs);
	a = answered();
	cr_assert_not_null(a);
	cr_expect_eq(number(a, "table"), (long long)asked);
	json_decref(a);
}

/* O11 */
Test(sync, at_the_time_out_the_late_ones_are_named)
{
	json_t *a, *late;

	worker(0, PROC_READY, table());
	worker(1, PROC_READY, table());
	worker(2, PROC_STARTING, 0); /* has no table yet, and takes no connection */
	put(f.tenants, "version: 1\ntenants: []\n");
	ask("500");
	worker(0, PROC_READY, table());
	later(499);
	syncs_look(f.m.syncs);
	cr_expect_null(answered());
	later(1);
	syncs_look(f.m.syncs);
	a = answered();
	cr_assert_not_null(a);
	cr_expect_str_eq(result_of(a), "timeout");
	cr_expect(json_is_true(json_object_get(a, "read")));
	cr_expect_eq(number(a, "confirmed"), 1);
	cr_expect_eq(number(a, "workers"), 2);
	late = json_object_get(a, "late");
	cr_assert_eq(json_array_size(late), 1);
	cr_expect_eq(number(json_array_get(late, 0), "slot"), 1);
	cr_expect_eq(number(json_array_get(late, 0), "pid"), 1001);
	json_decref(a);
}

/* O11 */
Test(sync, a_worker_that_starts_with_an_older_table_is_waited_for)
{
	uint64_t before = table();
	json_t *a;

	worker(0, PROC_STARTING, before);
	worker(1, PROC_STARTING, 0);
	f.m.workers.current->procs[1].table_sent = before; /* on its way */
	put(f.tenants, "version: 1\ntenants: []\n");
	worker(2, PROC_STARTING, 0);
	f.m.workers.current->procs[2].table_sent = before + 1; /* never had an older one */
	ask("500");
	cr_expect_eq(table(), before + 1);
	cr_expect_null(answered(), "each may be READY before it reads the next table");
	worker(0, PROC_STARTING, table());
	syncs_look(f.m.syncs);
	cr_expect_null(answered());
	worker(1, PROC_READY, table());
	syncs_look(f.m.syncs);
	a = answered();
	cr_assert_not_null(a);
	cr_expect_str_eq(result_of(a), "ok");
	cr_expect_eq(number(a, "workers"), 1);
	json_decref(a);
}

Test(sync, a_source_that_is_refused_is_told_at_once)
{
	json_t *a;

	worker(0, PROC_READY, table());
	put(f.tenants, "version: 1\ntenants: [{id: \"a|b\"}]\n");
	ask("1000");
	a = answered();
	cr_assert_not_null(a);
	cr_expect_str_eq(result_of(a), "refused");
	cr_expect(json_is_false(json_object_get(a, "read")));
	cr_expect(strstr(json_string_value(json_object_get(a, "why")), "tenants.yaml:2:"));
	json_decref(a);
}

Test(sync, too_many_at_once_are_refused_and_those_of_clients_that_went_are_forgotten)
{
	json_t *a;

	worker(0, PROC_READY, 0);
	for (unsigned i = 0; i < SYNCS_MAX; i++)
		ask("600000");
	cr_expect_null(answered());
	ask("600000");
	a = answered();
	cr_expect(a && json_object_get(a, "error"));
	json_decref(a);
	close(f.fd);
	turns();
	for (unsigned i = 0; i < SYNCS_MAX; i++)
		cr_expect_not(f.m.syncs->v[i].waits);
	f.fd = -1;
}
