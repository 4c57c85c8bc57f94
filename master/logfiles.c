/* SPDX-License-Identifier: Apache-2.0 */
#include "master/logfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"

enum { LINE_BYTES = 4096, REASON_BYTES = 200, FILE_MODE = 0640, NS_PER_S = 1000000000 };

static int open_one(const char *path, bool *journal, struct err *err)
{
	int fd;

	*journal = false;
	if (path[0]) {
		/* Not blocking: a FIFO that nobody reads must not stop a start or a reload. */
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		          FILE_MODE);
		return fd < 0 ? err_errno(err, "can't open %s", path) : fd;
	}
	fd = log_journal_open();
	if (fd >= 0) {
		*journal = true;
		return fd;
	}
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? err_errno(err, "can't duplicate stderr") : fd;
}

int logfiles_open(struct logfiles *out, const struct conf *conf, struct err *err)
{
	struct logfiles l = { .seq = 0 };

	l.fd[STREAM_ACCESS] = open_one(conf->log.access_file.path, &l.journal[STREAM_ACCESS], err);
	if (l.fd[STREAM_ACCESS] < 0)
		return -1;
	l.fd[STREAM_AUDIT] = open_one(conf->log.audit_file.path, &l.journal[STREAM_AUDIT], err);
	if (l.fd[STREAM_AUDIT] < 0) {
		close(l.fd[STREAM_ACCESS]);
		return -1;
	}
	*out = l;
	return 0;
}

void logfiles_close(struct logfiles *l)
{
	for (size_t i = 0; i < ARRAY_LEN(l->fd); i++) {
		close_fd_(&l->fd[i]);
		l->fd[i] = -1;
	}
}

void logfiles_replace(struct logfiles *old, struct logfiles *new)
{
	new->seq = old->seq;
	logfiles_close(old);
	*old = *new;
	new->fd[STREAM_ACCESS] = new->fd[STREAM_AUDIT] = -1;
}

/* ---- the master's own lines ---- */

static void member(struct buf *b, const char *key, struct bytes value, size_t max)
{
	buf_printf(b, ",\"%s\":", key);
	if (!value.p) {
		buf_str(b, "null");
		return;
	}
	buf_char(b, '"');
	buf_json(b, value, max);
	buf_char(b, '"');
}

static struct bytes text_of(const char *s)
{
	return s ? bytes_str(s) : BYTES_NONE;
}

/* Only the file: getpwuid() may ask a directory service and hold up the loop. */
static bool user_name(int64_t uid, char *out, size_t cap)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *p;
	bool found = false;

	if (!f)
		return false;
	while (!found && (p = fgetpwent(f))) {
		found = p->pw_uid == (uid_t)uid;
		if (found)
			snprintf(out, cap, "%s", p->pw_name);
	}
	fclose(f);
	return found;
}

static void actor(struct buf *b, int64_t uid)
{
	char name[64];

	if (uid < 0) {
		buf_str(b, ",\"actor\":null,\"actor_uid\":null");
		return;
	}
	member(b, "actor", user_name(uid, name, sizeof(name)) ? bytes_str(name) : BYTES_NONE,
	       sizeof(name));
	buf_printf(b, ",\"actor_uid\":%lld", (long long)uid);
}

static void time_text(char *out, size_t cap)
{
	unix_ns now = loop_wall_ns();
	time_t s = (time_t)(now / NS_PER_S);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, cap - n, ".%06dZ", (int)(now % NS_PER_S / 1000));
}

static void write_line(const struct logfiles *l, const struct buf *line)
{
	static const char head[] =
		"PRIORITY=6\nSYSLOG_IDENTIFIER=headgate\nHEADGATE_MODULE=audit\nMESSAGE=";
	struct iovec iov[2] = { { (void *)head, sizeof(head) - 1 }, { line->p, line->n } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	do
		n = l->journal[STREAM_AUDIT] ? sendmsg(l->fd[STREAM_AUDIT], &msg, MSG_NOSIGNAL)
		                             : write(l->fd[STREAM_AUDIT], line->p, line->n);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		log_err("logfiles", "an audit record is lost", KV_S("err", strerror(errno)));
}

void logfiles_audit(struct logfiles *l, const struct audit_event *e)
{
	char text[LINE_BYTES], now[40];
	struct buf b;

	time_text(now, sizeof(now));
	buf_init_fixed(&b, text, sizeof(text));
	buf_printf(&b, "{\"ts\":\"%s\",\"kind\":\"%s\",\"seq\":%llu,\"worker\":null,\"gen\":%llu",
	           now, e->kind, (unsigned long long)l->seq++, (unsigned long long)e->generation);
	member(&b, "tenant", e->tenant, 150);
	member(&b, "token", e->token, 64);
	member(&b, "result", text_of(e->result), REASON_BYTES);
	member(&b, "reason", text_of(e->reason), REASON_BYTES);
	actor(&b, e->actor_uid);
	buf_str(&b, "}\n");
	assert(!b.failed); /* every member is bounded far below the line */
	write_line(l, &b);
}
