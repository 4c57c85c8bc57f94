/* SPDX-License-Identifier: Apache-2.0 */
#include "master/check.c"

#include <criterion/criterion.h>
#include <fcntl.h>

static struct fixture {
	char folder[40], file[64];
	struct conf_report report;
} f;

static void set_up(void)
{
	strcpy(f.folder, "/tmp/hg-check-XXXXXX");
	cr_assert_not_null(mkdtemp(f.folder));
	snprintf(f.file, sizeof(f.file), "%s/headgate.yaml", f.folder);
	conf_report_init(&f.report);
}

static void tear_down(void)
{
	conf_report_done(&f.report);
	unlink(f.file);
	rmdir(f.folder);
}

TestSuite(check, .init = set_up, .fini = tear_down);

static struct conf *load(const char *yaml, struct master_args args)
{
	FILE *out = fopen(f.file, "w");

	cr_assert(out && fputs(yaml, out) >= 0 && fclose(out) == 0);
	conf_report_done(&f.report);
	conf_report_init(&f.report);
	args.file = f.file;
	if (!args.debug_modules)
		args.debug_modules = "";
	return check_load(&args, false, &f.report);
}

static bool says(const char *text)
{
	return memmem(f.report.text.p, f.report.text.n, text, strlen(text)) != NULL;
}

static const char anywhere[] =
	"sink: discard\nlisteners:\n  - name: public\n    listen: 0.0.0.0:4318\n";

/* O28 */
Test(check, disable_auth_off_loopback_is_refused_by_the_listeners_name)
{
	struct conf *conf = load(anywhere, (struct master_args){ .disable_auth = true });

	cr_expect_null(conf);
	cr_expect_eq(f.report.errors, 1);
	cr_expect(says("error: listener public: 0.0.0.0:4318 is not on loopback"));
	cr_expect(says("\n1 error, 1 warning: configuration not applied\n"));
}

/* O28 */
Test(check, disable_auth_is_taken_on_loopback_and_with_any_address)
{
	struct conf *conf =
		load(anywhere, (struct master_args){ .disable_auth = true, .any_address = true });

	cr_assert_not_null(conf);
	cr_expect(conf->disable_auth);
	conf_free(conf);
	conf = load("sink: discard\n", (struct master_args){ .disable_auth = true });
	cr_assert_not_null(conf, "the default listener is on loopback");
	conf_free(conf);
	conf = load(anywhere, (struct master_args){ .disable_auth = false });
	cr_assert_not_null(conf);
	cr_expect_not(conf->disable_auth);
	conf_free(conf);
}

Test(check, a_socket_of_the_manager_counts_as_off_loopback)
{
	cr_expect_null(load("sink: discard\nlisteners:\n  - name: public\n    listen: fd:public\n",
	                    (struct master_args){ .disable_auth = true }));
	cr_expect(says("listener public: fd:public is not on loopback"));
}

Test(check, each_further_message_counts_in_one_last_line)
{
	check_say(&f.report, false, "headgate.yaml", "first");
	cr_expect(says(
		"headgate.yaml: warning: first\n0 errors, 1 warning: configuration is good\n"));
	check_say(&f.report, true, "headgate.yaml", "second");
	check_say(&f.report, true, "headgate.yaml", "third");
	cr_expect(says("headgate.yaml: warning: first\nheadgate.yaml: error: "
	               "second\nheadgate.yaml: error: third\n"
	               "2 errors, 1 warning: configuration not applied\n"));
	cr_expect_not(says("is good"));
}

