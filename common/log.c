/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c -- makes the lines of the operational log in one buffer on the stack and hands each over in
 * one system call: write() to stderr, or a datagram of native fields if stderr is the journal.
 * Never allocates, never fails upwards: nobody is left to be told.
 */
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "common/buf.h"
#include "common/last_errors.h"

enum {
	LINE_BYTES = 4096,
	VALUE_BYTES = 512, /* of one value; what is longer is cut */
	LINE_RESERVE = 160, /* kept free for worker and generation */
	JOURNAL_BYTES = 8192,
	MINUTE_MS = 60000,
	LEVELS = LOG_LEVEL_DEBUG + 1,
};

static const char *const level_names[LEVELS] = { "err", "warn", "info", "debug" };
static const int level_priority[LEVELS] = { 3, 4, 6, 7 }; /* as of syslog(3) */
static const char journal_path[] = "/run/systemd/journal/socket";

static struct {
	enum log_level level;
	enum log_format format;
	char debug_modules[256]; /* ",auth,conn," */
	int worker; /* slot, -1 for the master */
	uint64_t generation;
	uint64_t lines[LEVELS];
	int journal_fd; /* connected datagram socket, -1 if stderr is no journal */
	struct last_errors *errors; /* in the stats page; NULL: none yet */
} logger = { .level = LOG_LEVEL_INFO, .worker = -1, .journal_fd = -1 };

/* systemd sets JOURNAL_STREAM to device:inode of the stream it made for us (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	int end = 0;

	return stream && sscanf(stream, "%llu:%llu%n", &dev, &ino, &end) == 2 && !stream[end] &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static int journal_connect(int fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	_Static_assert(sizeof(journal_path) <= sizeof(sun.sun_path), "path of the journal");
	memcpy(sun.sun_path, journal_path, sizeof(journal_path));
	return connect(fd, (const struct sockaddr *)&sun, sizeof(sun));
}

/* -1 where there is none: then stderr, which is the journal's stream all the same. */
static int journal_open(void)
{
	autoclose int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || journal_connect(fd) < 0)
		return -1;
	return take_fd(&fd);
}

int log_journal_open(void)
{
	return stderr_is_journal() ? journal_open() : -1;
}

void log_setup(enum log_level level, enum log_format format, const char *debug_modules)
{
	logger.level = level;
	logger.format = format;
	logger.debug_modules[0] = '\0';
	if (debug_modules && *debug_modules)
		snprintf(logger.debug_modules, sizeof(logger.debug_modules), ",%s,", debug_modules);
	if (logger.journal_fd < 0 && stderr_is_journal())
		logger.journal_fd = journal_open();
}

void log_identity(int worker_slot, uint64_t generation)
{
	logger.worker = worker_slot;
	logger.generation = generation;
}

void log_last_errors(struct last_errors *ring)
{
	logger.errors = ring;
}

uint64_t log_count(enum log_level level)
{
	return logger.lines[level];
}

bool log_enabled(enum log_level level, const char *module)
{
	char key[64];

	if (level <= logger.level)
		return true;
	if (!logger.debug_modules[0])
		return false;
	snprintf(key, sizeof(key), ",%s,", module);
	return strstr(logger.debug_modules, key) || strstr(logger.debug_modules, ",all,");
}

static struct bytes kv_text(const struct kv *kv)
{
	if (kv->type == KV_TYPE_BYTES)
		return kv->v.bytes;
	return bytes_str(kv->v.str ? kv->v.str : "null");
}

/* ---- logfmt ---- */

static bool is_bare(struct bytes s)
{
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (!alnum && !(c && strchr("._:/@+,-[]%*()#", c)))
			return false;
	}
	return true;
}

static void logfmt_text(struct buf *b, struct bytes s)
{
	if (is_bare(s)) {
		buf_bytes(b, bytes_of(s.p, min_size(s.n, VALUE_BYTES)));
		return;
	}
	buf_char(b, '"');
	buf_escaped(b, s, VALUE_BYTES);
	buf_char(b, '"');
}

static void logfmt_value(struct buf *b, const struct kv *kv)
{
	switch (kv->type) {
	case KV_TYPE_STR:
	case KV_TYPE_BYTES:
		logfmt_text(b, kv_text(kv));
		return;
	case KV_TYPE_I64:
		buf_i64(b, kv->v.i64);
		return;
	case KV_TYPE_U64:
		buf_u64(b, kv->v.u64);
		return;
	case KV_END:
		break;
	}
	assert(!"not a type of value");
}

