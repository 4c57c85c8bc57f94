/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send_run.c -- threads that post, and the main thread, which alone prints. A thread takes the next
 * item, tries it until it is settled, and says so; the main thread shows items in their order, with
 * what the gateway's tap tells of them if one answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include "tools/ctl/send.h"
#include "tools/ctl/tap.h"

enum {
	FILE_MAX_BYTES = 256 * MIB,
	HEADERS_MAX = 8,
	RETRY_AFTER_MAX_S = 60,
	TAP_ITEMS_MAX = 64, /* more are not worth a tap: it tells of 100 a second */
	WHY_BYTES = 200,
};
static const msec_t BACKOFF_FIRST_MS = 10, BACKOFF_MAX_MS = 5000, TAP_WAIT_MS = 1000;

struct run {
	struct send *s;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* an item was settled */
	unsigned next; /* item that no thread has taken */
	char prefix[32]; /* of the request ids */
	struct tap *tap; /* NULL: nobody tells */
};

struct sender { /* a thread's own */
	struct run *run;
	pthread_t thread;
	struct http *http;
	struct http_answer answer;
	uint8_t *body;
	size_t body_bytes;
	char id_header[64], type_header[256];
	const char *headers[HEADERS_MAX];
};

static uint64_t random64(void)
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		out_of_memory(); /* a kernel without random bytes: nothing works */
	return r;
}

/* ---- the body ---- */

static int read_file(const char *path, uint8_t **out, size_t *n, struct err *err)
{
	/* Non-blocking: a named pipe is refused, not waited for. */
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got;
	size_t at = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "can't open it");
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES)
		return err_set(err, "no file of at most %d MiB", FILE_MAX_BYTES / MIB);
	*out = xcalloc((size_t)st.st_size + 1, 1);
	while ((got = read(fd, *out + at, (size_t)st.st_size - at)) != 0) {
		if (got < 0 && errno != EINTR)
			return err_errno(err, "can't read it");
		at += got > 0 ? (size_t)got : 0;
	}
	*n = at;
	return 0;
}

static void make_sample(const struct send_item *item, uint8_t **out, size_t *n)
{
	struct sample_at at = { .id = item->id };
	struct timespec ts;
	struct buf body;

	clock_gettime(CLOCK_REALTIME, &ts);
	at.now = (unix_ns)ts.tv_sec * 1000000000 + ts.tv_nsec;
	for (size_t i = 0; i < sizeof(at.random); i += sizeof(uint64_t)) {
		uint64_t r = random64();

		memcpy(at.random + i, &r, sizeof(r));
	}
	buf_init(&body, MIB);
	item->sample->make(&at, &body);
	assert(!body.failed);
	*out = (uint8_t *)body.p;
	*n = body.n;
}

/* ---- one try ---- */

enum try_said { TRY_SETTLED, TRY_AGAIN_NOW, TRY_AGAIN_LATER };

static const char *path_of(const struct send *s, const struct send_item *item)
{
	return item->sample ? item->sample->path : s->path;
}

static void fill_headers(struct sender *t, const struct send_item *item, const char *authorization)
{
	const struct send *s = t->run->s;
	const struct sample *sample = item->sample;
	const char *type = sample ? sample->type : s->type;
	unsigned n = 0;

	snprintf(t->id_header, sizeof(t->id_header), "X-Request-Id: %s", item->id);
	/* Without a value libcurl leaves its own one out. */
	snprintf(t->type_header, sizeof(t->type_header), "Content-Type:%s%s", type ? " " : "",
	         type ? type : "");
	t->headers[n++] = t->id_header;
	t->headers[n++] = t->type_header;
	t->headers[n++] = "Expect:"; /* the body goes at once */
	if (authorization)
		t->headers[n++] = authorization;
	for (const char *const *p = sample ? sample->headers : NULL; p && *p; p++)
		t->headers[n++] = *p;
	if (!sample && s->header)
		t->headers[n++] = s->header;
	assert(n < HEADERS_MAX);
	t->headers[n] = NULL;
}

static enum try_said settle(struct send_item *item, enum send_end end, const char *why)
{
	item->end = end;
	err_set(&item->why, "%s", why);
	return TRY_SETTLED;
}

/* The first line of a reply. Ours begin with the verdict's id, which may stand in a message of
 * protobuf or in a string of JSON: what is before it and behind its text is left out. */
static void reply_text(const struct http_answer *a, char *out, size_t cap)
{
	const char *id = memmem(a->body, a->body_bytes, "hg-", 3);
	size_t n = 0, at = id ? (size_t)(id - a->body) : 0;
	bool json = id && a->body[0] == '{';

	for (; at < a->body_bytes && n + 1 < min_size(cap, WHY_BYTES); at++) {
		unsigned char byte = (unsigned char)a->body[at];

		bool ends = json && byte == '"' && a->body[at - 1] != '\\';

		if (byte >= ' ' && byte < 0x7f && !ends)
			out[n++] = (char)byte;
		else if (n)
			break;
	}
	out[n] = '\0';
}

