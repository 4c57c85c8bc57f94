/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/kafka_conf.h"
#include "worker/kafka_settings.c"

static struct conf conf;
static struct worker w = { .conf = &conf };

static void set_up(void)
{
	kafka_defaults(&conf);
}

TestSuite(kafka_settings, .init = set_up);

static rd_kafka_conf_t *filled(void)
{
	rd_kafka_conf_t *got = rd_kafka_conf_new();
	struct err err = { "" };

	cr_assert_eq(kafka_settings(&w, got, &err), 0, "%s", err.text);
	return got;
}

static void setting_is(const rd_kafka_conf_t *got, const char *name, const char *value)
{
	char text[4096];
	size_t n = sizeof(text);

	cr_assert_eq(rd_kafka_conf_get(got, name, text, &n), RD_KAFKA_CONF_OK, "%s", name);
	cr_assert_str_eq(text, value, "%s is %s", name, text);
}

Test(kafka_settings, promises_rest_on_these)
{
	rd_kafka_conf_t *got = filled();

	setting_is(got, "bootstrap.servers", "127.0.0.1:1,127.0.0.1:2");
	setting_is(got, "enable.idempotence", "true");
	setting_is(got, "acks", "-1");
	setting_is(got, "max.in.flight", "4");
	setting_is(got, "message.timeout.ms", "6500");
	setting_is(got, "linger.ms", "1.5");
	setting_is(got, "batch.size", "1000000");
	setting_is(got, "compression.codec", "lz4");
	setting_is(got, "message.max.bytes", "983040");
	setting_is(got, "queue.buffering.max.messages", "0");
	setting_is(got, "sticky.partitioning.linger.ms", "0");
	setting_is(got, "reconnect.backoff.max.ms", "1000");
	setting_is(got, "socket.nagle.disable", "true");
	setting_is(got, "socket.keepalive.enable", "true");
	setting_is(got, "allow.auto.create.topics", "false");
	setting_is(got, "statistics.interval.ms", "5000");
	setting_is(got, "security.protocol", "plaintext");
	rd_kafka_conf_destroy(got);
}

Test(kafka_settings, the_timeout_stays_above_the_reconnect_back_off)
{
	rd_kafka_conf_t *got;

	conf.kafka.ack_deadline = 2000;
	got = filled();
	setting_is(got, "message.timeout.ms", "1001");
	rd_kafka_conf_destroy(got);
}

Test(kafka_settings, message_max_bytes_stays_within_what_the_library_takes)
{
	rd_kafka_conf_t *got;

	route.record_max = 5000000000;
	got = filled();
	setting_is(got, "message.max.bytes", "1000000000");
	rd_kafka_conf_destroy(got);
}

Test(kafka_settings, further_properties_come_last)
{
	struct conf_pair pairs[] = { { "retry.backoff.ms", "50" }, { "client.rack", "r1" } };
	rd_kafka_conf_t *got;

	conf.kafka.properties.v = pairs;
	conf.kafka.properties.n = 2;
	got = filled();
	cr_assert_not(w.conf_refused);
	setting_is(got, "retry.backoff.ms", "50");
	setting_is(got, "client.rack", "r1");
	rd_kafka_conf_destroy(got);
}

Test(kafka_settings, a_property_that_the_library_does_not_know_is_named)
{
	struct conf_pair pairs[] = { { "no.such.thing", "1" } };
	rd_kafka_conf_t *got = rd_kafka_conf_new();
	struct err err = { "" };

	conf.kafka.properties.v = pairs;
	conf.kafka.properties.n = 1;
	cr_assert_eq(kafka_settings(&w, got, &err), -1);
	cr_assert(strstr(err.text, "no.such.thing"), "%s", err.text);
	cr_assert(w.conf_refused, "no other process would do better");
	rd_kafka_conf_destroy(got);
}

Test(kafka_settings, certificates_and_password_are_contents_never_paths)
{
	rd_kafka_conf_t *got;

	conf.kafka.tls.enabled = true;
	conf.kafka.tls.ca_file = (struct conf_file){ "/ca", BYTES("CA text\n") };
	conf.kafka.tls.cert_file = (struct conf_file){ "/cert", BYTES("certificate text") };
	conf.kafka.sasl.mechanism = "PLAIN";
	conf.kafka.sasl.username = "alice";
	conf.kafka.sasl.password_file = (struct conf_file){ "/password", BYTES("s3cret\n") };
	got = filled();
	setting_is(got, "security.protocol", "sasl_ssl");
	setting_is(got, "ssl.ca.pem", "CA text\n");
	setting_is(got, "ssl.certificate.pem", "certificate text");
	setting_is(got, "sasl.mechanisms", "PLAIN");
	setting_is(got, "sasl.username", "alice");
	setting_is(got, "sasl.password", "s3cret"); /* without the line's end */
	rd_kafka_conf_destroy(got);
	conf.kafka.tls.enabled = false;
	got = filled();
	setting_is(got, "security.protocol", "sasl_plaintext");
	rd_kafka_conf_destroy(got);
}
