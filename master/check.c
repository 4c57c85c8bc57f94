/* SPDX-License-Identifier: Apache-2.0 */
#include "master/check.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "common/loop.h"
#include "master/ask.h"
#include "master/certs.h"
#include "master/listeners.h"
#include "master/tenants.h"

enum { ANSWER_BYTES = 4 * MIB, STORE_MODE = 0750 };
static const msec_t ASK_TIMEOUT_MS = 2000;

/* The loader's last line counts what it found; it gives way to one that counts all. */
static void drop_last_line(struct buf *text)
{
	size_t n = text->n;

	if (!n)
		return;
	n--;
	while (n && text->p[n - 1] != '\n')
		n--;
	text->n = n;
}

void check_say(struct conf_report *r, bool is_error, const char *file, const char *text)
{
	drop_last_line(&r->text);
	r->errors += is_error;
	r->warnings += !is_error;
	buf_printf(&r->text, "%s: %s: %s\n", file, is_error ? "error" : "warning", text);
	buf_printf(&r->text, "%u error%s, %u warning%s: %s\n", r->errors, r->errors == 1 ? "" : "s",
	           r->warnings, r->warnings == 1 ? "" : "s",
	           r->errors ? "configuration not applied" : "configuration is good");
}

struct say {
	struct conf_report *report;
	const char *file;
};

static void on_certificate(void *arg, bool is_error, const char *text)
{
	const struct say *s = arg;

	check_say(s->report, is_error, s->file, text);
}

/* Without authentication whoever reaches the port writes as any tenant. */
static void check_open_door(const struct conf *conf, const struct master_args *args,
                            struct conf_report *r)
{
	char text[512];
	struct addr a;

	if (!args->disable_auth || args->any_address)
		return;
	for (size_t i = 0; i < conf->listeners.n; i++) {
		const struct listener_conf *l = &conf->listeners.v[i];

		if (l->admin ||
		    (value_addr(bytes_str(l->listen), &a, NULL) == 0 && addr_is_loopback(&a)))
			continue;
		snprintf(text, sizeof(text),
		         "listener %s: %s is not on loopback: --disable-auth is refused there (say "
		         "--disable-auth=any-address if everybody may write)",
		         l->name, l->listen);
		check_say(r, true, args->file, text);
	}
}

struct conf *check_load(const struct master_args *args, bool offline, struct conf_report *r)
{
	const struct conf_load_in in = { .file = args->file,
		                         .sets = args->sets,
		                         .set_count = args->set_count,
		                         .offline = offline };
	struct say say = { r, args->file };
	struct conf *conf = conf_load(&in, r);

	if (!conf)
		return NULL;
	conf->disable_auth = args->disable_auth;
	conf->debug_modules = args->debug_modules;
	if (!offline)
		certs_check(conf, (int64_t)time(NULL), on_certificate, &say);
	check_open_door(conf, args, r);
	if (!r->errors)
		return conf;
	conf_free(conf);
	return NULL;
}

/* ---- -t ---- */

/* The listeners of the instance behind this control socket, or NULL. */
static json_t *ask_listeners(const char *socket_path)
{
	struct buf answer;
	json_t *status, *listeners = NULL;

	buf_init(&answer, ANSWER_BYTES);
	if (ask_master(socket_path, BYTES("{\"do\":\"status\"}"), ASK_TIMEOUT_MS, &answer, NULL) ==
	    0) {
		status = json_loadb(answer.p, answer.n, 0, NULL);
		listeners = json_incref(json_object_get(status, "listeners"));
		json_decref(status);
	}
	buf_done(&answer);
	return listeners;
}

static bool is_ours(const json_t *listeners, const struct listener_conf *lc)
{
	json_t *l;
	size_t i;

	json_array_foreach(listeners, i, l) {
		const char *listen_text = json_string_value(json_object_get(l, "listen"));
		const char *addr = json_string_value(json_object_get(l, "addr"));

		if ((listen_text && strcmp(listen_text, lc->listen) == 0) ||
		    (addr && strcmp(addr, lc->listen) == 0))
			return true;
	}
	return false;
}

static void check_addresses(const struct conf *conf, struct conf_report *r, const char *file)
{
	json_t *ours = ask_listeners(conf->control.socket);

	for (size_t i = 0; i < conf->listeners.n; i++) {
		struct err err = { "" };
		enum listener_probe result = listener_probe(&conf->listeners.v[i], &err);

		if (result == PROBE_FAILED ||
		    (result == PROBE_BUSY && !is_ours(ours, &conf->listeners.v[i])))
			check_say(r, true, file, err.text);
	}
	json_decref(ours);
}