static bool is_passing(int status)
{
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

static enum try_said judge(struct sender *t, struct send_item *item, const char *authorization,
                           bool *renewed)
{
	const struct http_answer *a = &t->answer;
	char text[WHY_BYTES];

	item->status = a->status;
	item->ms = a->ms;
	if (a->failure == HTTP_NEVER)
		return settle(item, SEND_REFUSED, a->why);
	if (a->failure == HTTP_NETWORK) {
		err_set(&item->why, "%s", a->why);
		return TRY_AGAIN_LATER;
	}
	if (a->status >= 200 && a->status < 300)
		return settle(item, SEND_ACCEPTED, "");
	reply_text(a, text, sizeof(text));
	if (is_passing(a->status)) {
		err_set(&item->why, "%s", text);
		return TRY_AGAIN_LATER;
	}
	if (a->status == 401 && authorization && !*renewed &&
	    credential_refused(t->run->s->credential, authorization)) {
		*renewed = true;
		return TRY_AGAIN_NOW;
	}
	return settle(item, SEND_REFUSED, text);
}

static enum try_said try_once(struct sender *t, struct send_item *item, bool *renewed)
{
	const struct send *s = t->run->s;
	char *authorization = NULL;
	struct err err = { "" };
	enum try_said said;
	char *url;
	size_t cap;

	item->tries++;
	switch (credential_get(s->credential, t->http, &authorization, &err)) {
	case CREDENTIAL_HAVE:
	case CREDENTIAL_NONE:
		break;
	case CREDENTIAL_LATER:
		item->status = 0;
		t->answer.retry_after_s = -1;
		err_set(&item->why, "%s", err.text);
		return TRY_AGAIN_LATER;
	case CREDENTIAL_NEVER:
		item->status = 0;
		return settle(item, SEND_REFUSED, err.text);
	}
	cap = strlen(s->url) + strlen(path_of(s, item)) + 1;
	url = xcalloc(cap, 1);
	snprintf(url, cap, "%s%s", s->url, path_of(s, item));
	fill_headers(t, item, authorization);
	http_post(
		t->http,
		&(struct http_request){ url, t->headers, bytes_of(t->body, t->body_bytes), s->ca },
		&t->answer);
	said = judge(t, item, authorization, renewed);
	credential_wipe(authorization);
	free(url);
	return said;
}

/* ---- again and again ---- */

/* compatibility.md 4, 7: what is hardest to make again is tried longest. */
static int retries_of(const char *path)
{
	static const struct {
		const char *part;
		int retries;
	} rules[] = { { "process", 10 },
		      { "stream", 10 },
		      { "logs", 5 },
		      { "metrics", 2 },
		      { "traces", 1 } };

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (strstr(path, rules[i].part))
			return rules[i].retries;
	return 5;
}

/* Half of the step is by chance, so that those who failed together do not come back together. */
static msec_t backoff(unsigned tries)
{
	msec_t step = BACKOFF_FIRST_MS;

	while (--tries && step < BACKOFF_MAX_MS)
		step *= 2;
	if (step > BACKOFF_MAX_MS)
		step = BACKOFF_MAX_MS;
	return step / 2 + (msec_t)(random64() % (uint64_t)(step / 2 + 1));
}

static msec_t pause_of(const struct http_answer *a, unsigned tries)
{
	if (a->retry_after_s <= 0) /* none, of the past, or unreadable */
		return backoff(tries);
	return (a->retry_after_s < RETRY_AFTER_MAX_S ? a->retry_after_s : RETRY_AFTER_MAX_S) * 1000;
}

static void sleep_ms(msec_t ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		continue;
}

static void work(struct sender *t, struct send_item *item)
{
	const struct send *s = t->run->s;
	int retries = s->retries >= 0 ? s->retries : retries_of(path_of(s, item));
	struct err err = { "" };
	bool renewed = false;
	enum try_said said;

	t->body = NULL;
	if (item->sample) {
		make_sample(item, &t->body, &t->body_bytes);
	} else if (read_file(item->name, &t->body, &t->body_bytes, &err) < 0) {
		settle(item, SEND_REFUSED, err.text);
		free(t->body);
		return;
	}
	while ((said = try_once(t, item, &renewed)) != TRY_SETTLED) {
		if (said == TRY_AGAIN_NOW)
			continue;
		if (retries-- == 0) {
			item->end = SEND_GIVEN_UP;
			break;
		}
		sleep_ms(pause_of(&t->answer, item->tries));
	}
	free(t->body);
}

static void *sender_main(void *arg)
{
	struct sender *t = arg;
	struct run *run = t->run;

	pthread_mutex_lock(&run->lock);
	while (run->next < run->s->count) {
		struct send_item *item = &run->s->items[run->next++];
		struct send_item own = *item;

		pthread_mutex_unlock(&run->lock);
		work(t, &own);
		pthread_mutex_lock(&run->lock);
		own.seen = item->seen; /* the main thread's */
		*item = own;
		pthread_cond_signal(&run->changed);
	}
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

/* ---- the main thread ---- */

static struct send_item *item_of(const struct run *run, const char *id)
{
	size_t n = strlen(run->prefix);
	uint64_t index;

	if (strncmp(id, run->prefix, n) != 0 ||
	    !bytes_to_u64(bytes_str(id + n), run->s->count - 1, &index))
		return NULL;
	return &run->s->items[index];
}

/* A request is told of when its reply is out: a moment after we have it. */
static void await_line(struct run *run, const struct send_item *item)
{
	while (run->tap && item->status &&
	       !(item->seen && json_number_of(item->seen, "code") == item->status)) {
		json_t *line = tap_next(run->tap, TAP_WAIT_MS);
		struct send_item *about = item_of(run, json_text_of(line, "client_request_id"));

		if (!line) { /* its listener is not that of this control socket, say */
			tap_close(run->tap);
			run->tap = NULL;
			return;
		}
		if (!about) {
			json_decref(line);
			continue;
		}
		pthread_mutex_lock(&run->lock);
		json_decref(about->seen);
		about->seen = line;
		pthread_mutex_unlock(&run->lock);
	}
}

static void await_item(struct run *run, const struct send_item *item)
{
	pthread_mutex_lock(&run->lock);
	while (item->end == SEND_WAITS)
		pthread_cond_wait(&run->changed, &run->lock);
	pthread_mutex_unlock(&run->lock);
}

static void show_all(struct run *run)
{
	struct send *s = run->s;
	struct send_show *show = send_show_open(s);

	for (unsigned i = 0; i < s->count; i++) {
		await_item(run, &s->items[i]);
		await_line(run, &s->items[i]);
		send_show_item(show, &s->items[i], i + 1);
	}
	send_show_close(show);
}

static void start_ids(struct run *run)
{
	struct send *s = run->s;

	snprintf(run->prefix, sizeof(run->prefix), "ctl-%016llx-", (unsigned long long)random64());
	for (unsigned i = 0; i < s->count; i++)
		snprintf(s->items[i].id, sizeof(s->items[i].id), "%s%u", run->prefix, i);
}

static void start_tap(struct run *run)
{
	char pattern[40];

	snprintf(pattern, sizeof(pattern), "%s*", run->prefix);
	if (run->s->count <= TAP_ITEMS_MAX)
		run->tap = tap_open(run->s->c, pattern);
}

static int start_senders(struct run *run, struct sender *senders, unsigned n, struct err *err)
{
	for (unsigned i = 0; i < n; i++) {
		int failed = 0;

		senders[i].run = run;
		senders[i].http = http_open(err);
		if (senders[i].http)
			failed = pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]);
		if (senders[i].http && !failed)
			continue;
		if (failed)
			err_set(err, "no thread: %s", strerror(failed));
		http_close(senders[i].http);
		senders[i].http = NULL;
		return i ? 0 : -1; /* fewer will do */
	}
	return 0;
}