Test(check, options_that_need_a_restart_keep_their_values_and_the_rest_changes)
{
	struct conf *old =
		load("sink: discard\nworkers: 2\nlimits: {max_tenants: 10, max_tokens: 20}\n"
	             "metrics: {max_tenants: 5}\ncontrol: {socket: /tmp/a.sock}\n"
	             "admin: {listen: 127.0.0.1:9318}\n"
	             "listeners:\n  - {name: a, listen: 127.0.0.1:4318}\n",
	             (struct master_args){ .disable_auth = false });
	struct conf *new = load(
		"sink: discard\nworkers: 3\nlimits: {max_tenants: 11, max_tokens: 21, depth: 40}\n"
		"metrics: {max_tenants: 6}\ncontrol: {socket: /tmp/b.sock}\n"
		"admin: {listen: 127.0.0.1:9319}\n"
		"listeners:\n  - {name: a, listen: 127.0.0.1:5318, max_connections: 7}\n"
		"  - {name: b, listen: 127.0.0.1:6318}\n",
		(struct master_args){ .disable_auth = false });
	struct err err = { "" };
	struct conf *kept;

	cr_assert(old && new);
	kept = check_keep_restart(new, old, &err);
	cr_assert_not_null(kept, "%s", err.text);
	cr_expect_eq(kept->workers, 3);
	cr_expect_eq(kept->limits.depth, 40);
	cr_expect_eq(kept->limits.max_tenants, 10);
	cr_expect_eq(kept->limits.max_tokens, 20);
	cr_expect_eq(kept->metrics.max_tenants, 5);
	cr_expect_str_eq(kept->control.socket, "/tmp/a.sock");
	cr_assert_eq(kept->listeners.n, 3);
	cr_expect_str_eq(kept->listeners.v[0].listen, "127.0.0.1:4318",
	                 "a known listener stays where it is");
	cr_expect_eq(kept->listeners.v[0].max_connections, 7);
	cr_expect_str_eq(kept->listeners.v[1].listen, "127.0.0.1:6318", "a new one is a new one");
	cr_expect(kept->listeners.v[2].admin);
	cr_expect_str_eq(kept->listeners.v[2].listen, "127.0.0.1:9318");
	conf_free(kept);
	conf_free(old);
}

Test(check, an_admin_listener_does_not_go_by_a_reload)
{
	struct conf *old = load("sink: discard\nadmin: {listen: 127.0.0.1:9318}\n",
	                        (struct master_args){ .disable_auth = false });
	struct conf *new = load("sink: discard\n", (struct master_args){ .disable_auth = false });
	struct err err = { "" };
	struct conf *kept = check_keep_restart(new, old, &err);

	cr_assert_not_null(kept, "%s", err.text);
	cr_assert_eq(kept->listeners.n, 2);
	cr_expect_str_eq(kept->listeners.v[1].listen, "127.0.0.1:9318");
	conf_free(kept);
	conf_free(old);
}

/* O5: who holds the address decides */
Test(check, an_address_in_use_is_an_error_unless_it_is_our_own_instances)
{
	json_t *ours = json_pack("[{s:s,s:s}]", "listen", "127.0.0.1:0", "addr", "127.0.0.1:4318");
	struct listener_conf mine = { .listen = "127.0.0.1:4318" },
			     other = { .listen = "127.0.0.1:4319" };

	cr_expect(is_ours(ours, &mine));
	cr_expect_not(is_ours(ours, &other));
	cr_expect_not(is_ours(NULL, &mine), "nobody answers at the control socket");
	json_decref(ours);
}

Test(check, a_log_file_in_a_folder_that_is_not_there_is_an_error)
{
	check_writable("log.access_file", "/nonexistent-folder/access.log", false, &f.report,
	               "headgate.yaml");
	cr_expect_eq(f.report.errors, 1);
	cr_expect(says("log.access_file: /nonexistent-folder/access.log: can't be written: No such "
	               "file or directory"));
	check_writable("log.access_file", f.file, false, &f.report, "headgate.yaml");
	cr_expect_eq(f.report.errors, 1, "it would be made there");
}

