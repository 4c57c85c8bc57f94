/* SPDX-License-Identifier: Apache-2.0 */
#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "common/log.h"

enum { EXEC_FAILED = 71, ENV_MAX = 16 };

/* ---- the process ---- */

/* What a worker may learn from its environment: how a sanitizer or a test wants it, the time zone
 * of the log, and whether stderr is the journal. Nothing else of ours: secrets may stand there. */
static void worker_environment(char **env)
{
	static const char *const kept[] = { "HEADGATE_ISA=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
		                            "LSAN_OPTIONS=", "TZ=",           "JOURNAL_STREAM=" };
	unsigned n = 0;

	for (char **e = environ; *e; e++)
		for (size_t i = 0; i < ARRAY_LEN(kept); i++)
			if (strncmp(*e, kept[i], strlen(kept[i])) == 0 && n < ENV_MAX - 1)
				env[n++] = *e;
	env[n] = NULL;
}

/* Between fork and exec: async-signal-safe calls only. */
static void become_worker(const struct workers *w, int channel, char **argv, char **env)
{
	static const int reset[] = { SIGHUP,  SIGINT,  SIGTERM, SIGUSR1, SIGUSR2,
		                     SIGCHLD, SIGPIPE, SIGALRM, SIGQUIT };
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* What is ignored stays so over an exec, and blocked signals stay blocked. */
	for (size_t i = 0; i < ARRAY_LEN(reset); i++)
		sigaction(reset[i], &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(w->null_fd, STDIN_FILENO) < 0 || dup2(w->null_fd, STDOUT_FILENO) < 0)
		_exit(EXEC_FAILED);
	/* dup2() onto itself would leave CLOEXEC on. */
	if (channel == CHANNEL_FD ? fcntl(channel, F_SETFD, 0) < 0 : dup2(channel, CHANNEL_FD) < 0)
		_exit(EXEC_FAILED);
	/* Every fd of ours is CLOEXEC; a library's may not be. */
	if (close_range(CHANNEL_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(EXEC_FAILED);
	fexecve(w->exe_fd, argv, env);
	_exit(EXEC_FAILED);
}

int spawn_process(struct proc *p, struct err *err)
{
	static char *argv[] = { (char *)"headgate-worker", (char *)"--channel", NULL };
	char *env[ENV_MAX];
	int fds[2];
	pid_t pid;

	if (channel_pair(fds, err) < 0)
		return -1;
	worker_environment(env);
	pid = fork();
	if (pid == 0)
		become_worker(p->all, fds[1], argv, env);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return err_errno(err, "can't fork");
	}
	p->pid = pid;
	p->channel = fds[0];
	return 0;
}

/* ---- what it gets before START ---- */

enum {
	SETUP_CONF,
	SETUP_OWN,
	SETUP_LIMITS,
	SETUP_ACCESS,
	SETUP_AUDIT,
	SETUP_TICKETS,
	SETUP_LISTENERS
};

/* What follows START at once (tables, taps, who is put aside) must find room too, else the worker
 * would count as one that does not read, and so would the next one in its place. The kernel says
 * writable while three quarters are free. */
static bool has_room(int channel)
{
	struct pollfd p = { .fd = channel, .events = POLLOUT };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLOUT);
}

static int send_listener_or_start(struct proc *p)
{
	size_t index = p->setup_sent - SETUP_LISTENERS;
	bool table = p->all->tables.generation > 0; /* after START, by talk.c */
	int fd;

	if (index == p->gen->conf->listeners.n) {
		if (!has_room(p->channel)) {
			errno = EAGAIN;
			return -1;
		}
		if (channel_send(p->channel, MSG_START, p->gen->number, p->slot, -1,
		                 table ? BYTES("t") : BYTES_NONE) < 0)
			return -1;
		p->setup_done = true;
		return 0;
	}
	fd = listener_set_fd(p->gen->set, index, p->slot);
	assert(fd >= 0); /* the plan made one for every slot */
	return channel_send(p->channel, MSG_LISTENER, index, p->slot, fd, BYTES_NONE);
}

static int send_fixed(const struct proc *p)
{
	const struct workers *w = p->all;
	int c = p->channel;

	switch (p->setup_sent) {
	case SETUP_CONF:
		return channel_send(c, MSG_CONF, 0, 0, p->gen->conf_fd, BYTES_NONE);
	case SETUP_OWN:
		return channel_send(c, MSG_STATS_OWN, p->page, 0, pages_fd(w->pages, p->page),
		                    BYTES_NONE);
	case SETUP_LIMITS:
		return channel_send(c, MSG_LIMITS, 0, 0, w->limits_fd, BYTES_NONE);
	case SETUP_ACCESS:
		return channel_send(c, MSG_LOG_FILE, STREAM_ACCESS, 0, w->logs->fd[STREAM_ACCESS],
		                    BYTES_NONE);
	case SETUP_AUDIT:
		return channel_send(c, MSG_LOG_FILE, STREAM_AUDIT, 0, w->logs->fd[STREAM_AUDIT],
		                    BYTES_NONE);
	case SETUP_TICKETS:
		return channel_send(c, MSG_TICKETS, 0, 0, -1,
		                    bytes_of(w->tickets, sizeof(w->tickets)));
	}
	assert(!"not a step");
	return -1;
}

/* One message, whichever is due; -1 if it does not fit (EAGAIN) or nobody is there (EPIPE). */
static int send_next(struct proc *p)
{
	const struct workers *w = p->all;

	if (p->setup_sent < SETUP_LISTENERS) {
		if (send_fixed(p) < 0)
			return -1;
		p->setup_sent++;
		return 0;
	}
	if (p->pages_sent < pages_count(w->pages)) {
		int fd = pages_fd_reader(w->pages, p->pages_sent);

		if (channel_send(p->channel, MSG_STATS_PEER, p->pages_sent, 0, fd, BYTES_NONE) < 0)
			return -1;
		p->pages_sent++;
		return 0;
	}
	if (send_listener_or_start(p) < 0)
		return -1;
	p->setup_sent++;
	return 0;
}

int spawn_setup(struct proc *p, struct err *err)
{
	/* 256 workers have 514 pages, and a channel takes some 270 messages: hence in turns. */
	while (!p->setup_done)
		if (send_next(p) < 0)
			return errno == EAGAIN
			               ? 0
			               : err_errno(err, "can't send a worker what it needs");
	return 0;
}
