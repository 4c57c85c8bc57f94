/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/tap.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include "conf/values.h"

enum { LINE_MAX_BYTES = 8 * KIB };
static const msec_t ANSWER_MS = 3000;

struct tap {
	int fd;
	bool ended;
	size_t n;
	char in[LINE_MAX_BYTES];
};

static msec_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (msec_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int dial(const char *path)
{
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct err err;
	struct addr addr;

	if (fd < 0 || value_addr(bytes_str(path), &addr, &err) < 0 ||
	    addr.ss.ss_family != AF_UNIX ||
	    connect(fd, (const struct sockaddr *)&addr.ss, addr.len) < 0)
		return -1;
	return take_fd(&fd);
}

static bool say(int fd, json_t *question)
{
	char *text = json_dumps(question, JSON_COMPACT);
	size_t n;
	bool ok;

	json_decref(question);
	if (!text)
		out_of_memory();
	n = strlen(text);
	text[n] = '\n'; /* in place of its end: one send, one line */
	ok = send(fd, text, n + 1, MSG_NOSIGNAL) == (ssize_t)n + 1;
	free(text);
	return ok;
}

/* A whole line in `in`, if there is one. */
static json_t *take_line(struct tap *t)
{
	char *end = memchr(t->in, '\n', t->n);
	json_t *o;
	size_t n;

	if (!end)
		return NULL;
	n = (size_t)(end - t->in);
	o = json_loadb(t->in, n, 0, NULL);
	t->n -= n + 1;
	memmove(t->in, end + 1, t->n);
	if (!o || json_object_get(o, "end"))
		t->ended = true;
	return o;
}

json_t *tap_next(struct tap *t, msec_t timeout)
{
	msec_t until = now_ms() + timeout;
	json_t *o;

	while (!(o = take_line(t)) && !t->ended) {
		struct pollfd p = { .fd = t->fd, .events = POLLIN };
		msec_t left = until - now_ms();
		ssize_t n;

		if (poll(&p, 1, left > 0 ? (int)left : 0) == 0)
			return NULL;
		n = recv(t->fd, t->in + t->n, sizeof(t->in) - t->n, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0 || t->n + (size_t)n == sizeof(t->in)) {
			t->ended = true;
			return NULL;
		}
		t->n += (size_t)n;
	}
	if (o && t->ended) {
		json_decref(o);
		return NULL;
	}
	return o;
}

bool tap_ended(const struct tap *t)
{
	return t->ended;
}

struct tap *tap_open(struct ctl *c, const char *request_id)
{
	json_t *question = json_pack("{s:s,s:s,s:i,s:i}", "do", "tap", "request_id", request_id,
	                             "rate", 100, "duration_ms", 600000);
	struct tap *t = xcalloc(1, sizeof(*t));
	json_t *answer;

	t->fd = ctl_find_socket(c) == 0 ? dial(c->socket) : -1;
	if (t->fd < 0) {
		json_decref(question);
		free(t);
		return NULL;
	}
	answer = say(t->fd, question) ? tap_next(t, ANSWER_MS) : NULL;
	if (json_is_set(answer, "ok")) {
		json_decref(answer);
		return t;
	}
	ctl_note(c, "where it is stored is not shown: %s",
	         answer ? json_text_of(answer, "error") : "the master does not answer");
	json_decref(answer);
	tap_close(t);
	return NULL;
}

void tap_close(struct tap *t)
{
	if (!t)
		return;
	close(t->fd);
	free(t);
}
