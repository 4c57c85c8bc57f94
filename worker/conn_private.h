/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_private.h -- what conn.c (progress of one connection), conn_wait.c, accept.c (listening
 * sockets, limits), deadline.c (how long each may wait) and conn_pool.c (memory, slots) share.
 * Nobody else includes it.
 */
#pragma once
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>
#include "common/log.h"
#include "proto/protocol.h"
#include "worker/beside.h"
#include "worker/conn.h"

enum conn_phase {
	PHASE_HANDSHAKE, /* TLS; no SSL before the first byte */
	PHASE_IDLE, /* between requests: no buffer, but for requests that came pipelined */
	PHASE_REQUEST, /* has an active request */
	PHASE_SKIP, /* throws away the rest of a body that nobody wanted */
	PHASE_LINGER, /* we have sent our end; waits for the client's, so that no reset kills a
	                 reply */
};

enum watch {
	WATCH_NONE,
	WATCH_READ,
	WATCH_WRITE,
	WATCH_END /* of the client, whose bytes stay where they are */
};

/* A connection stands in exactly one of these lists, at its end when it comes in: since the lists
 * have one duration each, the first is the first to expire. */
enum deadline {
	DEADLINE_HANDSHAKE, /* from accept */
	DEADLINE_HEAD, /* from the head's first byte, in all */
	DEADLINE_BODY, /* windows of body_grace, each with its share of body_min_rate */
	DEADLINE_BESIDE, /* none: the thread beside the loop has the request, or will have it */
	DEADLINE_ANSWER, /* Kafka's answer */
	DEADLINE_WRITE, /* from the first byte that did not fit the socket */
	DEADLINE_IDLE,
	DEADLINE_QUIET, /* idle while draining */
	DEADLINE_SKIP,
	DEADLINE_LINGER,
	DEADLINE_COUNT
};

enum {
	HEAD_FIRST = 16 * KIB, /* the first recv; most heads with their body fit */
	BUFFER_TAIL = 2 * KIB, /* behind the largest head of a buffer: room for chunk lines */
	BUFFER_SMALL = HEAD_FIRST + BUFFER_TAIL,
	BUFFER_LARGE = HEAD_MAX + BUFFER_TAIL,
	CLIENT_TEXT_BYTES = 54, /* [v6]:port and its NUL */
	CONN_MAGIC = 0x434f4e4e,
};

struct source { /* connections of one client address */
	struct source *next;
	uint8_t addr[16];
	unsigned count;
};

struct active { /* a request and what conn.c knows of it; slots refer to it by handle */
	struct req r;
	struct conn *c;
	struct active *next; /* in the free list */
	enum step step; /* what the stages said last; STEP_NEXT: they may be run */
	bool running; /* inside stages_run() */
	bool woken;
	bool left; /* STEP_BESIDE: its connection ends when the request is back */
	struct job job; /* STEP_BESIDE */
	uint64_t window_bytes; /* received since the body's deadline began */
};

/* Where those stand that go on in the next turn. Of all but the first only a few do. */
enum line {
	LINE_KNOWN, /* what it asked last was not refused; and whoever is amid what was let in */
	LINE_NEW, /* nothing that it asked is done yet */
	LINE_REFUSED, /* what it asked last was refused for its own fault */
	LINE_COUNT
};

struct conn {
	struct event ev;
	uint32_t magic;
	int fd;
	struct conns *cs;
	const struct listener *listener;
	struct source *source;
	void *ssl; /* NULL: plain, or no byte of the handshake yet */
	struct active *active;
	uint8_t *buf;
	struct conn *next, *prev; /* in its deadline's list */
	TAILQ_ENTRY(conn) again_link;
	msec_t since;
	uint32_t buf_cap;
	uint32_t start, end; /* unread bytes of buf while no request has them */
	uint32_t skip; /* bytes to throw away, in SKIP and LINGER */
	uint32_t served;
	enum conn_phase phase;
	enum watch watch;
	enum deadline deadline;
	bool dry; /* the last recv took all there was */
	bool again; /* in one of the lists of those that go on in a later turn */
	enum line line : 8, again_line : 8; /* where it belongs between requests; the list it is in */
	bool counted; /* in limits and gauges: not if refused by a limit */
	char text[CLIENT_TEXT_BYTES];
};
_Static_assert(sizeof(struct conn) <= sizeof(struct event) + 192, "performance.md 3, recipe 24");