static void logfmt_pairs(struct buf *b, const struct kv *kv)
{
	for (; kv->type != KV_END; kv++) {
		struct buf whole = *b;

		buf_char(&whole, ' ');
		buf_str(&whole, kv->key);
		buf_char(&whole, '=');
		logfmt_value(&whole, kv);
		if (whole.failed)
			return; /* a pair is there whole or not at all */
		*b = whole;
	}
}

static void logfmt_line(struct buf *b, enum log_level level, const char *module, const char *msg,
                        const struct kv *kv)
{
	b->limit -= LINE_RESERVE;
	buf_printf(b, "lvl=%s mod=%s msg=\"", level_names[level], module);
	buf_escaped(b, bytes_str(msg), VALUE_BYTES);
	buf_char(b, '"');
	logfmt_pairs(b, kv);
	b->limit += LINE_RESERVE;
	if (logger.worker >= 0)
		buf_printf(b, " worker=%d gen=%llu", logger.worker,
		           (unsigned long long)logger.generation);
	buf_char(b, '\n');
}

/* ---- JSON ---- */

static void json_text(struct buf *b, struct bytes s)
{
	buf_char(b, '"');
	buf_json(b, s, VALUE_BYTES);
	buf_char(b, '"');
}

static void json_value(struct buf *b, const struct kv *kv)
{
	switch (kv->type) {
	case KV_TYPE_STR:
		if (!kv->v.str) {
			buf_str(b, "null");
			return;
		}
		json_text(b, kv_text(kv));
		return;
	case KV_TYPE_BYTES:
		json_text(b, kv_text(kv));
		return;
	case KV_TYPE_I64:
		buf_i64(b, kv->v.i64);
		return;
	case KV_TYPE_U64:
		buf_u64(b, kv->v.u64);
		return;
	case KV_END:
		break;
	}
	assert(!"not a type of value");
}

static void json_line(struct buf *b, enum log_level level, const char *module, const char *msg,
                      const struct kv *kv)
{
	b->limit -= LINE_RESERVE;
	buf_printf(b, "{\"lvl\":\"%s\",\"mod\":\"%s\",\"msg\":", level_names[level], module);
	json_text(b, bytes_str(msg));
	for (; kv->type != KV_END; kv++) {
		struct buf whole = *b;

		buf_printf(&whole, ",\"%s\":", kv->key);
		json_value(&whole, kv);
		if (whole.failed)
			break;
		*b = whole;
	}
	b->limit += LINE_RESERVE;
	if (logger.worker >= 0)
		buf_printf(b, ",\"worker\":%d,\"gen\":%llu", logger.worker,
		           (unsigned long long)logger.generation);
	buf_str(b, "}\n");
}

/* ---- the journal's native form: KEY=value lines, or KEY, length and bytes ---- */

static void journal_field(struct buf *b, const char *key, struct bytes value)
{
	uint8_t length[8];

	buf_str(b, key);
	if (!value.n || !memchr(value.p, '\n', value.n)) {
		buf_char(b, '=');
	} else {
		for (size_t i = 0; i < sizeof(length); i++)
			length[i] = (uint8_t)((uint64_t)value.n >> (8 * i));
		buf_char(b, '\n');
		buf_add(b, length, sizeof(length));
	}
	buf_bytes(b, value);
	buf_char(b, '\n');
}

/* The same text has the same id for ever: FNV-1a, 128 bits, over module and message. */
static void message_id(const char *module, const char *msg, char out[static 33])
{
	unsigned __int128 h = ((unsigned __int128)0x6c62272e07bb0142 << 64) | 0x62b821756295c58d;
	const unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
	uint8_t id[16];

	for (const char *p = module; *p; p++)
		h = (h ^ (uint8_t)*p) * prime;
	h = (h ^ (uint8_t)':') * prime;
	for (const char *p = msg; *p; p++)
		h = (h ^ (uint8_t)*p) * prime;
	for (size_t i = 0; i < sizeof(id); i++)
		id[i] = (uint8_t)(h >> (120 - 8 * i));
	hex_encode(id, sizeof(id), out);
}

/* trace_id has the name that other programs use; every other key is ours: HEADGATE_KEY. What the
 * master says of a generation is found by the field that its workers' lines have. */
