/* SPDX-License-Identifier: Apache-2.0 */
#include "master/control.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "master/sockets.h"

enum {
	CLIENTS_MAX = 32,
	LINE_MAX_BYTES = 64 * KIB,
	OUT_MAX_BYTES = 4 * MIB, /* a client that asks and never reads is closed there */
};
static const msec_t TIMEOUT_DEFAULT_MS = 50000, SYNC_TIMEOUT_DEFAULT_MS = 10000,
		    TIMEOUT_MAX_MS = 3600000;
static const struct timeval accept_pause = { 0, 100 * 1000 };

struct client {
	struct control *control;
	int fd; /* -1: the place is free */
	uint32_t uses; /* of this place; the upper half of the handle */
	int64_t uid;
	struct event event;
	char in[LINE_MAX_BYTES];
	size_t in_bytes;
	struct buf out;
	size_t out_sent;
	bool closing; /* once out is written */
};

struct control {
	struct event_base *base;
	struct addr addr;
	int fd;
	struct event accept;
	struct event again; /* accept is off until then */
	struct log_limit log_limit;
	struct control_hooks hooks;
	struct client *clients[CLIENTS_MAX]; /* made on first use, kept */
};

/* ---- clients ---- */

static unsigned place_of(const struct client *c)
{
	unsigned place = 0;

	while (c->control->clients[place] != c)
		place++;
	return place;
}

static uint64_t handle_of(const struct client *c, unsigned place)
{
	return (uint64_t)c->uses << 32 | place;
}

static void client_close(struct client *c)
{
	const struct control_hooks *hooks = &c->control->hooks;

	event_del(&c->event);
	close(c->fd);
	c->fd = -1;
	buf_done(&c->out);
	if (hooks->gone)
		hooks->gone(hooks->arg, handle_of(c, place_of(c)));
}

static void on_client(evutil_socket_t fd, short what, void *arg);

static void watch(struct client *c)
{
	short what = EV_PERSIST;

	if (!c->closing)
		what |= EV_READ;
	if (c->out_sent < c->out.n)
		what |= EV_WRITE;
	event_del(&c->event);
	event_assign(&c->event, c->control->base, c->fd, what, on_client, c);
	if (event_add(&c->event, NULL) < 0)
		out_of_memory();
}

/* False: the client was closed. */
static bool flush(struct client *c)
{
	while (c->out_sent < c->out.n) {
		ssize_t n =
			send(c->fd, c->out.p + c->out_sent, c->out.n - c->out_sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			client_close(c);
			return false;
		}
		c->out_sent += (size_t)n;
	}
	if (c->out_sent == c->out.n) {
		buf_reset(&c->out);
		c->out_sent = 0;
		if (c->closing) {
			client_close(c);
			return false;
		}
	}
	watch(c);
	return true;
}

static struct client *client_find(struct control *control, uint64_t handle)
{
	unsigned place = (unsigned)(handle & UINT32_MAX);
	struct client *c = place < CLIENTS_MAX ? control->clients[place] : NULL;

	return c && c->fd >= 0 && handle_of(c, place) == handle ? c : NULL;
}

void control_answer(struct control *control, uint64_t handle, struct json_t *object)
{
	struct client *c = client_find(control, handle);
	char *text;

	assert(object);
	json_object_set_new(object, "schema", json_integer(1));
	text = c ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!c)
		return;
	if (!text)
		out_of_memory();
	buf_str(&c->out, text);
	buf_char(&c->out, '\n');
	free(text);
	if (c->out.failed)
		client_close(c);
	else
		flush(c);
}

void control_line(struct control *control, uint64_t handle, struct bytes line)
{
	struct client *c = client_find(control, handle);

	if (!c)
		return;
	buf_bytes(&c->out, line);
	buf_char(&c->out, '\n');
	if (c->out.failed)
		client_close(c); /* asks and never reads */
	else
		flush(c);
}

struct json_t *control_text(struct bytes text)
{
	autofree char *copy = xstrndup(text.n ? (const char *)text.p : "", text.n);
	json_t *s;

	if (!bytes_is_utf8(text))
		for (char *c = copy; *c; c++)
			if (*c & 0x80)
				*c = '?';
	s = json_string(copy);
	if (!s)
		out_of_memory();
	return s;
}

void control_answer_error(struct control *control, uint64_t handle, const char *text)
{
	control_answer(control, handle,
	               json_pack("{s:b,s:o}", "ok", 0, "error", control_text(bytes_str(text))));
}

/* ---- commands ---- */

struct request {
	struct control *control;
	struct control_client from;
	const json_t *object;
};

static void do_status(const struct request *r)
{
	r->control->hooks.status(r->control->hooks.arg, &r->from);
}

static void do_reload(const struct request *r)
{
	const json_t *timeout = json_object_get(r->object, "timeout_ms");
	const json_t *dry = json_object_get(r->object, "dry_run");
	struct control_reload what = { .timeout = TIMEOUT_DEFAULT_MS,
		                       .dry_run = json_is_true(dry) };

	if (timeout)
		what.timeout = json_integer_value(timeout);
	if ((timeout && !json_is_integer(timeout)) || what.timeout < 1 ||
	    what.timeout > TIMEOUT_MAX_MS || (dry && !json_is_boolean(dry))) {
		control_answer_error(r->control, r->from.handle,
		                     "reload: timeout_ms is 1..3600000, dry_run is true or false");
		return;
	}
	r->control->hooks.reload(r->control->hooks.arg, &r->from, &what);
}

