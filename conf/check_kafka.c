/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_kafka.c -- sink, brokers and login; and the librdkafka properties that nobody may
 * set, since a promise rests on each of them.
 */
#include "conf/load.h"

static void check_sink(struct loader *l)
{
	const struct conf *c = l->conf;

	if (*c->local.dir != '/')
		ERROR_AT(l, "local.dir", "'local.dir' is an absolute path");
	if (*c->spool.dir != '/')
		ERROR_AT(l, "spool.dir", "'spool.dir' is an absolute path");
	if (strcmp(c->spool.dir, c->local.dir) == 0)
		ERROR_AT(l, "spool.dir",
		         "'spool.dir' and 'local.dir' are one folder: what is in the "
		         "spool goes to Kafka");
	if (c->spool.enabled && c->sink != SINK_KAFKA)
		WARN_AT(l, "spool.enabled", "'spool.enabled' does nothing without 'sink: kafka'");
	if (c->sink == SINK_DISCARD)
		WARN_AT(l, "sink", "'sink: discard' stores nothing: what is accepted is lost");
	if (c->sink == SINK_KAFKA && !c->kafka.brokers.n &&
	    !origin_find(l->origins, "kafka.brokers[0]") && !l->unread)
		ERROR_AT(l, "sink", "kafka needs 'kafka.brokers'");
}

static void check_brokers(struct loader *l)
{
	const struct conf_list *brokers = &l->conf->kafka.brokers;

	for (size_t i = 0; i < brokers->n; i++) {
		const char *path = path_text(l, "kafka.brokers[%zu]", i);
		const char *broker = brokers->v[i], *colon = strrchr(broker, ':');
		const char *bracket = strrchr(broker, ']');
		uint64_t port = 9092; /* librdkafka's default */
		bool has_port = colon && (!bracket || colon > bracket);
		size_t host = has_port ? (size_t)(colon - broker) : strlen(broker);

		if (has_port && (!bytes_to_u64(bytes_str(colon + 1), UINT16_MAX, &port) || !port))
			host = 0;
		if (!host || (!bracket && memchr(broker, ':', host)))
			ERROR_AT(l, path, "'%s' is no HOST:PORT", written(l, path, broker));
	}
}

static void check_sasl(struct loader *l)
{
	static const char *const known[] = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" };
	const char *mechanism = l->conf->kafka.sasl.mechanism;
	const struct conf_file *password = &l->conf->kafka.sasl.password_file;
	bool user = *l->conf->kafka.sasl.username;
	bool file = *password->path || password->content.n; /* the latter from the environment */
	bool ok = !*mechanism;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		ok = ok || strcmp(mechanism, known[i]) == 0;
	if (!ok) {
		ERROR_AT(l, "kafka.sasl.mechanism", "'%s' is no mechanism known here",
		         written(l, "kafka.sasl.mechanism", mechanism));
		report_help(l->r, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; OAUTHBEARER goes by "
		                  "kafka.properties");
	} else if (*mechanism && !(user && file)) {
		ERROR_AT(l, "kafka.sasl.mechanism", "%s needs 'username' and 'password_file'",
		         mechanism);
	} else if (!*mechanism && (user || file)) {
		ERROR_AT(l, user ? "kafka.sasl.username" : "kafka.sasl.password_file",
		         "'kafka.sasl.mechanism' is missing");
	} else if (strcmp(mechanism, "PLAIN") == 0 && !l->conf->kafka.tls.enabled) {
		WARN_AT(l, "kafka.sasl.mechanism",
		        "PLAIN without 'kafka.tls' sends the password in clear");
	}
}

static void check_kafka_tls(struct loader *l)
{
	const struct conf *c = l->conf;
	bool cert = *c->kafka.tls.cert_file.path, key = *c->kafka.tls.key_file.path;

	if (cert != key)
		ERROR_AT(l, cert ? "kafka.tls.cert_file" : "kafka.tls.key_file",
		         "'kafka.tls' has a %s but no %s", cert ? "cert_file" : "key_file",
		         cert ? "key_file" : "cert_file");
	if (!c->kafka.tls.enabled && (cert || key || *c->kafka.tls.ca_file.path))
		WARN_AT(l, "kafka.tls", "'kafka.tls' has files but is not enabled");
}

