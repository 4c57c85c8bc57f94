/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <grp.h>
#include <stdio.h>
#include <sys/resource.h>

/* The set opens the source through a door of the test's, which notes the instance. */
#define tenants_file real_tenants_file
#include "master/tenants_file.c"
#undef tenants_file

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static char folder[] = "/tmp/tenants-XXXXXX";
static char path[64];
static struct event_base *base;
static struct stats *own;
static struct conf conf;
static struct tenants *t;
static unsigned published;
static struct file_source *instance;

static void *noting_open(struct event_base *b, const struct conf *c, struct tenants *tenants,
                         struct err *err)
{
	struct file_source *f = file_open(b, c, tenants, err);

	instance = f ? f : instance;
	return f;
}

extern const struct tenants_source tenants_file;
const struct tenants_source tenants_file = { "file", noting_open, file_close, file_poke };

static void on_publish(void *arg, const struct tables *now)
{
	(void)arg;
	(void)now;
	published++;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	autoclose int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	cr_assert_geq(fd, 0);
	cr_assert_eq(fchmod(fd, mode), 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char one[] =
	"version: 1\ntenants: [{id: acme, tokens: [{id: t1, sha256: " HASH_A "}]}]\n";
static const char two[] = "version: 1\ntenants: [{id: acme}, {id: globex}]\n";
static const char broken[] = "version: 1\ntenants: [{id: 'a|b'}, {id: 'c|d'}]\n";

static void open_folder(void)
{
	autoclose int page = stats_memfd(3, NULL);

	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/tenants.yaml", folder);
	write_file(path, one, 0640);
	base = loop_open(NULL);
	own = stats_map(page, true, 3, NULL);
	conf.tenants.source = TENANTS_FILE;
	conf.tenants.file.path = path;
	conf.tenants.poll = 30000;
	conf.limits.max_tenants = 10;
	conf.limits.max_tokens = 10;
	conf.limits.hosts = 1;
}

static void close_folder(void)
{
	char command[64];

	tenants_close(t);
	stats_unmap(own);
	loop_close(base);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(tenants_file, .init = open_folder, .fini = close_folder);

static struct tenants *try_open(struct err *err)
{
	static const struct tenants_hooks hooks = { .publish = on_publish };

	t = tenants_open(base, &conf, own, &hooks, err);
	return t;
}

static uint64_t tokens(void)
{
	struct tenants_status status;

	tenants_status(t, &status);
	return status.tokens;
}

static void replace(const char *text)
{
	char new_path[80];

	snprintf(new_path, sizeof(new_path), "%s.new", path);
	write_file(new_path, text, 0600);
	cr_assert_eq(rename(new_path, path), 0);
}

static void stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	loop_stop(arg);
}

/* Until the source has looked at the file, at most two seconds. */
static void run_until_looked(void)
{
	struct file_source *f = instance;
	struct stat before = f->seen;
	struct event *end = event_new(base, -1, 0, stop, base);

	event_add(end, &(struct timeval){ 2, 0 });
	while (same_file(&before, &f->seen) && event_pending(end, EV_TIMEOUT, NULL))
		event_base_loop(base, EVLOOP_ONCE);
	event_free(end);
}

Test(tenants_file, a_good_file_is_there_at_once_and_always_fresh)
{
	struct tenants_status status;

	cr_assert(try_open(NULL));
	cr_assert_eq(published, 1);
	cr_assert_eq(tokens(), 1);
	tenants_status(t, &status);
	cr_assert(status.fresh);
	cr_assert_str_eq(status.source, "file");
	cr_assert_eq(stats_head(own)->fresh_until_ms, INT64_MAX);
	cr_assert_eq(stats_get(own, STAT_SOURCE_CONNECTED, 0, 0), 1);
	cr_assert_eq(stats_get(own, STAT_NOTIFY_PROBE, 0, 0), 1);
}

static void start_fails(const char *why)
{
	struct err err = { "" };

	cr_assert_null(try_open(&err));
	cr_assert(strstr(err.text, why), "%s", err.text);
	cr_assert(strstr(err.text, path), "%s", err.text);
}

Test(tenants_file, a_start_with_a_bad_file_fails_at_its_place)
{
	write_file(path, broken, 0600);
	start_fails(":2:16: error: a tenant id is");
}

Test(tenants_file, a_file_open_to_others_is_refused)
{
	write_file(path, one, 0644);
	start_fails("open to others (mode 0644): chmod o=");
	write_file(path, one, 0602);
	start_fails("open to others (mode 0602)");
}

Test(tenants_file, a_file_that_is_not_there_or_no_file_is_refused)
{
	cr_assert_eq(unlink(path), 0);
	start_fails("No such file");
	cr_assert_eq(mkfifo(path, 0600), 0); /* must not wait for a writer */
	start_fails("not a regular file");
}

Test(tenants_file, a_rename_is_seen)
{
	cr_assert(try_open(NULL));
	replace(two);
	run_until_looked();
	cr_assert_eq(published, 2);
	cr_assert_eq(tokens(), 0);
}

Test(tenants_file, writing_in_place_is_seen)
{
	cr_assert(try_open(NULL));
	write_file(path, two, 0600);
	run_until_looked();
	cr_assert_eq(tokens(), 0);
}

Test(tenants_file, a_link_that_leads_elsewhere_is_seen)
{
	char real[80], other[80], link_path[80], new_link[80];

	snprintf(real, sizeof(real), "%s/real.yaml", folder);
	snprintf(other, sizeof(other), "%s/other.yaml", folder);
	snprintf(link_path, sizeof(link_path), "%s/link.yaml", folder);
	snprintf(new_link, sizeof(new_link), "%s/new.yaml", folder);
	write_file(real, one, 0600);
	write_file(other, two, 0600);
	cr_assert_eq(symlink(real, link_path), 0);
	conf.tenants.file.path = link_path;
	cr_assert(try_open(NULL));
	cr_assert_eq(tokens(), 1);
	cr_assert_eq(symlink(other, new_link), 0);
	cr_assert_eq(rename(new_link, link_path), 0);
	run_until_looked();
	cr_assert_eq(tokens(), 0);
}

Test(tenants_file, a_poke_reads_without_any_event)
{
	cr_assert(try_open(NULL));
	replace(two);
	tenants_poke(t);
	cr_assert_eq(published, 2);
}

/* R15 */
Test(tenants_file, a_broken_file_changes_nothing_and_each_error_is_said)
{
	uint64_t before;
	struct tenants_status status;

	cr_assert(try_open(NULL));
	replace(broken);
	before = log_count(LOG_LEVEL_ERR);
	tenants_poke(t);
	cr_assert_eq(log_count(LOG_LEVEL_ERR), before + 3); /* two errors, and what happens next */
	cr_assert_eq(published, 1);
	cr_assert_eq(tokens(), 1);
	tenants_status(t, &status);
	cr_assert_str_eq(status.state, "file refused");
	cr_assert(strstr(status.last_error, ":2:16: error"), "%s", status.last_error);
	cr_assert(status.fresh);
	replace(two);
	tenants_poke(t);
	tenants_status(t, &status);
	cr_assert_str_eq(status.state, "watching");
	cr_assert_eq(status.tenants, 2);
}

Test(tenants_file, a_file_that_went_away_changes_nothing)
{
	cr_assert(try_open(NULL));
	cr_assert_eq(unlink(path), 0);
	run_until_looked();
	cr_assert_eq(tokens(), 1);
	replace(two);
	run_until_looked();
	cr_assert_eq(tokens(), 0);
}

/* R15 */
Test(tenants_file, a_reload_to_a_broken_file_keeps_the_source)
{
	struct conf other = conf;
	struct err err = { "" };
	char bad[80];

	cr_assert(try_open(NULL));
	snprintf(bad, sizeof(bad), "%s/bad.yaml", folder);
	write_file(bad, broken, 0600);
	other.tenants.file.path = bad;
	cr_assert_eq(tenants_reconfigure(t, &other, &err), -1);
	cr_assert(strstr(err.text, "bad.yaml:2:16"), "%s", err.text);
	cr_assert_eq(tokens(), 1);
	replace(two);
	run_until_looked(); /* the old one is still watched */
	cr_assert_eq(tokens(), 0);
}

/* Where no watch sees the change: the file may be a link into another folder. */
Test(tenants_file, a_reload_reads_the_file_again)
{
	struct conf same = conf;

	cr_assert(try_open(NULL));
	cr_assert_eq(tokens(), 1);
	replace(two);
	cr_assert_eq(tenants_reconfigure(t, &same, NULL), 0);
	cr_assert_eq(tokens(), 0);
}

Test(tenants_file, the_folder_of_a_path)
{
	char *a = folder_of("tenants.yaml"), *b = folder_of("/tenants.yaml"),
	     *c = folder_of("/etc/x/tenants.yaml");

	cr_assert_str_eq(a, ".");
	cr_assert_str_eq(b, "/");
	cr_assert_str_eq(c, "/etc/x");
	free(a);
	free(b);
	free(c);
}

/* Of the descriptors that are not open yet only the lowest may be. */
static struct rlimit leave_one_descriptor(void)
{
	struct rlimit before, tight;
	int first = open("/dev/null", O_RDONLY | O_CLOEXEC), second = dup(first);

	close(first);
	close(second);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = (struct rlimit){ (rlim_t)second, before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	return before;
}

/* Else a token that was revoked meanwhile would go on until somebody changes the file again. */
Test(tenants_file, a_table_that_could_not_be_made_is_tried_again_though_the_file_is_the_same)
{
	struct rlimit before;

	cr_assert(try_open(NULL));
	cr_assert_eq(tokens(), 1);
	replace(two);
	before = leave_one_descriptor();
	on_settle(-1, EV_TIMEOUT, instance);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_assert_eq(published, 1, "there was no descriptor for a table");
	on_settle(-1, EV_TIMEOUT, instance); /* the next poll */
	cr_assert_eq(published, 2);
	cr_assert_eq(tokens(), 0);
	on_settle(-1, EV_TIMEOUT, instance);
	cr_assert_eq(published, 2, "nothing is left to do");
}

static void become(uid_t uid)
{
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(setegid(uid), 0);
	cr_assert_eq(seteuid(uid), 0);
}

/* The command that the error names, of which only chgrp changes anything here. */
Test(tenants_file, a_file_that_chgrp_makes_readable_is_read)
{
	enum { NOBODY = 65534 };

	if (geteuid() != 0)
		cr_skip_test("only root can become another");
	cr_assert_eq(setgroups(0, NULL), 0);
	cr_assert_eq(chmod(folder, 0755), 0);
	cr_assert_eq(chown(path, 0, NOBODY), 0);
	become(NOBODY);
	cr_assert(try_open(NULL));
	become(0);
	replace(two);
	cr_assert_eq(chmod(path, 0640), 0);
	become(NOBODY);
	on_settle(-1, EV_TIMEOUT, instance);
	cr_assert_eq(tokens(), 1, "it can't be opened");
	become(0);
	cr_assert_eq(chown(path, 0, NOBODY), 0);
	become(NOBODY);
	on_settle(-1, EV_TIMEOUT, instance);
	become(0);
	cr_assert_eq(tokens(), 0);
}
