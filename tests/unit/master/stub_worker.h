/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stub_worker.h -- a worker that speaks the channel and nothing else, so that the supervisor is
 * tried with real processes. test_workers is its program: main() comes here when it is run by the
 * name headgate-worker. How it behaves stands in the "configuration" it is sent; what it was told
 * shows in its stats page.
 */
#pragma once
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include "common/channel.h"
#include "common/stats.h"
#include "conf/conf.h"

enum {
	STUB_DEPTH_SILENT = 33,
	STUB_DEPTH_FAIL = 34
}; /* limits.depth of a whole configuration says the mode */
enum { STUB_TENANT_SLOTS = 4, STUB_BEAT_MS = 20, STUB_BAD_START = 99 };

struct stub {
	char mode[32]; /* ready, silent, crash, fail, deaf, poison */
	unsigned tenant_slots;
	struct stats *own;
	bool started, base_came;
};

static msec_t stub_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool stub_is(const struct stub *s, const char *mode)
{
	return strcmp(s->mode, mode) == 0;
}

/* Standard streams, the channel, and the folder that is being read: else something leaked. */
static unsigned stub_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n - 2; /* . and .. */
}

static void stub_say(enum message type, uint64_t arg, struct bytes body)
{
	if (channel_send(CHANNEL_FD, type, arg, 0, -1, body) < 0)
		_exit(0);
}

/* In a stage, of the loop or beside it, of tenant 7; or in both, of 7 and 9, or of 7 alone. */
static void stub_die(struct stub *s)
{
	struct stats_head *head = stats_head(s->own);
	bool both = stub_is(s, "poison both"), twice = stub_is(s, "poison twice"),
	     beside = stub_is(s, "poison beside");

	if (!stub_is(s, "poison") && !both && !twice && !beside)
		return;
	if (!beside)
		atomic_store(&head->current.active, 1 + 7);
	if (beside || twice)
		atomic_store(&head->beside.active, 1 + 7);
	if (both)
		atomic_store(&head->beside.active, 1 + 9);
	raise(SIGKILL);
}

static void stub_start(struct stub *s)
{
	s->started = true;
	if (stub_is(s, "crash"))
		_exit(3);
	if (stub_is(s, "fail")) {
		stub_say(MSG_FAILED, 0, BYTES("no certificate that I like"));
		_exit(70);
	}
	if (!stub_is(s, "silent"))
		stub_say(MSG_READY, 0, BYTES_NONE);
	stub_die(s);
}

static void stub_configure(struct stub *s, struct bytes text)
{
	struct conf *conf = conf_unpack(text, NULL);

	snprintf(s->mode, sizeof(s->mode), "%.*s", (int)text.n, (const char *)text.p);
	if (conf)
		snprintf(s->mode, sizeof(s->mode), "%s",
		         conf->limits.depth == STUB_DEPTH_SILENT ? "silent"
		         : conf->limits.depth == STUB_DEPTH_FAIL ? "fail"
		                                                 : "ready");
	s->tenant_slots = conf ? (unsigned)conf->metrics.max_tenants + 2 : STUB_TENANT_SLOTS;
	conf_free(conf);
}

static void stub_take(struct stub *s, struct channel_msg *m)
{
	struct bytes conf;
	struct err err;

	switch ((int)m->type) {
	case MSG_CONF:
		if (sealed_map(m->fd, &conf, &err) < 0)
			_exit(STUB_BAD_START);
		stub_configure(s, conf);
		break;
	case MSG_STATS_OWN:
		s->own = stats_map(m->fd, true, s->tenant_slots, &err);
		if (!s->own)
			_exit(STUB_BAD_START);
		break;
	case MSG_START:
		stub_start(s);
		break;
	case MSG_TABLE: /* counted: bases here, deltas below */
		stats_add(s->own, STAT_SNAPSHOTS, SNAPSHOT_OK, 0, 1);
		s->base_came = m->slot != 0;
		if (!s->base_came)
			stub_say(MSG_TABLE_OK, m->arg, BYTES_NONE);
		break;
	case MSG_DELTA:
		stats_add(s->own, STAT_SNAPSHOTS, SNAPSHOT_FAILED, 0, 1);
		if (!s->base_came && stub_is(s, "forgetful"))
			stub_say(MSG_TABLE_BAD, m->arg, BYTES("of another base"));
		else
			stub_say(MSG_TABLE_OK, m->arg, BYTES_NONE);
		s->base_came = false;
		break;
	case MSG_ASIDE:
		stats_set(s->own, STAT_TENANTS_ASIDE, 0, 0, m->arg);
		break;
	case MSG_LISTENER:
		if (s->started)
			stats_add(s->own, STAT_CONNECTIONS_ACCEPTED, (unsigned)m->slot, 0, 1);
		break;
	case MSG_RELEASE:
		stats_add(s->own, STAT_CONNECTIONS_REFUSED, (unsigned)m->arg, 0, 1);
		break;
	case MSG_DRAIN:
		if (!stub_is(s, "deaf"))
			_exit(0);
		break;
	default:
		break;
	}
	close_fd_(&m->fd);
}

static int stub_main(void)
{
	struct stub s = { .mode = "" };
	struct pollfd p = { .fd = CHANNEL_FD, .events = POLLIN };
	struct channel_msg m;
	struct err err;
	int rc;

	if (stub_count_fds() != CHANNEL_FD + 2)
		return STUB_BAD_START;
	for (;;) {
		while ((rc = channel_recv(CHANNEL_FD, &m, &err)) > 0)
			stub_take(&s, &m);
		if (rc < 0)
			_exit(0); /* the master is gone */
		if (s.own && s.started && !stub_is(&s, "deaf"))
			atomic_store(&stats_head(s.own)->heartbeat_ms, (uint64_t)stub_now());
		poll(&p, 1, STUB_BEAT_MS);
	}
}
