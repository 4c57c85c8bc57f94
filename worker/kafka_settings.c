/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_settings.c -- what librdkafka is told when a producer is made: the configuration's words
 * for brokers and security, and the settings that the promises rest on (faults.md 1). Nothing is
 * kept.
 */
#include "worker/kafka_settings.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>

#include "common/buf.h"
#include "worker/route.h"
#include "worker/worker.h"

enum {
	ANSWER_MS = 1500, /* the report comes so much before the client's deadline */
	TIMEOUT_LEAST_MS = 1001, /* reconnect.backoff.max.ms must be less (faults.md 1) */
	MESSAGE_MAX_LEAST = 1000, /* what librdkafka takes as message.max.bytes */
	MESSAGE_MAX_MOST = 1000000000,
	STATS_MS = 5000,
};

struct settings { /* sticky: the first refusal stays */
	rd_kafka_conf_t *conf;
	bool failed;
	struct err *err;
};

static void set(struct settings *s, const char *name, const char *value)
{
	char why[256];

	if (s->failed ||
	    rd_kafka_conf_set(s->conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return;
	s->failed = true;
	err_set(s->err, "kafka: %s", why); /* names the property, and never a secret's value */
}

/* Known to some versions only. */
static void set_if_known(struct settings *s, const char *name, const char *value)
{
	char why[256];

	if (!s->failed)
		rd_kafka_conf_set(s->conf, name, value, why, sizeof(why));
}

static void set_u64(struct settings *s, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	set(s, name, text);
}

/* The contents of a file that the master read; a secret does not stay on the heap. */
static void set_content(struct settings *s, const char *name, const struct conf_file *file,
                        bool is_line)
{
	struct bytes content = file->content;
	char *text;

	if (content.n == 0)
		return;
	if (is_line)
		while (content.n &&
		       (content.p[content.n - 1] == '\n' || content.p[content.n - 1] == '\r'))
			content.n--;
	text = xstrndup((const char *)content.p, content.n);
	set(s, name, text);
	explicit_bzero(text, content.n);
	free(text);
}

static void set_security(struct settings *s, const struct conf *conf)
{
	bool tls = conf->kafka.tls.enabled, sasl = conf->kafka.sasl.mechanism[0];

	set(s, "security.protocol",
	    tls ? (sasl ? "sasl_ssl" : "ssl") : (sasl ? "sasl_plaintext" : "plaintext"));
	if (tls) {
		set_content(s, "ssl.ca.pem", &conf->kafka.tls.ca_file, false);
		set_content(s, "ssl.certificate.pem", &conf->kafka.tls.cert_file, false);
		set_content(s, "ssl.key.pem", &conf->kafka.tls.key_file, false);
	}
	if (sasl) {
		set(s, "sasl.mechanisms", conf->kafka.sasl.mechanism);
		set(s, "sasl.username", conf->kafka.sasl.username);
		set_content(s, "sasl.password", &conf->kafka.sasl.password_file, true);
	}
}

static void set_brokers(struct settings *s, const struct conf *conf)
{
	struct buf list;

	buf_init(&list, MIB);
	for (size_t i = 0; i < conf->kafka.brokers.n; i++) {
		buf_str(&list, i ? "," : "");
		buf_str(&list, conf->kafka.brokers.v[i]);
	}
	buf_char(&list, '\0');
	set(s, "bootstrap.servers", list.p);
	buf_done(&list);
}

static const char *compression_name(enum compression c)
{
	switch (c) {
	case COMPRESSION_LZ4:
		return "lz4";
	case COMPRESSION_NONE:
		return "none";
	case COMPRESSION_ZSTD:
		return "zstd";
	case COMPRESSION_GZIP:
		return "gzip";
	case COMPRESSION_SNAPPY:
		return "snappy";
	}
	assert(!"not a compression");
	return "none";
}

static uint64_t largest_record(const struct worker *w)
{
	uint64_t most = MESSAGE_MAX_LEAST;

	for (unsigned i = 0; routes_name(w->routes, i); i++) {
		if (routes_get(w->routes, i)->record_max > most)
			most = routes_get(w->routes, i)->record_max;
	}
	return most < MESSAGE_MAX_MOST ? most : MESSAGE_MAX_MOST;
}

uint64_t kafka_batch_bytes(const struct worker *w)
{
	uint64_t most = largest_record(w);

	return w->conf->kafka.batch_bytes < most ? w->conf->kafka.batch_bytes : most;
}

msec_t kafka_message_timeout(const struct conf *conf)
{
	msec_t t = conf->kafka.ack_deadline - ANSWER_MS;

	return t > TIMEOUT_LEAST_MS ? t : TIMEOUT_LEAST_MS;
}

/* Promises rest on most of these; kafka.properties come last, the check refuses those by name. */
int kafka_settings(struct worker *w, rd_kafka_conf_t *rk_conf, struct err *err)
{
	const struct conf *conf = w->conf;
	struct settings s = { .conf = rk_conf, .err = err };
	char linger[32];

	snprintf(linger, sizeof(linger), "%" PRIu64 ".%03" PRIu64, conf->kafka.linger_us / 1000,
	         conf->kafka.linger_us % 1000);
	set_brokers(&s, conf);
	set(&s, "client.id", conf->kafka.client_id);
	set(&s, "enable.idempotence", "true");
	set(&s, "acks", "all");
	/* With 5 a stalled broker makes a thread of the library spin. */
	set(&s, "max.in.flight", "4");
	set_u64(&s, "message.timeout.ms", (uint64_t)kafka_message_timeout(conf));
	set(&s, "linger.ms", linger);
	set_u64(&s, "batch.size", conf->kafka.batch_bytes);
	/* Bytes alone bound a batch: the gate knows no other bound. */
	set(&s, "batch.num.messages", "1000000");
	set(&s, "compression.codec", compression_name(conf->kafka.compression));
	set_u64(&s, "message.max.bytes", largest_record(w));
	/* Our budget is the bound (worker/budget.h): the library's counts values only. */
	set(&s, "queue.buffering.max.messages", "0");
	set(&s, "queue.buffering.max.kbytes", "2147483647");
	/* Else records without key would pass by our partitioner. */
	set(&s, "sticky.partitioning.linger.ms", "0");
	set(&s, "reconnect.backoff.max.ms", "1000");
	set(&s, "socket.nagle.disable", "true");
	set(&s, "socket.keepalive.enable", "true");
	set(&s, "allow.auto.create.topics", "false");
	set_u64(&s, "statistics.interval.ms", STATS_MS);
	set(&s, "log.queue", "true");
	set_u64(&s, "log_level", KAFKA_LOG_WARNING);
	set_if_known(&s, "enable.metrics.push", "false");
	set_security(&s, conf);
	for (size_t i = 0; i < conf->kafka.properties.n; i++)
		set(&s, conf->kafka.properties.v[i].key, conf->kafka.properties.v[i].value);
	rd_kafka_conf_set_events(rk_conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR |
	                                          RD_KAFKA_EVENT_STATS | RD_KAFKA_EVENT_LOG);
	w->conf_refused = s.failed;
	return s.failed ? -1 : 0;
}