static void journal_key(const char *key, char *out, size_t cap)
{
	const char *name = strcmp(key, "gen") ? key : "generation";
	int n = snprintf(out, cap, "%s%s", strcmp(key, "trace_id") ? "HEADGATE_" : "", name);

	for (char *c = out; n > 0 && *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
}

static void journal_pairs(struct buf *b, const struct kv *kv)
{
	for (; kv->type != KV_END; kv++) {
		char key[64], text[VALUE_BYTES * 4];
		struct buf value, whole = *b;

		buf_init_fixed(&value, text, sizeof(text));
		if (kv->type == KV_TYPE_STR || kv->type == KV_TYPE_BYTES)
			buf_escaped(&value, kv_text(kv), VALUE_BYTES);
		else
			logfmt_value(&value, kv);
		journal_key(kv->key, key, sizeof(key));
		journal_field(&whole, key, buf_view(&value));
		if (whole.failed)
			return;
		*b = whole;
	}
}

static void journal_entry(struct buf *b, enum log_level level, const char *module, const char *msg,
                          const struct kv *kv)
{
	char text[LINE_BYTES], number[24], id[33];
	struct buf message, tail;

	/* MESSAGE is what a plain `journalctl` shows, so it carries the pairs too. */
	buf_init_fixed(&message, text, sizeof(text));
	buf_escaped(&message, bytes_str(msg), VALUE_BYTES);
	logfmt_pairs(&message, kv);
	journal_field(b, "MESSAGE", buf_view(&message));

	buf_init_fixed(&tail, number, sizeof(number));
	buf_i64(&tail, level_priority[level]);
	journal_field(b, "PRIORITY", buf_view(&tail));
	message_id(module, msg, id);
	journal_field(b, "MESSAGE_ID", bytes_of(id, 32));
	journal_field(b, "SYSLOG_IDENTIFIER", bytes_str("headgate"));
	journal_field(b, "HEADGATE_MODULE", bytes_str(module));
	if (logger.worker >= 0) {
		buf_reset(&tail);
		buf_i64(&tail, logger.worker);
		journal_field(b, "HEADGATE_WORKER", buf_view(&tail));
		buf_reset(&tail);
		buf_u64(&tail, logger.generation);
		journal_field(b, "HEADGATE_GENERATION", buf_view(&tail));
	}
	journal_pairs(b, kv);
}

static bool journal_send(const struct buf *entry)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		if (send(logger.journal_fd, entry->p, entry->n, MSG_NOSIGNAL) >= 0)
			return true;
		/* journald was restarted: its socket has a new peer. A sandboxed worker may not
		 * connect. */
		if ((errno != ECONNREFUSED && errno != ENOTCONN) ||
		    journal_connect(logger.journal_fd) < 0)
			return false;
	}
	return false;
}

/* ---- the status page ---- */

/* The clock of this very moment: any thread may log. */
static void remember(const char *module, const char *msg, const struct kv *kv)
{
	struct last_error line = { .worker = logger.worker, .generation = logger.generation };
	struct timespec now;
	struct buf b;

	clock_gettime(CLOCK_REALTIME, &now);
	line.at = (unix_ns)now.tv_sec * 1000000000 + now.tv_nsec;
	snprintf(line.module, sizeof(line.module), "%s", module);
	buf_init_fixed(&b, line.text, sizeof(line.text) - 1);
	buf_escaped(&b, bytes_str(msg), VALUE_BYTES);
	logfmt_pairs(&b, kv);
	line.text[b.n] = '\0'; /* a pair that was tried and did not fit lies behind it */
	last_errors_add(logger.errors, &line);
}

void log_write(enum log_level level, const char *module, const char *msg, const struct kv *kv)
{
	char line[JOURNAL_BYTES];
	struct buf b;
	int saved = errno; /* a line between a failure and its report must not change it */
	ssize_t written;

	logger.lines[level]++;
	if (level == LOG_LEVEL_ERR && logger.errors)
		remember(module, msg, kv);
	if (logger.journal_fd >= 0) {
		buf_init_fixed(&b, line, JOURNAL_BYTES);
		journal_entry(&b, level, module, msg, kv);
		if (journal_send(&b))
			goto out;
	}
	buf_init_fixed(&b, line, LINE_BYTES);
	if (logger.format == LOG_FORMAT_JSON)
		json_line(&b, level, module, msg, kv);
	else
		logfmt_line(&b, level, module, msg, kv);
	do
		written = write(STDERR_FILENO, line, b.n); /* lost if stderr is: no one to tell */
	while (written < 0 && errno == EINTR);
out:
	errno = saved;
}

bool log_limited(struct log_limit *limit, uint32_t per_minute, msec_t now, uint32_t *held_back)
{
	if (!limit->seen || now - limit->since >= MINUTE_MS) {
		limit->since = now;
		limit->seen = 0;
	}
	if (limit->seen >= per_minute) {
		limit->held++;
		return false;
	}
	limit->seen++;
	*held_back = limit->held;
	limit->held = 0;
	return true;
}