/* Why a property is not for the configuration to set. Names end in `*` for all that begin so. */
static const struct {
	const char *name, *why;
} refused[] = {
#define OURS "headgate sets it: its promises rest on it"
#define OPTION_IS(o) "the option is " o
	{ "acks", OURS },
	{ "allow.auto.create.topics", OURS },
	{ "background_event_cb", OURS },
	{ "batch.num.messages", OPTION_IS("kafka.batch_bytes") },
	{ "batch.size", OPTION_IS("kafka.batch_bytes") },
	{ "bootstrap.servers", OPTION_IS("kafka.brokers") },
	{ "builtin.features", OURS },
	{ "client.id", OPTION_IS("kafka.client_id") },
	{ "compression.codec", OPTION_IS("kafka.compression") },
	{ "compression.type", OPTION_IS("kafka.compression") },
	{ "default_topic_conf", OURS },
	{ "delivery.report.only.error", OURS },
	{ "delivery.timeout.ms", OPTION_IS("kafka.ack_deadline") },
	{ "dr_cb", OURS },
	{ "dr_msg_cb", OURS },
	{ "enable.gapless.guarantee", OURS },
	{ "enable.idempotence", OURS },
	{ "enable.metrics.push", OURS },
	{ "enable.ssl.certificate.verification", "brokers are always verified" },
	{ "enabled_events", OURS },
	{ "error_cb", OURS },
	{ "interceptors", OURS },
	{ "linger.ms", OPTION_IS("kafka.linger") },
	{ "log.queue", OURS },
	{ "log_cb", OURS },
	{ "log_level", OPTION_IS("log.level") },
	{ "max.in.flight", OURS },
	{ "max.in.flight.requests.per.connection", OURS },
	{ "message.copy.max.bytes", OURS },
	{ "message.max.bytes", OPTION_IS("record.max_bytes") },
	{ "message.send.max.retries", OURS },
	{ "message.timeout.ms", OPTION_IS("kafka.ack_deadline") },
	{ "metadata.broker.list", OPTION_IS("kafka.brokers") },
	{ "msg_order_cmp", OURS },
	{ "oauthbearer_token_refresh_cb", OURS },
	{ "opaque", OURS },
	{ "partitioner", OPTION_IS("record.partition") },
	{ "partitioner_cb", OPTION_IS("record.partition") },
	{ "plugin.library.paths", "no foreign code is loaded" },
	{ "queue.buffering.max.kbytes", OPTION_IS("limits.worker_bytes") },
	{ "queue.buffering.max.messages", OPTION_IS("limits.worker_bytes") },
	{ "queue.buffering.max.ms", OPTION_IS("kafka.linger") },
	{ "queuing.strategy", OURS },
	{ "reconnect.backoff.max.ms", OURS },
	{ "reconnect.backoff.ms", OURS },
	{ "request.required.acks", OURS },
	{ "retries", OURS },
	{ "sasl.password", OPTION_IS("kafka.sasl.password_file") },
	{ "sasl.username", OPTION_IS("kafka.sasl.username") },
	{ "security.protocol", OPTION_IS("kafka.tls.enabled") },
	{ "socket.keepalive.enable", OURS },
	{ "socket.nagle.disable", OURS },
	{ "socket_cb", OURS },
	{ "ssl.ca.*", OPTION_IS("kafka.tls.ca_file") },
	{ "ssl.certificate.*", OPTION_IS("kafka.tls.cert_file") },
	{ "ssl.endpoint.identification.algorithm", "brokers are always verified" },
	{ "ssl.engine.*", "no foreign code is loaded" },
	{ "ssl.key.location", OPTION_IS("kafka.tls.key_file") },
	{ "ssl.key.pem", OPTION_IS("kafka.tls.key_file") },
	{ "ssl.keystore.*", OPTION_IS("kafka.tls.key_file") },
	{ "ssl.providers", "no foreign code is loaded" },
	{ "ssl_*", OPTION_IS("kafka.tls") },
	{ "statistics.interval.ms", OURS },
	{ "stats_cb", OURS },
	{ "sticky.partitioning.linger.ms", OURS },
	{ "test.*", "it makes brokers that store nothing" },
	{ "topic.metadata.refresh.interval.ms", OPTION_IS("kafka.metadata_refresh") },
	{ "transaction.timeout.ms", OURS },
	{ "transactional.id", OURS },
};

static bool is_named(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	return pattern[n - 1] == '*' ? strncmp(pattern, name, n - 1) == 0
	                             : strcmp(pattern, name) == 0;
}

static const char *why_refused(const struct loader *l, const struct conf_pair *p)
{
	size_t n = strlen(p->key);

	if (strcmp(p->key, "sasl.mechanism") == 0 || strcmp(p->key, "sasl.mechanisms") == 0) {
		if (*l->conf->kafka.sasl.mechanism || strcmp(p->value, "OAUTHBEARER") != 0)
			return "the option is kafka.sasl.mechanism; only OAUTHBEARER stands here";
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (is_named(refused[i].name, p->key))
			return refused[i].why;
	if (n > 9 && strcmp(p->key + n - 9, ".location") == 0)
		return "a worker opens no file";
	return NULL;
}

static void check_properties(struct loader *l)
{
	const struct conf_pairs *pairs = &l->conf->kafka.properties;

	for (size_t i = 0; i < pairs->n; i++) {
		const char *key = pairs->v[i].key, *why = why_refused(l, &pairs->v[i]);
		const char *path = path_text(l, "kafka.properties.%s", key);

		if (!*key || strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._") != strlen(key))
			ERROR_AT(l, path, "'%s' is no librdkafka property", key);
		else if (why)
			ERROR_AT(l, path, "'%s' cannot be set: %s", key, why);
	}
}

void check_kafka(struct loader *l)
{
	check_sink(l);
	check_brokers(l);
	check_kafka_tls(l);
	check_sasl(l);
	check_properties(l);
}