Test(check, the_folder_of_the_local_store_is_made_at_the_start_and_must_be_writable)
{
	struct conf conf = { .sink = SINK_LOCAL };
	struct err err = { "" };
	char dir[64], below[80];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/store", f.folder);
	conf.local.dir = dir;
	check_store_folder(&conf, &f.report, "headgate.yaml");
	cr_expect_eq(f.report.errors, 0, "it could be made");
	cr_expect_neq(stat(dir, &st), 0, "-t makes nothing");
	cr_expect_eq(check_store(&conf, &err), 0, "%s", err.text);
	cr_expect(stat(dir, &st) == 0 && S_ISDIR(st.st_mode));
	cr_expect_eq(check_store(&conf, &err), 0, "%s", err.text);
	rmdir(dir);

	snprintf(below, sizeof(below), "%s/not-there/store", f.folder);
	conf.local.dir = below;
	cr_expect_eq(check_store(&conf, &err), -1);
	cr_expect(strstr(err.text, "/not-there/store: can't be made: No such file"), "%s", err.text);
	check_store_folder(&conf, &f.report, "headgate.yaml");
	cr_expect_eq(f.report.errors, 1);

	close(open(f.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	conf.local.dir = f.file;
	cr_expect_eq(check_store(&conf, &err), -1);
	cr_expect(strstr(err.text, "is no folder"), "%s", err.text);
	conf.sink = SINK_DISCARD;
	cr_expect_eq(check_store(&conf, &err), 0, "it is not used");
}

/* ProtectSystem=strict of the unit; by errno, since only root can mount such a folder. */
Test(check, a_store_that_the_unit_sees_read_only_is_told_with_the_line_that_opens_it)
{
	struct err err = { "" };

	errno = EROFS;
	cr_expect_eq(bad_store("local.dir", "/srv/headgate", "can't be made", &err), -1);
	cr_expect_str_eq(err.text,
	                 "local.dir: /srv/headgate: can't be made: Read-only file system: "
	                 "ReadWritePaths=/srv/headgate in a drop-in of the unit");
}

static const char *refused(const struct conf *conf)
{
	static struct err err;

	err.text[0] = '\0';
	if (check_providers(conf, &err) == 0)
		cr_assert_str_eq(err.text, "");
	else
		cr_assert_eq(strncmp(err.text,
		                     "Authentication required but no auth providers configured. ",
		                     58),
		             0, "%s", err.text);
	return err.text;
}

/* B4; the folder of the default is not there in a tree, or its file is */
Test(check, without_a_provider_nothing_starts)
{
	struct imported_key key = { .id = "env-a" };
	struct jwt_conf jwt = { .name = "a" };
	struct conf *conf = conf_new();
	bool has_default = access(conf->tenants.file.path, F_OK) == 0;

	cr_expect(has_default || strstr(refused(conf), "There is no /etc/headgate/tenants.yaml"));
	conf->disable_auth = true;
	cr_expect_str_eq(refused(conf), "");
	conf->disable_auth = false;
	conf->imported = (struct imported_keys){ &key, 1 };
	cr_expect_str_eq(refused(conf), "");
	conf->imported.n = 0;
	conf->auth.jwt.v = &jwt;
	conf->auth.jwt.n = 1;
	cr_expect_str_eq(refused(conf), "");
	conf->auth.jwt.n = 0;
	conf->tenants.file.path = "/nowhere/tenants.yaml";
	cr_expect_str_eq(refused(conf), "", "it was asked for: its absence has its own error");
	conf_free(conf);
}

/* C5 */
Test(check, data_models_that_nobody_may_write_start_nothing)
{
	struct jwt_conf jwt = { .name = "a" };
	struct listener_conf moose = { .name = "m", .dialect = LISTENER_MOOSE };
	struct conf *conf = conf_new();

	conf->tenants.file.path = "/nowhere/tenants.yaml";
	conf->moose_is_open = true;
	cr_expect(strstr(refused(conf), "MOOSE_INGEST_API_KEY"));
	conf->moose_is_open = false;
	conf->compat.moose_enforce_jwt = true;
	cr_expect_str_eq(refused(conf), "", "no listener has Moose's rules");
	conf->listeners.v = &moose;
	conf->listeners.n = 1;
	cr_expect(strstr(refused(conf), "compat.moose_enforce_jwt"));
	conf->auth.jwt.v = &jwt;
	conf->auth.jwt.n = 1;
	cr_expect_str_eq(refused(conf), "");
	conf->auth.jwt.n = 0;
	conf->protocols.models.enabled = false;
	cr_expect_str_eq(refused(conf), "");
	conf_free(conf);
}