/* The file if it is there, else the folder that it will be made in. */
static void check_writable(const char *option, const char *path, bool folder_only,
                           struct conf_report *r, const char *file)
{
	char text[1024];
	autofree char *copy = NULL;
	struct stat st;

	if (!path[0])
		return;
	copy = xstrdup(path);
	if (!folder_only && stat(path, &st) == 0) {
		if (access(path, W_OK) == 0)
			return;
	} else if (access(dirname(copy), W_OK | X_OK) == 0) {
		return;
	}
	snprintf(text, sizeof(text), "%s: %s: can't be written: %s", option, path, strerror(errno));
	check_say(r, true, file, text);
}

/* Files that are synced in a folder whose own name a power cut takes away are lost with it. */
static int sync_parent(const char *option, const char *dir, struct err *err)
{
	autofree char *copy = xstrdup(dir);
	autoclose int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0
	               ? 0
	               : err_errno(err, "%s: %s: the folder it is in can't be synced", option, dir);
}

/* With the command to run, where the cause tells it. */
static int bad_store(const char *option, const char *dir, const char *what, struct err *err)
{
	int cause = errno;
	const struct passwd *user = getpwuid(geteuid()); /* start-up world: one thread */

	if (cause == ENOSPC || cause == EDQUOT)
		return err_set(err, "%s: %s: %s: %s: df -h shows it", option, dir, what,
		               strerror(cause));
	if ((cause == EACCES || cause == EPERM) && user)
		return err_set(err, "%s: %s: %s: %s: chown %s %s", option, dir, what,
		               strerror(cause), user->pw_name, dir);
	if (cause == EROFS) /* as all is to the service, but for its own folders */
		return err_set(err, "%s: %s: %s: %s: ReadWritePaths=%s in a drop-in of the unit",
		               option, dir, what, strerror(cause), dir);
	errno = cause;
	return err_errno(err, "%s: %s: %s", option, dir, what);
}

int check_store(const struct conf *conf, struct err *err)
{
	const char *option, *dir = conf_store_dir(conf, &option);
	struct stat st;

	if (!dir)
		return 0;
	/* The last folder of the path is ours to make; what is above it is not. */
	if (mkdir(dir, STORE_MODE) == 0) {
		if (sync_parent(option, dir, err) < 0)
			return -1;
	} else if (errno != EEXIST) {
		return bad_store(option, dir, "can't be made", err);
	}
	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(err, "%s: %s: is no folder", option, dir);
	return access(dir, R_OK | W_OK | X_OK) == 0
	               ? 0
	               : bad_store(option, dir, "can't be written", err);
}

/* A table of tenants is always configured: the file that nobody named is one if it is there. */
static bool has_table(const struct conf *conf)
{
	return !conf_is_tenants_file_default(conf) ||
	       access(conf->tenants.file.path, F_OK) == 0 || errno != ENOENT;
}

/* Routes that a JWT alone opens (worker/dialects.h: judges_jwt). */
static bool has_moose_models(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listeners.n; i++)
		if (conf->listeners.v[i].dialect == LISTENER_MOOSE)
			return conf->protocols.models.enabled;
	return false;
}

int check_providers(const struct conf *conf, struct err *err)
{
	static const char nobody[] = "Authentication required but no auth providers configured.";

	if (conf->disable_auth)
		return 0;
	if (conf->moose_is_open)
		return err_set(err,
		               "%s MOOSE_JWT__ is set, but not enforced, and no key: set "
		               "MOOSE_INGEST_API_KEY or MOOSE_JWT__ENFORCE_ON_ALL_INGEST_APIS=true",
		               nobody);
	if (conf->compat.moose_enforce_jwt && has_moose_models(conf) && !conf->auth.jwt.n)
		return err_set(err,
		               "%s With compat.moose_enforce_jwt data models take JWT alone: set "
		               "auth.jwt, or protocols.models.enabled: false",
		               nobody);
	if (has_table(conf) || conf->imported.n || conf->auth.jwt.n || *conf->auth.userinfo.url)
		return 0;
	return err_set(err,
	               "%s There is no %s: make it, or set tenants.file, tenants.dsn, auth.jwt, "
	               "auth.userinfo or import_env; --disable-auth takes everybody",
	               nobody, conf->tenants.file.path);
}

