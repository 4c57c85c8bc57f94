/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hgload -- the load generator of tests and benches: HTTP/1.1 keep-alive POSTs to one loopback
 * server, closed loop, or open loop with latency counted from the *scheduled* time, so that a
 * server that stops does not hide the waits it causes (performance.md 5). Bounded in count and
 * time; one thread. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include "common/base.h"
#include "common/bytes.h"

enum {
	BUCKETS = 64 * 32, /* 32 steps per power of two of microseconds: 3 % */
	REPLY_MAX = 64 * KIB,
	EVENTS = 256,
	CODES = 600,
};

struct body {
	char *request; /* head and body as sent */
	size_t n;
};

struct conn {
	int fd;
	SSL *ssl;
	bool connecting, busy;
	const struct body *body;
	size_t sent;
	int64_t scheduled_ns;
	char reply[REPLY_MAX];
	size_t got;
	struct conn *next; /* in load.idle */
};

struct load {
	struct sockaddr_in addr;
	const char *host, *path;
	SSL_CTX *tls;
	struct body *bodies;
	size_t body_count, next_body;
	struct conn *conns;
	unsigned conn_count;
	struct conn *idle;
	double rate; /* 0: closed loop */
	uint64_t limit, started, done, broken;
	int64_t start_ns, end_ns;
	uint64_t codes[CODES], bytes;
	uint64_t hist[BUCKETS], over_50ms;
	int64_t max_us;
	int epoll;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "hgload: %s: %s\n", what, strerror(errno));
	exit(EX_UNAVAILABLE);
}

/* ---- latency ---- */

static unsigned bucket_of(uint64_t us)
{
	unsigned top = us < 32 ? 0 : 59 - (unsigned)__builtin_clzll(us);

	return us < 32 ? (unsigned)us : (top * 32 + (unsigned)(us >> top));
}

static uint64_t bucket_value(unsigned b)
{
	unsigned top = b / 32;

	return (uint64_t)(b - top * 32) << top;
}

static void count_latency(struct load *l, int64_t us)
{
	unsigned b = bucket_of((uint64_t)us);

	l->hist[b < BUCKETS ? b : BUCKETS - 1]++;
	if (us > l->max_us)
		l->max_us = us;
	if (us > 50000)
		l->over_50ms++;
}

static double percentile(const struct load *l, double share)
{
	uint64_t want = (uint64_t)((double)l->done * share), seen = 0;

	for (unsigned b = 0; b < BUCKETS; b++) {
		seen += l->hist[b];
		if (seen > want)
			return (double)bucket_value(b) / 1000.0;
	}
	return (double)l->max_us / 1000.0;
}

/* ---- connections ---- */

static void watch(struct load *l, struct conn *c, uint32_t events, int op)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(l->epoll, op, c->fd, &ev) < 0)
		die("epoll_ctl");
}

static void conn_open(struct load *l, struct conn *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&l->addr, sizeof(l->addr)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	c->connecting = true;
	c->got = 0;
	if (l->tls) {
		c->ssl = SSL_new(l->tls);
		if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
			die("SSL_new");
		SSL_set_connect_state(c->ssl);
		SSL_set_tlsext_host_name(c->ssl, "localhost");
	}
	watch(l, c, EPOLLIN | EPOLLOUT | EPOLLET, EPOLL_CTL_ADD);
}

