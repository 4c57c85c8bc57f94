/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_ring.c -- one writer of `head`, one of `tail`, no lock between them. `head` moves by whole
 * lines, so all that lies between the two are lines. What could not be written stays and is tried
 * again each second: a full disk costs new lines, once the ring is full, not those of before.
 */
#include "worker/audit_ring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

enum { RETRY_MS = 1000, CLOSE_WAIT_S = 1, STACK_BYTES = 256 * KIB };

enum target {
	TARGET_FILE, /* O_APPEND makes one write of many lines whole */
	TARGET_STREAM, /* a pipe is whole up to PIPE_BUF: line by line */
	TARGET_JOURNAL, /* a datagram of native fields for each line */
};

struct audit_ring {
	char *mem;
	_Atomic uint64_t head, tail; /* bytes put in, written out, since the start */
	_Atomic int next_fd; /* not yet seen by the thread; -1: none */
	_Atomic int error;
	_Atomic bool stop;
	int wake_fd;
	bool open, running; /* the loop's */
	pthread_t thread;
	int fd; /* the thread's, like target */
	enum target target;
};

struct audit_ring *audit_ring_new(struct err *err)
{
	int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct audit_ring *ring;

	if (wake_fd < 0) {
		err_errno(err, "no eventfd for audit records");
		return NULL;
	}
	ring = xcalloc(1, sizeof(*ring));
	ring->wake_fd = wake_fd;
	ring->fd = -1;
	atomic_init(&ring->next_fd, -1);
	return ring;
}

void audit_ring_set_fd(struct audit_ring *ring, int fd)
{
	int unseen;

	if (!ring->mem)
		ring->mem = xcalloc(AUDIT_RING_BYTES, 1);
	unseen = atomic_exchange(&ring->next_fd, fd);
	if (unseen >= 0)
		close(unseen);
	ring->open = true;
}

bool audit_ring_is_open(const struct audit_ring *ring)
{
	return ring->open;
}

size_t audit_ring_room(const struct audit_ring *ring)
{
	uint64_t used = atomic_load_explicit(&ring->head, memory_order_relaxed) -
	                atomic_load_explicit(&ring->tail, memory_order_acquire);

	return AUDIT_RING_BYTES - (size_t)used;
}

bool audit_ring_put(struct audit_ring *ring, const char *line, size_t n)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t at = head % AUDIT_RING_BYTES, first = min_size(n, AUDIT_RING_BYTES - at);

	assert(n && n <= AUDIT_LINE_MAX && line[n - 1] == '\n');
	if (audit_ring_room(ring) < n)
		return false;
	memcpy(ring->mem + at, line, first);
	memcpy(ring->mem, line + first, n - first);
	atomic_store_explicit(&ring->head, head + n, memory_order_release);
	return true;
}

/* ---- the thread ---- */

static enum target target_of(int fd)
{
	struct stat st;
	int type = 0;
	socklen_t len = sizeof(type);

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return TARGET_FILE;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM)
		return TARGET_JOURNAL;
	return TARGET_STREAM;
}

static void take_next_fd(struct audit_ring *ring)
{
	int fd = atomic_exchange(&ring->next_fd, -1);

	if (fd < 0)
		return;
	if (ring->fd >= 0)
		close(ring->fd);
	ring->fd = fd;
	ring->target = target_of(fd);
}

/* The lines from `tail` on, as one or two pieces. */
static int pieces(const struct audit_ring *ring, uint64_t tail, uint64_t head, struct iovec iov[2])
{
	size_t at = tail % AUDIT_RING_BYTES, all = (size_t)(head - tail);
	size_t first = min_size(all, AUDIT_RING_BYTES - at);

	iov[0] = (struct iovec){ ring->mem + at, first };
	iov[1] = (struct iovec){ ring->mem, all - first };
	return all > first ? 2 : 1;
}

