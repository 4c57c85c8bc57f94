/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client.c -- libcurl's multi interface on libevent: it says which sockets and which time to
 * watch, and is told what happened. What has ended is taken from its queue after each such telling,
 * so that answered() never runs inside libcurl.
 */
#include "common/http_client.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>

#include "common/buf.h"

enum { KEPT_CONNECTIONS = 8, CHALLENGE_MAX = 1024 };

struct http_call {
	struct http_client *client;
	struct http_call *next, **at; /* in its client's calls */
	CURL *curl;
	struct curl_slist *fields;
	void (*answered)(void *arg, const struct http_client_answer *answer);
	void *arg;
	struct buf body;
	size_t head_bytes;
	struct event deadline; /* libcurl's own stands while a call waits for a connection */
	const char *ended; /* static text: why we ended it; NULL: we did not */
	char error[CURL_ERROR_SIZE];
};

struct http_client {
	struct event_base *base;
	CURLM *multi;
	struct event timer;
	struct http_call *calls; /* not yet answered */
};

struct watch { /* a socket of libcurl's; from its first CURL_POLL_IN or _OUT to CURL_POLL_REMOVE */
	struct event event;
	struct http_client *client;
};

static struct timeval time_of(msec_t ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

/* ---- a call's end ---- */

/* The fields may be secret, and libcurl wipes nothing. */
static void wipe_fields(struct curl_slist *fields)
{
	for (struct curl_slist *f = fields; f; f = f->next)
		explicit_bzero(f->data, strlen(f->data));
	curl_slist_free_all(fields);
}

static void call_free(struct http_call *call)
{
	*call->at = call->next;
	if (call->next)
		call->next->at = call->at;
	event_del(&call->deadline);
	curl_multi_remove_handle(call->client->multi, call->curl);
	curl_easy_cleanup(call->curl);
	wipe_fields(call->fields);
	buf_done(&call->body);
	free(call);
}

/* RFC 9110 5.3: several lines are one list. */
static const char *join_challenges(CURL *curl, char *out)
{
	struct curl_header *h;
	struct buf b;
	size_t i = 0;

	buf_init_fixed(&b, out, CHALLENGE_MAX - 1);
	while (curl_easy_header(curl, "WWW-Authenticate", i++, CURLH_HEADER, -1, &h) == CURLHE_OK) {
		buf_str(&b, b.n ? ", " : "");
		buf_str(&b, h->value);
	}
	out[b.n] = '\0';
	return b.n && !b.failed ? out : NULL;
}

static void tell(struct http_call *call, CURLcode rc)
{
	struct http_client_answer a = { .status = 0 };
	char challenge[CHALLENGE_MAX];
	long status = 0;

	if (rc == CURLE_OK)
		curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status > 0) {
		a.status = (int)status;
		a.body = buf_view(&call->body);
		a.challenge = join_challenges(call->curl, challenge);
	} else {
		a.failure = call->ended      ? call->ended
		            : call->error[0] ? call->error
		                             : curl_easy_strerror(rc);
	}
	call->answered(call->arg, &a);
}

static void take_ended(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(c->multi, &left))) {
		CURLcode rc = m->data.result;
		struct http_call *call = NULL;

		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		tell(call, rc);
		call_free(call);
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct http_call *call = arg;

	(void)fd;
	(void)what;
	call->ended = "no answer in time";
	tell(call, CURLE_OPERATION_TIMEDOUT);
	call_free(call);
}

/* ---- what libcurl is told, and what it asks for ---- */

