/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check_kafka.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(check_kafka, .init = folder_new, .fini = folder_free);

Test(check_kafka, the_kafka_sink_needs_brokers)
{
	cr_assert_null(load_text("sink: kafka\n"));
	cr_assert_eq(report.errors, 1, "%s", got);
	ASSERT_SAID("headgate.yaml:1:7: error: kafka needs 'kafka.brokers'\n");
	ASSERT_LOADS("sink: kafka\nkafka: {brokers: [a]}\n");
}

Test(check_kafka, the_spool_has_a_folder_of_its_own_and_kafka_to_send_to)
{
	ASSERT_LOADS("sink: kafka\nkafka: {brokers: [a]}\nspool: {enabled: true}\n");
	ASSERT_ONE_ERROR("spool: {dir: here}\n", "'spool.dir' is an absolute path\n");
	ASSERT_ONE_ERROR("spool: {dir: /a}\nlocal: {dir: /a}\n",
	                 "'spool.dir' and 'local.dir' are one folder");
	ASSERT_LOADS("sink: discard\nspool: {enabled: true}\n");
	ASSERT_SAID("'spool.enabled' does nothing without 'sink: kafka'\n");
}

Test(check_kafka, brokers_are_host_and_port)
{
	static const char *const bad[] = { ":9092", "a:", "a:x", "a:0", "a:65536", "::1", "a:1:2" };
	static const char *const good[] = { "a",          "a:9092", "10.0.0.1:1",
		                            "[::1]:9092", "[::1]",  "a-b.c_d:1" };
	char text[100];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "kafka: {brokers: [\"%s\"]}\n", bad[i]);
		ASSERT_ONE_ERROR(text, "' is no HOST:PORT\n");
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), "kafka: {brokers: [\"%s\"]}\n", good[i]);
		ASSERT_LOADS_WITH_SINK(text);
	}
}

static const char *sasl(const char *mechanism)
{
	static char text[400];

	put_mode("pw", "geheim\n", 0600);
	snprintf(text, sizeof(text),
	         "kafka: {tls: {enabled: true}, sasl: {mechanism: %s, username: u, password_file: "
	         "%s}}\n",
	         mechanism, file_path("pw"));
	return text;
}

Test(check_kafka, mechanisms_are_known_and_whole)
{
	ASSERT_LOADS_WITH_SINK(sasl("PLAIN"));
	ASSERT_LOADS_WITH_SINK(sasl("SCRAM-SHA-256"));
	ASSERT_LOADS_WITH_SINK(sasl("SCRAM-SHA-512"));
	ASSERT_ONE_ERROR(sasl("GSSAPI"), "'GSSAPI' is no mechanism known here\n");
	ASSERT_ONE_ERROR(sasl("OAUTHBEARER"), "'OAUTHBEARER' is no mechanism known here\n");
	ASSERT_SAID("OAUTHBEARER goes by kafka.properties\n");
	ASSERT_ONE_ERROR("kafka: {sasl: {mechanism: PLAIN}}\n",
	                 "PLAIN needs 'username' and 'password_file'\n");
	ASSERT_ONE_ERROR("kafka: {sasl: {username: u}}\n", "'kafka.sasl.mechanism' is missing\n");
}

Test(check_kafka, a_password_in_clear_is_told)
{
	char text[400];

	put_mode("pw", "geheim\n", 0600);
	snprintf(text, sizeof(text),
	         "kafka: {sasl: {mechanism: PLAIN, username: u, password_file: %s}}\n",
	         file_path("pw"));
	ASSERT_LOADS_WITH_SINK(text);
	ASSERT_SAID("warning: PLAIN without 'kafka.tls' sends the password in clear\n");
}

Test(check_kafka, tls_files_come_in_pairs_and_are_used)
{
	char text[400];

	put("c", "CERT");
	snprintf(text, sizeof(text), "kafka: {tls: {enabled: true, cert_file: %s}}\n",
	         file_path("c"));
	ASSERT_ONE_ERROR(text, "'kafka.tls' has a cert_file but no key_file\n");
	snprintf(text, sizeof(text), "kafka: {tls: {ca_file: %s}}\n", file_path("c"));
	ASSERT_LOADS_WITH_SINK(text);
	ASSERT_SAID("warning: 'kafka.tls' has files but is not enabled\n");
}

Test(check_kafka, properties_that_promises_rest_on_are_refused_by_name)
{
	static const char *const names[] = {
		"acks",
		"request.required.acks",
		"enable.idempotence",
		"max.in.flight",
		"max.in.flight.requests.per.connection",
		"message.timeout.ms",
		"delivery.timeout.ms",
		"retries",
		"message.send.max.retries",
		"linger.ms",
		"queue.buffering.max.ms",
		"batch.size",
		"partitioner",
		"dr_cb",
		"dr_msg_cb",
		"message.max.bytes",
		"allow.auto.create.topics",
		"sticky.partitioning.linger.ms",
		"transactional.id",
		"socket.nagle.disable",
		"reconnect.backoff.max.ms",
		"statistics.interval.ms",
		"compression.codec",
		"compression.type",
		"bootstrap.servers",
		"metadata.broker.list",
		"security.protocol",
		"sasl.username",
		"sasl.password",
		"enable.metrics.push",
		"ssl.ca.location",
		"ssl.ca.pem",
		"ssl.certificate.location",
		"ssl.key.location",
		"ssl.keystore.location",
		"ssl.crl.location",
		"ssl.endpoint.identification.algorithm",
		"enable.ssl.certificate.verification",
		"test.mock.num.brokers",
		"plugin.library.paths",
		"log_level",
		"client.id",
		"topic.metadata.refresh.interval.ms",
		"enabled_events",
	};
	char text[200], said[200];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(text, sizeof(text), "kafka:\n  properties:\n    %s: hunter2\n", names[i]);
		snprintf(said, sizeof(said),
		         "headgate.yaml:4:%zu: error: '%s' cannot be set: ", strlen(names[i]) + 7,
		         names[i]);
		ASSERT_ONE_ERROR(text, said);
		ASSERT_NOT_SAID("hunter2");
	}
}

Test(check_kafka, other_properties_pass)
{
	ASSERT_LOADS_WITH_SINK(
		"kafka: {properties: {retry.backoff.ms: 50, debug: broker, socket.timeout.ms: "
		"1000, "
		"ssl.key.password: x, ssl.cipher.suites: y, compression.level: 3}}\n");
	cr_assert_eq(conf->kafka.properties.n, 6);
	ASSERT_ONE_ERROR("kafka: {properties: {Acks: 1}}\n", "'Acks' is no librdkafka property\n");
	ASSERT_ONE_ERROR("kafka: {properties: {\"\": 1}}\n", "'' is no librdkafka property\n");
}

Test(check_kafka, oauthbearer_goes_by_properties_alone)
{
	char text[600];

	ASSERT_LOADS_WITH_SINK("kafka: {properties: {sasl.mechanisms: OAUTHBEARER, "
	                       "sasl.oauthbearer.config: x}}\n");
	ASSERT_ONE_ERROR("kafka: {properties: {sasl.mechanisms: PLAIN}}\n",
	                 "only OAUTHBEARER stands here\n");
	ASSERT_ONE_ERROR("kafka: {properties: {sasl.mechanism: GSSAPI}}\n",
	                 "only OAUTHBEARER stands here\n");
	snprintf(text, sizeof(text), "%s", sasl("PLAIN"));
	strcpy(strrchr(text, '}'), ", properties: {sasl.mechanism: OAUTHBEARER}}\n");
	ASSERT_ONE_ERROR(text, "the option is kafka.sasl.mechanism");
}