static void conn_shut(struct conn *c)
{
	if (c->ssl) {
		SSL_shutdown(c->ssl); /* else its ticket is spoilt */
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	close(c->fd);
	c->fd = -1;
}

static ssize_t conn_write(struct conn *c, const void *p, size_t n)
{
	if (!c->ssl)
		return send(c->fd, p, n, MSG_NOSIGNAL);
	ERR_clear_error();
	return SSL_write(c->ssl, p, (int)n);
}

static ssize_t conn_read(struct conn *c, void *p, size_t n)
{
	ssize_t got;

	if (!c->ssl)
		return recv(c->fd, p, n, 0);
	ERR_clear_error();
	got = SSL_read(c->ssl, p, (int)n);
	if (got <= 0 && SSL_get_error(c->ssl, (int)got) == SSL_ERROR_WANT_READ) {
		errno = EAGAIN;
		return -1;
	}
	return got;
}

static void flush_request(struct conn *c)
{
	while (c->busy && !c->connecting && c->sent < c->body->n) {
		ssize_t n = conn_write(c, c->body->request + c->sent, c->body->n - c->sent);

		if (n <= 0)
			return; /* EAGAIN, or the read will tell */
		c->sent += (size_t)n;
	}
}

static bool may_start(const struct load *l)
{
	return (l->limit == 0 || l->started < l->limit) && now_ns() < l->end_ns;
}

static void start_request(struct load *l, struct conn *c, int64_t scheduled_ns)
{
	c->body = &l->bodies[l->next_body++ % l->body_count];
	c->busy = true;
	c->sent = 0;
	c->got = 0;
	c->scheduled_ns = scheduled_ns;
	l->started++;
	flush_request(c);
}

static void to_idle(struct load *l, struct conn *c)
{
	c->busy = false;
	if (l->rate == 0 && may_start(l)) {
		start_request(l, c, now_ns());
		return;
	}
	c->next = l->idle;
	l->idle = c;
}

/* A connection that broke under a request: that request is lost and counted. */
static void on_broken(struct load *l, struct conn *c)
{
	bool was_busy = c->busy;

	conn_shut(c);
	c->busy = false;
	if (was_busy) {
		l->broken++;
		to_idle(l, c);
	}
	if (now_ns() < l->end_ns)
		conn_open(l, c);
}

/* ---- replies ---- */

/* Bytes of the whole reply once it is there, 0 while it is not. */
static size_t reply_bytes(const struct conn *c, unsigned *code, bool *closes)
{
	const char *end = memmem(c->reply, c->got, "\r\n\r\n", 4), *p;
	size_t head, length = 0;

	if (!end || c->got < 12)
		return 0;
	head = (size_t)(end - c->reply) + 4;
	*code = (unsigned)atoi(c->reply + 9);
	p = memmem(c->reply, head, "Content-Length: ", 16);
	if (p)
		length = strtoul(p + 16, NULL, 10);
	*closes = memmem(c->reply, head, "Connection: close", 17) != NULL;
	return c->got >= head + length ? head + length : 0;
}

static void on_readable(struct load *l, struct conn *c)
{
	for (;;) {
		unsigned code = 0;
		bool closes = false;
		size_t n;
		ssize_t got = conn_read(c, c->reply + c->got, REPLY_MAX - c->got);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			on_broken(l, c);
			return;
		}
		c->got += (size_t)got;
		n = reply_bytes(c, &code, &closes);
		if (n == 0)
			continue;
		l->done++;
		l->bytes += c->body ? c->body->n : 0;
		l->codes[code < CODES ? code : 0]++;
		count_latency(l, (now_ns() - c->scheduled_ns) / 1000);
		if (closes) {
			c->busy = false;
			conn_shut(c);
			conn_open(l, c);
			to_idle(l, c);
			return;
		}
		to_idle(l, c);
	}
}

static void on_event(struct load *l, struct conn *c, uint32_t events)
{
	if (c->connecting && events & EPOLLOUT)
		c->connecting = false;
	if (c->fd >= 0 && c->ssl && !SSL_is_init_finished(c->ssl)) {
		int rc = SSL_do_handshake(c->ssl);

		if (rc != 1 && SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ &&
		    SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_WRITE) {
			on_broken(l, c);
			return;
		}
		if (rc != 1)
			return;
	}
	flush_request(c);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		on_readable(l, c);
}

/* ---- the run ---- */

static void start_due(struct load *l)
{
	int64_t now = now_ns();

	while (l->rate > 0 && l->idle && may_start(l)) {
		int64_t due = l->start_ns + (int64_t)((double)l->started * 1e9 / l->rate);
		struct conn *c = l->idle;

		if (due > now)
			return;
		l->idle = c->next;
		start_request(l, c, due);
	}
}

/* Until the next request is due, so that its start does not wait for a tick; at most 100 ms. */
static struct timespec until_due(const struct load *l)
{
	int64_t ns = 100000000;

	if (l->rate > 0 && l->idle && may_start(l)) {
		int64_t due =
			l->start_ns + (int64_t)((double)l->started * 1e9 / l->rate) - now_ns();

		ns = due < 0 ? 0 : due < ns ? due : ns;
	}
	return (struct timespec){ .tv_nsec = ns };
}

static void run(struct load *l, int64_t seconds_ns)
{
	struct epoll_event events[EVENTS];
	struct timespec wait;
	int64_t give_up;

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->start_ns = now_ns();
	l->end_ns = l->start_ns + seconds_ns;
	give_up = l->end_ns + 15 * INT64_C(1000000000);
	for (unsigned i = 0; i < l->conn_count; i++) {
		conn_open(l, &l->conns[i]);
		to_idle(l, &l->conns[i]);
	}
	for (;;) {
		int n;

		start_due(l);
		if (l->done + l->broken >= l->started && !may_start(l))
			break;
		if (now_ns() > give_up)
			break;
		wait = until_due(l);
		n = epoll_pwait2(l->epoll, events, EVENTS, &wait, NULL);
		for (int i = 0; i < n; i++)
			on_event(l, events[i].data.ptr, events[i].events);
	}
	l->end_ns = now_ns();
}

static void report(const struct load *l)
{
	double s = (double)(l->end_ns - l->start_ns) / 1e9;
	const char *comma = "";

	printf("{\"seconds\":%.3f,\"started\":%llu,\"done\":%llu,\"broken\":%llu,\"unanswered\":%"
	       "llu,"
	       "\"per_s\":%.1f,\"mb_per_s\":%.2f,\"codes\":{",
	       s, (unsigned long long)l->started, (unsigned long long)l->done,
	       (unsigned long long)l->broken,
	       (unsigned long long)(l->started - l->done - l->broken), (double)l->done / s,
	       (double)l->bytes / s / 1e6);
	for (unsigned i = 0; i < CODES; i++) {
		if (l->codes[i]) {
			printf("%s\"%u\":%llu", comma, i, (unsigned long long)l->codes[i]);
			comma = ",";
		}
	}
	printf("},\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,"
	       "\"over_50ms\":%llu}\n",
	       percentile(l, 0.5), percentile(l, 0.9), percentile(l, 0.99), percentile(l, 0.999),
	       (double)l->max_us / 1000.0, (unsigned long long)l->over_50ms);
}