static void happened(struct http_client *c, curl_socket_t fd, int what)
{
	int running;
	CURLMcode rc = curl_multi_socket_action(c->multi, fd, what, &running);

	assert(rc == CURLM_OK); /* else a misuse of ours, or out of memory */
	take_ended(c);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	happened(w->client, fd,
	         (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	happened(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int watch_timer(CURLM *multi, long ms, void *arg)
{
	struct http_client *c = arg;
	struct timeval t = time_of(ms);

	(void)multi;
	return (ms < 0 ? event_del(&c->timer) : event_add(&c->timer, &t)) == 0 ? 0 : -1;
}

static int watch_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct http_client *c = arg;
	struct watch *w = watch;

	(void)curl;
	if (w)
		event_del(&w->event);
	if (what == CURL_POLL_REMOVE) {
		free(w);
		return 0;
	}
	if (!w) {
		w = xcalloc(1, sizeof(*w));
		w->client = c;
		curl_multi_assign(c->multi, fd, w);
	}
	event_assign(&w->event, c->base, fd,
	             EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
	                     (what & CURL_POLL_OUT ? EV_WRITE : 0),
	             on_socket, w);
	return event_add(&w->event, NULL) == 0 ? 0 : -1;
}

/* ---- a call's bytes ---- */

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;

	buf_add(&call->body, p, size * count);
	if (!call->body.failed)
		return size * count;
	call->ended = "the answer's body is too large";
	return 0;
}

static size_t on_head(char *p, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;

	(void)p;
	call->head_bytes += size * count;
	if (call->head_bytes <= HTTP_CLIENT_HEAD_MAX)
		return size * count;
	call->ended = "the answer's head is too large";
	return 0;
}

/* ---- the whole ---- */

void http_client_version(char *out, size_t cap)
{
	snprintf(out, cap, "%s (built with %s)", curl_version_info(CURLVERSION_NOW)->version,
	         LIBCURL_VERSION);
}

struct http_client *http_client_open(struct event_base *base, struct err *err)
{
	struct http_client *c;
	CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);

	if (rc != CURLE_OK) {
		err_set(err, "libcurl: %s", curl_easy_strerror(rc));
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->base = base;
	event_assign(&c->timer, base, -1, 0, on_timer, c);
	c->multi = curl_multi_init();
	if (!c->multi)
		out_of_memory();
	if (curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
	    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) == CURLM_OK &&
	    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, watch_timer) == CURLM_OK &&
	    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) == CURLM_OK &&
	    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS) == CURLM_OK &&
	    curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
	                      (long)HTTP_CLIENT_CONNECTIONS_MAX) == CURLM_OK)
		return c;
	err_set(err, "libcurl refuses an option of its multi interface");
	http_client_close(c);
	return NULL;
}

void http_client_close(struct http_client *c)
{
	if (!c)
		return;
	while (c->calls)
		call_free(c->calls);
	curl_multi_cleanup(c->multi);
	event_del(&c->timer);
	free(c);
	curl_global_cleanup();
}

/* QUICK_EXIT: a call that ends while its name is still being looked up lets go of that thread, else
 * it would wait for it, and the loop with it, for as long as the name servers are silent. */
static bool set_up(struct http_call *call, const struct http_get *get)
{
	CURL *curl = call->curl;

	return curl_easy_setopt(curl, CURLOPT_PRIVATE, call) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->error) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK && /* the environment's too */
	       curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "headgate/" HEADGATE_VERSION) ==
	               CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, call) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERDATA, call) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->fields) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_URL, get->url) == CURLE_OK;
}

static struct curl_slist *copy_fields(const char *const *fields)
{
	struct curl_slist *list = NULL;

	for (; fields && *fields; fields++) {
		struct curl_slist *more = curl_slist_append(list, *fields);

		if (!more)
			out_of_memory();
		list = more;
	}
	return list;
}

struct http_call *http_client_get(struct http_client *c, const struct http_get *get)
{
	struct http_call *call = xcalloc(1, sizeof(*call));
	struct timeval timeout = time_of(get->timeout);

	call->client = c;
	call->answered = get->answered;
	call->arg = get->arg;
	call->fields = copy_fields(get->fields);
	call->curl = curl_easy_init();
	if (!call->curl)
		out_of_memory();
	buf_init(&call->body, get->body_max);
	call->next = c->calls;
	call->at = &c->calls;
	if (c->calls)
		c->calls->at = &call->next;
	c->calls = call;
	event_assign(&call->deadline, c->base, -1, 0, on_deadline, call);
	event_add(&call->deadline, &timeout);
	/* The options are there in every libcurl that this was built with, so memory is missing. */
	if (!set_up(call, get) || curl_multi_add_handle(c->multi, call->curl) != CURLM_OK)
		out_of_memory();
	return call;
}

void http_call_cancel(struct http_call *call)
{
	call_free(call);
}