static int code_of(const struct send *s)
{
	int code = 0;

	for (unsigned i = 0; i < s->count; i++) {
		if (s->items[i].end == SEND_REFUSED)
			return EXIT_NEGATIVE;
		if (s->items[i].end == SEND_GIVEN_UP)
			code = EX_TEMPFAIL;
	}
	return code;
}

int send_run(struct send *s)
{
	struct run run = { .s = s,
		           .lock = PTHREAD_MUTEX_INITIALIZER,
		           .changed = PTHREAD_COND_INITIALIZER };
	unsigned n = s->jobs < s->count ? s->jobs : s->count;
	struct sender *senders = xcalloc(n + 1, sizeof(*senders));
	struct err err = { "" };
	int code;

	start_ids(&run);
	if (http_start(&err) < 0) {
		free(senders);
		return ctl_fail(EX_SOFTWARE, "%s", err.text);
	}
	start_tap(&run);
	if (start_senders(&run, senders, n, &err) < 0) {
		code = ctl_fail(EX_OSERR, "%s", err.text);
	} else {
		show_all(&run);
		code = code_of(s);
	}
	for (unsigned i = 0; i < n && senders[i].http; i++) {
		pthread_join(senders[i].thread, NULL);
		http_close(senders[i].http);
	}
	tap_close(run.tap);
	free(senders);
	http_stop();
	return code;
}