/* ---- command line ---- */

static char *file_read(const char *path, size_t *n)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *p;
	ssize_t got;
	size_t have = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	p = xcalloc(1, (size_t)st.st_size + 1);
	while (have < (size_t)st.st_size &&
	       (got = read(fd, p + have, (size_t)st.st_size - have)) > 0)
		have += (size_t)got;
	close(fd);
	*n = have;
	return p;
}

static void add_body(struct load *l, const char *headers, const char *token, const char *file)
{
	size_t n = 0;
	autofree char *content = file_read(file, &n);
	struct body *b;
	int head;

	l->bodies = xrealloc(l->bodies, l->body_count + 1, sizeof(*l->bodies));
	b = &l->bodies[l->body_count++];
	b->request = xcalloc(1, n + strlen(headers) + 1024);
	head = sprintf(b->request,
	               "POST %s HTTP/1.1\r\nHost: %s\r\n%s%s%s%sContent-Length: %zu\r\n\r\n",
	               l->path, l->host, headers, token ? "Authorization: Bearer " : "",
	               token ? token : "", token ? "\r\n" : "", n);
	memcpy(b->request + head, content, n);
	b->n = (size_t)head + n;
}

static void set_target(struct load *l, char *url)
{
	bool tls = strncmp(url, "https://", 8) == 0;
	char *host = strstr(url, "://"), *slash, *colon;

	if (!host)
		die("the URL wants http:// or https://");
	host += 3;
	slash = strchr(host, '/');
	l->path = slash ? xstrdup(slash) : "/";
	if (slash)
		*slash = '\0';
	l->host = xstrdup(host);
	colon = strchr(host, ':');
	if (!colon)
		die("the URL wants a port");
	*colon = '\0';
	l->addr.sin_family = AF_INET;
	l->addr.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &l->addr.sin_addr) != 1 ||
	    (ntohl(l->addr.sin_addr.s_addr) >> 24) != 127) {
		fprintf(stderr, "hgload: only addresses in 127.0.0.0/8 are a target\n");
		exit(EX_USAGE);
	}
	if (tls) {
		l->tls = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_mode(l->tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
		                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	}
}

static int usage(void)
{
	fprintf(stderr,
	        "usage: hgload -u http[s]://127.0.0.1:PORT/PATH -b BODY [-b BODY]... [options]\n"
	        "  -c N   connections (16)          -d S   seconds (10; at most 600)\n"
	        "  -n N   requests in all (0: no bound but -d)\n"
	        "  -r R   open loop, R requests/s, latency from the scheduled time (0: closed "
	        "loop)\n"
	        "  -H 'Name: value'   a header      -t FILE  tokens, one a line, used in turn\n");
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	struct load l = { .conn_count = 16 };
	char headers[4096] = "", *url = NULL, *tokens = NULL, *save = NULL;
	const char *files[64];
	unsigned file_count = 0;
	double seconds = 10;
	int opt;

	signal(SIGPIPE, SIG_IGN);
	while ((opt = getopt(argc, argv, "u:b:c:d:n:r:H:t:")) != -1) {
		size_t n;

		switch (opt) {
		case 'u':
			url = optarg;
			break;
		case 'b':
			if (file_count < ARRAY_LEN(files))
				files[file_count++] = optarg;
			break;
		case 'c':
			l.conn_count = (unsigned)atoi(optarg);
			break;
		case 'd':
			seconds = atof(optarg);
			break;
		case 'n':
			l.limit = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			l.rate = atof(optarg);
			break;
		case 'H':
			n = strlen(headers);
			snprintf(headers + n, sizeof(headers) - n, "%s\r\n", optarg);
			break;
		case 't': {
			size_t len;
			tokens = file_read(optarg, &len);
			break;
		}
		default:
			return usage();
		}
	}
	if (!url || file_count == 0 || l.conn_count == 0 || l.conn_count > 20000 || seconds <= 0 ||
	    seconds > 600)
		return usage();
	set_target(&l, url);
	for (unsigned i = 0; i < file_count; i++) {
		autofree char *copy = tokens ? xstrdup(tokens) : NULL;
		char *token = copy ? strtok_r(copy, "\n", &save) : NULL;

		do {
			add_body(&l, headers, token, files[i]);
		} while (token && (token = strtok_r(NULL, "\n", &save)));
	}
	l.conns = xcalloc(l.conn_count, sizeof(*l.conns));
	run(&l, (int64_t)(seconds * 1e9));
	report(&l);
	return l.done > 0 ? 0 : 1;
}
