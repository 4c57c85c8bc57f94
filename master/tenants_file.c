/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_file.c -- tenants from a tenants.yaml, read again when it was replaced: by rename (the
 * safe way), by writing, or by a link that now leads elsewhere. A file with an error changes
 * nothing; what the last good one said goes on. The file is small; reading it holds the loop for
 * that long.
 */
#include "master/tenants.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/loop.h"
#include "master/tenants_yaml.h"

enum {
	FILE_MAX = 64 * MIB,
	SETTLE_MS = 50, /* several events of one replacement become one read */
	SETTLE_MAX_MS = 500, /* in a folder that others write to all the time */
	LOG_ERRORS = 100, /* as many as a report shows */
};

struct file_source {
	struct event_base *base;
	struct tenants *tenants;
	char *path, *folder;
	bool may_be_missing; /* nobody named it, and it was never there: no rows */
	int watch; /* inotify, -1: none; then polls find changes */
	struct event on_watch; /* something happened in the folder */
	struct event settle;
	struct event poll; /* a look at the file all the same: not every file system tells */
	msec_t poll_ms;
	int64_t changed_ns; /* the first event since the last read */
	struct stat seen; /* as it was when it was read last */
};

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What a file is known by; st_ctim: whom it belongs to and who may read it, too. */
static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

/* Text of an open file, malloc'd. */
static int read_text(int fd, const struct stat *st, const char *path, char **out, size_t *out_bytes,
                     struct err *err)
{
	autofree char *text = NULL;
	size_t n = 0;
	ssize_t got;

	if (!S_ISREG(st->st_mode))
		return err_set(err, "%s: not a regular file", path);
	if (st->st_mode & S_IRWXO)
		return err_set(err, "%s: open to others (mode %04o): chmod o= %s", path,
		               (unsigned)(st->st_mode & 07777), path);
	if (st->st_size > FILE_MAX)
		return err_set(err, "%s: more than %d bytes", path, FILE_MAX);
	text = xcalloc(1, (size_t)st->st_size + 1);
	do {
		got = read(fd, text + n, (size_t)st->st_size + 1 - n);
		if (got > 0)
			n += (size_t)got;
	} while ((got > 0 && n <= (size_t)st->st_size) || (got < 0 && errno == EINTR));
	if (got < 0)
		return err_errno(err, "%s: can't read", path);
	if (n > (size_t)st->st_size)
		return err_set(err, "%s: it grew while it was read", path);
	*out = take_ptr(&text);
	*out_bytes = n;
	return 0;
}

/* Each message as one line of the log, the first also in *err: a place and words, but no excerpt,
 * for a line of this file may hold what is secret. -1 if one is an error. */
static int say_messages(struct report *r, const char *path, struct err *err)
{
	bool refused = report_errors(r) > 0;
	size_t prefix = strlen(path);
	unsigned said = 0;
	struct buf text;
	char *line, *rest;

	buf_init(&text, MIB);
	report_text(r, "tenants not applied", &text);
	buf_char(&text, '\0');
	rest = text.p;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, path, prefix) != 0 || line[prefix] != ':')
			continue;
		if (said++ == 0)
			err_set(err, "%s%s", line,
			        report_errors(r) > 1 ? " (the first of several)" : "");
		if (said > LOG_ERRORS)
			continue;
		if (refused)
			log_err("tenants_file", "refused", KV_S("error", line));
		else
			log_warn("tenants_file", "taken as it is", KV_S("warning", line));
	}
	buf_done(&text);
	return refused ? -1 : 0;
}

static int commit_rows(struct file_source *f, const struct tenants_yaml *y, struct err *err)
{
	tenants_begin(f->tenants, true);
	for (size_t i = 0; i < y->tenant_count; i++)
		tenants_put_tenant(f->tenants, &y->tenants[i]);
	for (size_t i = 0; i < y->token_count; i++)
		tenants_put_token(f->tenants, &y->tokens[i]);
	return tenants_commit(f->tenants, f->changed_ns ? f->changed_ns : loop_now_ns(), err);
}

/* With the command to run, where the cause tells it. */
static int cant_open(const char *path, struct err *err)
{
	int cause = errno;
	const struct group *group = getgrgid(getegid()); /* start-up world: one thread */

	if (cause == EACCES && group)
		return err_set(err, "%s: can't open: %s: chgrp %s %s && chmod 640 %s", path,
		               strerror(cause), group->gr_name, path, path);
	errno = cause;
	return err_errno(err, "%s: can't open", path);
}