/* The first line of them, out of the ring. */
static size_t first_line(const struct audit_ring *ring, uint64_t tail, uint64_t head, char *line)
{
	size_t n = 0, all = min_size((size_t)(head - tail), AUDIT_LINE_MAX);

	while (n < all) {
		line[n] = ring->mem[(tail + n) % AUDIT_RING_BYTES];
		if (line[n++] == '\n')
			break;
	}
	return n;
}

static ssize_t send_journal(int fd, const char *line, size_t n)
{
	static const char fields[] = "PRIORITY=6\nSYSLOG_IDENTIFIER=headgate\nMESSAGE=";
	struct iovec iov[] = { { (char *)fields, sizeof(fields) - 1 }, { (char *)line, n } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov) };

	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -1 : (ssize_t)n;
}

/* Bytes of the ring that are written now; -1 with errno. */
static ssize_t write_some(struct audit_ring *ring, uint64_t tail, uint64_t head)
{
	char line[AUDIT_LINE_MAX];
	struct iovec iov[2];
	size_t n;

	if (ring->target == TARGET_FILE)
		return writev(ring->fd, iov, pieces(ring, tail, head, iov));
	n = first_line(ring, tail, head, line);
	if (ring->target == TARGET_JOURNAL)
		return send_journal(ring->fd, line, n);
	return write(ring->fd, line, n);
}

/* False: try again later. */
static bool write_out(struct audit_ring *ring)
{
	for (;;) {
		uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
		uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
		ssize_t n;

		take_next_fd(ring);
		if (tail == head)
			return true;
		n = write_some(ring, tail, head);
		if (n < 0 && errno == EINTR)
			continue;
		atomic_store(&ring->error, n < 0 ? errno : 0);
		if (n < 0)
			return false;
		atomic_store_explicit(&ring->tail, tail + (uint64_t)n, memory_order_release);
	}
}

static void wait_for_wake(const struct audit_ring *ring, int timeout_ms)
{
	struct pollfd p = { .fd = ring->wake_fd, .events = POLLIN };
	uint64_t wakes;

	if (poll(&p, 1, timeout_ms) > 0 && read(ring->wake_fd, &wakes, sizeof(wakes)) < 0)
		return; /* somebody was faster: look again all the same */
}

static void *write_lines(void *arg)
{
	struct audit_ring *ring = arg;

	for (;;) {
		bool last =
			atomic_load(&ring->stop); /* read first: what came before it is written */
		bool written = write_out(ring);

		if (last)
			return NULL;
		wait_for_wake(ring, written ? -1 : RETRY_MS);
	}
}

/* No signal is for this thread, and it starts at the first line, when the sandbox is closed. */
static void start_thread(struct audit_ring *ring)
{
	pthread_attr_t attr;
	sigset_t all, before;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ring->running = pthread_create(&ring->thread, &attr, write_lines, ring) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (!ring->running)
		atomic_store(&ring->error, EAGAIN); /* the next wake tries again */
}

/* ---- the loop's side again ---- */

void audit_ring_wake(struct audit_ring *ring)
{
	const uint64_t one = 1;

	if (!ring->running)
		start_thread(ring);
	else if (write(ring->wake_fd, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN); /* 2^64 - 2 wakes wait: it will come */
}

int audit_ring_error(const struct audit_ring *ring)
{
	return atomic_load(&ring->error);
}

void audit_ring_free(struct audit_ring *ring)
{
	struct timespec until;
	int unseen;

	if (!ring)
		return;
	atomic_store(&ring->stop, true);
	if (ring->open)
		audit_ring_wake(ring);
	if (ring->running) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += CLOSE_WAIT_S;
		if (pthread_timedjoin_np(ring->thread, NULL, &until) != 0)
			return; /* it hangs in a write: the process ends with it */
	}
	unseen = atomic_load(&ring->next_fd);
	if (unseen >= 0)
		close(unseen);
	if (ring->fd >= 0)
		close(ring->fd);
	close(ring->wake_fd);
	free(ring->mem);
	free(ring);
}