static void do_sync(const struct request *r)
{
	const json_t *given = json_object_get(r->object, "timeout_ms");
	msec_t timeout = given ? json_integer_value(given) : SYNC_TIMEOUT_DEFAULT_MS;

	if ((given && !json_is_integer(given)) || timeout < 1 || timeout > TIMEOUT_MAX_MS) {
		control_answer_error(r->control, r->from.handle, "sync: timeout_ms is 1..3600000");
		return;
	}
	r->control->hooks.sync(r->control->hooks.arg, &r->from, timeout);
}

static void do_reopen(const struct request *r)
{
	r->control->hooks.reopen(r->control->hooks.arg, &r->from);
}

static void do_tap(const struct request *r)
{
	r->control->hooks.tap(r->control->hooks.arg, &r->from, r->object);
}

static const struct command {
	const char *name;
	void (*run)(const struct request *r);
} commands[] = {
	{ "status", do_status },
	{ "reload", do_reload },
	{ "sync", do_sync },
	{ "reopen", do_reopen },
	{ "tap", do_tap },
};

static void run_command(const struct request *r)
{
	const char *name = json_string_value(json_object_get(r->object, "do"));

	for (size_t i = 0; name && i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].run(r);
			return;
		}
	}
	control_answer_error(r->control, r->from.handle,
	                     "unknown command: this version knows status, reload, sync, reopen and "
	                     "tap");
}

/* False: the client was closed, or will be. */
static bool take_line(struct client *c, unsigned place, struct bytes line)
{
	struct request r = { c->control, { handle_of(c, place), c->uid }, NULL };
	json_t *object = line.n && line.p[0] == '{' ? json_loadb((const char *)line.p, line.n,
	                                                         JSON_REJECT_DUPLICATES, NULL)
	                                            : NULL;

	if (!object) {
		c->closing = true; /* whoever speaks HTTP here sends more lines of it */
		control_answer_error(
			c->control, r.from.handle,
			"this is the control socket of headgate: one JSON object a line, no HTTP");
		return false;
	}
	r.object = object;
	run_command(&r);
	json_decref(object);
	return client_find(c->control, r.from.handle) == c;
}

static void take_lines(struct client *c, unsigned place)
{
	char *end;

	while ((end = memchr(c->in, '\n', c->in_bytes))) {
		size_t line = (size_t)(end - c->in), rest = c->in_bytes - line - 1;
		struct bytes text = bytes_trim(bytes_of(c->in, line));

		if (text.n && !take_line(c, place, text))
			return;
		memmove(c->in, end + 1, rest);
		c->in_bytes = rest;
	}
	if (c->in_bytes == sizeof(c->in))
		take_line(c, place, BYTES_NONE);
}

static void on_client(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	ssize_t n;

	if ((what & EV_WRITE) && !flush(c))
		return;
	if (!(what & EV_READ) || c->closing)
		return;
	n = recv(fd, c->in + c->in_bytes, sizeof(c->in) - c->in_bytes, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c); /* an answer that is still due finds nobody */
		return;
	}
	c->in_bytes += (size_t)n;
	take_lines(c, place_of(c));
}

static struct client *client_new(struct control *control, int fd)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = control->clients[i];

		if (c && c->fd >= 0)
			continue;
		if (!c)
			c = control->clients[i] = xcalloc(1, sizeof(*c));
		c->control = control;
		c->fd = fd;
		c->uses++;
		c->in_bytes = c->out_sent = 0;
		c->closing = false;
		buf_init(&c->out, OUT_MAX_BYTES);
		return c;
	}
	return NULL;
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd, (void)what;
	if (event_add(&control->accept, NULL) < 0)
		out_of_memory();
}

/* The client stays in the queue and the socket readable: without a pause the loop would turn for
 * nothing else. */
static void cannot_accept(struct control *control)
{
	uint32_t held;

	if (log_limited(&control->log_limit, 1, loop_now(), &held))
		log_err("control", "can't accept, retrying", KV_S("err", strerror(errno)),
		        KV_U("held_back", held));
	event_del(&control->accept);
	if (event_add(&control->again, &accept_pause) < 0)
		out_of_memory();
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct control *control = arg;
	autoclose int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct client *c;

	(void)what;
	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			cannot_accept(control);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		log_err("control", "can't tell whose connection it is, closed",
		        KV_S("err", strerror(errno)));
		return;
	}
	c = client_new(control, fd);
	if (!c)
		return; /* closed: 32 at once is no operator */
	take_fd(&fd);
	c->uid = cred.uid;
	event_assign(&c->event, control->base, c->fd, EV_READ | EV_PERSIST, on_client, c);
	watch(c);
}

/* ---- the socket ---- */

struct control *control_open(struct event_base *base, const char *path,
                             const struct control_hooks *hooks, struct err *err)
{
	struct control *c;
	struct addr addr;
	autoclose int fd = -1;

	if (path[0] != '/' || value_addr(bytes_str(path), &addr, err) < 0) {
		err_set(err, "control.socket: '%s' is no absolute path of at most 107 bytes", path);
		return NULL;
	}
	fd = socket_bind_unix(&addr, err);
	if (fd < 0 || socket_listen(fd, &addr, err) < 0) {
		err_prefix(err, "control socket %s: ", path);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->base = base;
	c->addr = addr;
	c->hooks = *hooks;
	c->fd = take_fd(&fd);
	event_assign(&c->accept, base, c->fd, EV_READ | EV_PERSIST, on_accept, c);
	event_assign(&c->again, base, -1, 0, on_again, c);
	if (event_add(&c->accept, NULL) < 0)
		out_of_memory();
	return c;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		if (c->clients[i] && c->clients[i]->fd >= 0) {
			flush(c->clients[i]);
			if (c->clients[i]->fd >= 0)
				client_close(c->clients[i]);
		}
		free(c->clients[i]);
	}
	event_del(&c->accept);
	event_del(&c->again);
	unlink(c->addr.text);
	close(c->fd);
	free(c);
}