/* Reads and checks; applies too if asked. */
static int load(struct file_source *f, bool apply, struct err *err)
{
	autoclose int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	autofree char *text = NULL;
	struct tenants_yaml rows;
	struct report *r;
	struct stat st;
	size_t bytes = 0;
	int rc = 0;

	if (fd < 0 && errno == ENOENT && f->may_be_missing)
		return apply ? commit_rows(f, &(struct tenants_yaml){ .tenants = NULL }, err) : 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return cant_open(f->path, err);
	f->may_be_missing = false;
	f->seen = st; /* a bad file is not tried again until it changes */
	if (read_text(fd, &st, f->path, &text, &bytes, err) < 0)
		return -1;
	r = report_new();
	tenants_yaml_parse(r, f->path, bytes_of(text, bytes), &rows);
	if (apply || report_errors(r) > 0) /* else what is no error is said twice at the start */
		rc = say_messages(r, f->path, err);
	if (apply && rc == 0)
		rc = commit_rows(f, &rows, err);
	tenants_yaml_done(&rows);
	report_free(r);
	return rc;
}

static void reload(struct file_source *f)
{
	struct err err = { "" };
	int rc = load(f, true, &err);

	f->changed_ns = 0;
	if (rc < 0)
		log_err("tenants_file", "tenants not applied, the last ones serve",
		        KV_S("error", err.text));
	tenants_set_source(f->tenants, true, rc < 0 ? "file refused" : "watching",
	                   rc < 0 ? err.text : NULL);
	tenants_set_probe(f->tenants, true);
	if (rc < 0)
		tenants_refused(f->tenants);
	if (tenants_table(f->tenants) > 0)
		tenants_fresh_until(f->tenants, INT64_MAX);
}

static void look(struct file_source *f)
{
	struct stat st;

	if (stat(f->path, &st) < 0)
		st = (struct stat){ .st_ino = 0 }; /* gone: said once, by load() */
	if (!same_file(&st, &f->seen) || tenants_behind(f->tenants)) {
		f->seen = st;
		reload(f);
	}
	f->changed_ns = 0;
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	look(arg);
}

/* ---- watching ---- */

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct file_source *f = arg;

	(void)what;
	/* Only that something happened counts: the file may be a link into another folder. */
	while (read(fd, events, sizeof(events)) > 0)
		;
	if (f->changed_ns == 0)
		f->changed_ns = loop_now_ns();
	if (loop_now_ns() - f->changed_ns < SETTLE_MAX_MS * 1000000ll)
		event_add(&f->settle, &(struct timeval){ 0, SETTLE_MS * 1000 });
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static void start_watching(struct file_source *f)
{
	f->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (f->watch < 0 || inotify_add_watch(f->watch, f->folder,
	                                      IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE |
	                                              IN_ATTRIB) < 0) {
		log_warn("tenants_file",
		         "can't watch the folder, changes are found by SIGHUP and polling",
		         KV_S("folder", f->folder), KV_S("error", strerror(errno)),
		         KV_I("poll_ms", f->poll_ms));
		close_fd_(&f->watch);
		f->watch = -1;
		return;
	}
	event_assign(&f->on_watch, f->base, f->watch, EV_READ | EV_PERSIST, on_watch, f);
	event_add(&f->on_watch, NULL);
}

/* ---- the source ---- */

static void file_close(void *source)
{
	struct file_source *f = source;

	event_del(&f->settle);
	event_del(&f->poll);
	if (f->watch >= 0)
		event_del(&f->on_watch);
	close_fd_(&f->watch);
	free(f->path);
	free(f->folder);
	free(f);
}

static void *file_open(struct event_base *base, const struct conf *conf, struct tenants *t,
                       struct err *err)
{
	struct file_source *f = xcalloc(1, sizeof(*f));

	f->base = base;
	f->tenants = t;
	f->path = xstrdup(conf->tenants.file.path);
	f->folder = folder_of(f->path);
	f->poll_ms = conf->tenants.poll;
	f->watch = -1;
	event_assign(&f->settle, base, -1, 0, on_settle, f);
	event_assign(&f->poll, base, -1, EV_PERSIST, on_settle, f);
	f->may_be_missing = conf_is_tenants_file_default(conf);
	if (load(f, false, err) < 0) {
		file_close(f);
		return NULL;
	}
	if (f->may_be_missing)
		log_warn("tenants_file", "there is no tenants file: no tokens but those of the environment",
		         KV_S("file", f->path));
	start_watching(f);
	event_add(&f->poll, &(struct timeval){ f->poll_ms / 1000, f->poll_ms % 1000 * 1000 });
	return f;
}

static void file_poke(void *source)
{
	reload(source);
}

const struct tenants_source tenants_file = { "file", file_open, file_close, file_poke };