struct socket { /* one listening socket */
	struct event ev;
	struct socket *next;
	struct conns *cs;
	struct listener *listener;
	uint64_t slot;
	int fd;
	bool is_unix;
};

struct conn_list {
	struct conn *first, *last;
	unsigned count;
};

struct slot {
	struct active *active; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

enum { SOURCE_BUCKETS = 4096 };

struct conns {
	struct worker *w;
	struct listener *listeners; /* by index in conf->listeners */
	unsigned *listener_counts;
	struct socket *sockets;
	struct conn_list lists[DEADLINE_COUNT];
	msec_t durations[DEADLINE_COUNT];
	struct event sweep, pause, again;
	TAILQ_HEAD(again_list, conn) lines[LINE_COUNT]; /* those that go on in a later turn */
	unsigned line_counts[LINE_COUNT];
	int64_t behind_ended_ns; /* the last turn of those who stand behind */
	unsigned count; /* every connection, refused and lingering ones too */
	unsigned refused; /* those that only linger with their 503 */
	unsigned workers; /* limits are per host */
	int reserve_fd; /* given up for a moment when descriptors run out */
	size_t turn_bytes; /* of the connection that runs now, in this turn */
	unsigned turn_requests;
	bool paused, draining, closing;
	bool answering; /* inside req_wake(): answer the whole batch before reading on */
	struct log_limit accept_log;

	struct conn *free_conns;
	struct active *free_actives;
	void *free_small, *free_large; /* buffers, linked through their first bytes */
	unsigned free_active_count, free_small_count, free_large_count;
	struct slot *slots;
	uint32_t slot_count, slot_free;

	uint64_t source_seed;
	struct source *sources[SOURCE_BUCKETS];
	struct source *free_sources;
	uint8_t scratch[16 * KIB]; /* what is thrown away lands here */
};

/* What a connection does next. STOP: it may be no more, touch nothing. */
enum turn { TURN_GO, TURN_WAIT, TURN_STOP };

/* conn.c */
void conn_turn(struct conn *c); /* as far as it goes without waiting; c may be gone after it */
void conn_on_event(evutil_socket_t fd, short what, void *arg);
void conn_expire(struct conn *c, enum verdict v); /* its request's time is over */
void conn_request_end(struct conn *c); /* finishes its request, if it has one */
bool conn_is_beside(const struct conn *c); /* its request belongs to the thread beside the loop */

/* conn_wait.c */
void conns_events_open(struct conns *cs);
void conn_start(struct conn *c); /* a new one: its first event, phase and deadline */
void conn_phase_set(struct conn *c, enum conn_phase phase);
void conn_watch(struct conn *c, enum watch wanted);
enum turn conn_wait(struct conn *c, enum watch w, enum deadline d);
enum turn conn_go_later(struct conn *c, enum deadline d); /* in the next turn of the loop */
/* At once, or when its request is back from beside. An active one is told that its client is gone.
 */
void conn_close(struct conn *c);
void conn_linger(struct conn *c); /* politely: sends our end, waits for the client's */
void conn_cut(struct conn *c); /* by a reset: what it has not read is thrown away */

/* deadline.c */
void deadlines_open(struct conns *cs);
void deadline_set(struct conn *c, enum deadline d); /* no effect if it is in that list */
void deadline_restart(struct conn *c, enum deadline d);
void deadline_remove(struct conn *c);
void deadlines_sweep(struct conns *cs);

/* conn_pool.c */
struct conn *conn_get(struct conns *cs);
void conn_put(struct conn *c);
void buffer_get(struct conn *c, uint32_t cap); /* BUFFER_SMALL or BUFFER_LARGE; has none yet */
void buffer_put(struct conn *c);
void buffer_enlarge(struct conn *c, struct bytes *unread); /* moves what is unread, and it */
struct active *active_get(struct conn *c);
void active_put(struct active *a);
struct active *active_find(const struct conns *cs, uint64_t handle);
void conn_pools_free(struct conns *cs);

/* accept.c */
void source_release(struct conns *cs, struct source *s);