void check_store_folder(const struct conf *conf, struct conf_report *r, const char *file)
{
	const char *option, *dir = conf_store_dir(conf, &option);
	struct err err;

	if (!dir)
		return;
	if (access(dir, F_OK) < 0 && errno == ENOENT)
		check_writable(option, dir, true, r, file);
	else if (check_store(conf, &err) < 0)
		check_say(r, true, file, err.text);
}

static void on_publish(void *arg, const struct tables *now)
{
	(void)arg, (void)now;
}

static void on_audit(void *arg, const char *what, struct bytes tenant, struct bytes token)
{
	(void)arg, (void)what, (void)tenant, (void)token;
}

/* Opened like at the start, then dropped. Only a file: a database that is away is no fault of the
 * configuration, and a start would wait for it. */
static void check_tenants(const struct conf *conf, struct conf_report *r, const char *file)
{
	const struct tenants_hooks hooks = { .publish = on_publish, .audit = on_audit };
	unsigned slots = (unsigned)conf->metrics.max_tenants + 2;
	struct err err = { "" };
	struct event_base *base;
	struct tenants *t = NULL;
	struct stats *own = NULL;
	int fd;

	if (conf->tenants.source != TENANTS_FILE)
		return;
	base = loop_open(&err);
	fd = base ? stats_memfd(slots, &err) : -1;
	own = fd >= 0 ? stats_map(fd, true, slots, &err) : NULL;
	t = own ? tenants_open(base, conf, own, &hooks, &err) : NULL;
	if (!t)
		check_say(r, true, file, err.text);
	tenants_close(t);
	if (own)
		stats_unmap(own);
	close_fd_(&fd);
	loop_close(base);
}

void check_host(const struct conf *conf, struct conf_report *r, const char *file)
{
	struct err err;

	if (check_providers(conf, &err) < 0)
		check_say(r, true, file, err.text);
	check_addresses(conf, r, file);
	check_writable("control.socket", conf->control.socket, true, r, file);
	check_writable("log.access_file", conf->log.access_file.path, false, r, file);
	check_writable("log.audit_file", conf->log.audit_file.path, false, r, file);
	check_store_folder(conf, r, file);
	check_tenants(conf, r, file);
}

/* ---- options that need a restart ---- */

static const struct listener_conf *listener_find(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->listeners.n; i++)
		if (!conf->listeners.v[i].admin && strcmp(conf->listeners.v[i].name, name) == 0)
			return &conf->listeners.v[i];
	return NULL;
}

/* New listeners and new settings, but no known listener elsewhere. The admin listener is made anew
 * from its section by the copy. */
static size_t mix_listeners(const struct conf *new, const struct conf *old,
                            struct listener_conf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < new->listeners.n; i++) {
		const struct listener_conf *was = listener_find(old, new->listeners.v[i].name);

		if (new->listeners.v[i].admin)
			continue;
		out[n] = new->listeners.v[i];
		if (was)
			out[n].listen = was->listen;
		n++;
	}
	return n;
}

struct conf *check_keep_restart(struct conf *new, const struct conf *old, struct err *err)
{
	size_t packed_bytes;
	autofree struct listener_conf *listeners =
		xcalloc(new->listeners.n + 1, sizeof(*listeners));
	autofree uint8_t *packed = NULL;
	struct conf mixed = *new, *kept;

	mixed.listeners.n = mix_listeners(new, old, listeners);
	mixed.listeners.v = listeners;
	if (strcmp(new->admin.listen, old->admin.listen) != 0)
		mixed.admin = old->admin;
	mixed.control = old->control;
	mixed.limits.max_tenants = old->limits.max_tenants;
	mixed.limits.max_tokens = old->limits.max_tokens;
	mixed.metrics.max_tenants = old->metrics.max_tenants;
	/* A copy that owns all of it, by the way the workers get theirs. */
	kept = conf_pack(&mixed, &packed, &packed_bytes, err) < 0
	               ? NULL
	               : conf_unpack(bytes_of(packed, packed_bytes), err);
	if (packed)
		explicit_bzero(packed, packed_bytes); /* private keys */
	if (kept)
		conf_take_imported(kept, new);
	conf_free(new);
	return kept;
}
