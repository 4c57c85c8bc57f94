/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topic.c -- a test's eye and hand on Kafka: reads a topic back byte for byte, and makes, changes,
 * bars and deletes topics. Called by tests/way/lib.sh, the load checks and the benches. It must not
 * guess: what it cannot read whole is an error and a non-zero exit, never a shorter answer.
 */
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	META_TIMEOUT_MS = 10000, /* the brokers' answer to a question about topics */
	ADMIN_TIMEOUT_MS = 10000, /* an admin request */
	STALL_MS = 10000, /* reading: no record for so long is a failure */
	SEEN_MS = 20000, /* what the controller has said the broker must know by then */
	LOOK_MS = 20,
	POLL_MS = 100,
	OUT_BUFFER = 1 << 20,
};

static const char usage_text[] =
	"usage: topic VERB BROKERS [TOPIC] ...\n"
	"  read TOPIC    a JSON line for each record: partition, offset, timestamp (ms), key,\n"
	"                headers [[name, value], ...], value; bytes in hex, null for none\n"
	"  count TOPIC   how many records there are\n"
	"  list          the names of all topics\n"
	"  create TOPIC PARTITIONS [CONFIG=VALUE]...\n"
	"  config TOPIC [CONFIG=VALUE]...   all others go back to the broker's default\n"
	"  delete TOPIC\n"
	"  deny TOPIC    nobody may write to it (a broker started with acl)\n"
	"  allow TOPIC   all rules of that topic are removed\n";

static _Noreturn __attribute__((format(printf, 1, 2))) void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("topic: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char reason[256];

	if (rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)) != RD_KAFKA_CONF_OK)
		die("%s", reason);
}

static rd_kafka_t *client_new(rd_kafka_type_t type, const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char reason[256];
	rd_kafka_t *client;

	set(conf, "bootstrap.servers", brokers);
	set(conf, "client.id", "topic");
	set(conf, "log_level", "3");
	if (type == RD_KAFKA_CONSUMER) {
		/* Else each read to the end takes 0.5 s more. */
		set(conf, "fetch.wait.max.ms", "10");
		set(conf, "fetch.error.backoff.ms", "10");
		set(conf, "receive.message.max.bytes", "300000000");
		set(conf, "check.crcs", "true");
		set(conf, "enable.partition.eof", "true");
	}
	client = rd_kafka_new(type, conf, reason, sizeof(reason));
	if (!client)
		die("no client: %s", reason);
	return client;
}

/* Of one topic, or of all with topic NULL. The caller destroys it. */
static const rd_kafka_metadata_t *metadata_get(rd_kafka_t *client, rd_kafka_topic_t *topic)
{
	const rd_kafka_metadata_t *meta;
	rd_kafka_resp_err_t failed =
		rd_kafka_metadata(client, topic == NULL, topic, &meta, META_TIMEOUT_MS);

	if (failed)
		die("no metadata: %s", rd_kafka_err2str(failed));
	return meta;
}

static int partition_count(rd_kafka_t *client, rd_kafka_topic_t *topic)
{
	const rd_kafka_metadata_t *meta = metadata_get(client, topic);
	int count;

	if (meta->topic_cnt != 1 || meta->topics[0].err)
		die("%s: %s", rd_kafka_topic_name(topic),
		    rd_kafka_err2str(meta->topic_cnt == 1
		                             ? meta->topics[0].err
		                             : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART));
	count = meta->topics[0].partition_cnt;
	rd_kafka_metadata_destroy(meta);
	return count;
}

static void watermarks(rd_kafka_t *client, const char *name, int partition, int64_t *low,
                       int64_t *high)
{
	rd_kafka_resp_err_t failed = rd_kafka_query_watermark_offsets(client, name, partition, low,
	                                                              high, META_TIMEOUT_MS);

	if (failed)
		die("%s [%d]: no watermarks: %s", name, partition, rd_kafka_err2str(failed));
}

static void put_hex(const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = bytes;
	char out[4096];
	size_t at = 0;

	if (!bytes) {
		fputs("null", stdout);
		return;
	}
	putchar('"');
	for (size_t i = 0; i < len; i++) {
		out[at++] = digits[from[i] >> 4];
		out[at++] = digits[from[i] & 15];
		if (at == sizeof(out)) {
			fwrite(out, 1, at, stdout);
			at = 0;
		}
	}
	fwrite(out, 1, at, stdout);
	putchar('"');
}

/* A header's name is bytes too: what is not plain ASCII is shown as the code point of the byte. */
static void put_name(const char *name)
{
	putchar('"');
	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		if (*c < 0x20 || *c > 0x7e || *c == '"' || *c == '\\')
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}

static void put_record(const rd_kafka_message_t *record)
{
	rd_kafka_timestamp_type_t type;
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t len;

	printf("{\"partition\":%d,\"offset\":%lld,\"timestamp\":%lld,\"key\":",
	       (int)record->partition, (long long)record->offset,
	       (long long)rd_kafka_message_timestamp(record, &type));
	put_hex(record->key, record->key_len);
	fputs(",\"headers\":[", stdout);
	if (rd_kafka_message_headers(record, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++) {
			fputs(i ? ",[" : "[", stdout);
			put_name(name);
			putchar(',');
			put_hex(value, len);
			putchar(']');
		}
	}
	fputs("],\"value\":", stdout);
	put_hex(record->payload, record->len);
	fputs("}\n", stdout);
}

/* The plain consumer: a group would make the broker create its offsets topic. */
static void do_read(const char *brokers, const char *name)
{
	rd_kafka_t *client = client_new(RD_KAFKA_CONSUMER, brokers);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	int count = partition_count(client, topic), left = 0, idle_ms = 0;
	int64_t *high = calloc((size_t)count, sizeof(*high)); /* 0: nothing more is wanted of it */

	if (!high)
		die("no memory");
	for (int p = 0; p < count; p++) {
		int64_t low;

		watermarks(client, name, p, &low, &high[p]);
		if (low == high[p]) {
			high[p] = 0;
			continue;
		}
		if (rd_kafka_consume_start_queue(topic, p, low, queue) < 0)
			die("%s [%d]: %s", name, p, rd_kafka_err2str(rd_kafka_last_error()));
		left++;
	}
	while (left) {
		rd_kafka_message_t *record = rd_kafka_consume_queue(queue, POLL_MS);
		bool done;

		if (!record) {
			idle_ms += POLL_MS;
			if (idle_ms >= STALL_MS)
				die("%s: no record for %d ms, %d partitions unfinished", name,
				    STALL_MS, left);
			continue;
		}
		idle_ms = 0;
		if (record->err && record->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
			die("%s [%d]: %s", name, (int)record->partition,
			    rd_kafka_message_errstr(record));
		/* What came after the question for the watermark is not asked for. */
		if (!record->err && record->offset < high[record->partition])
			put_record(record);
		done = record->err || record->offset + 1 >= high[record->partition];
		if (done && high[record->partition]) {
			high[record->partition] = 0;
			left--;
		}
		rd_kafka_message_destroy(record);
	}
	free(high);
	rd_kafka_queue_destroy(queue);
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(client);
}

static void do_count(const char *brokers, const char *name)
{
	rd_kafka_t *client = client_new(RD_KAFKA_CONSUMER, brokers);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
	int count = partition_count(client, topic);
	int64_t sum = 0;

	for (int p = 0; p < count; p++) {
		int64_t low, high;

		watermarks(client, name, p, &low, &high);
		sum += high - low;
	}
	printf("%lld\n", (long long)sum);
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(client);
}

static void do_list(const char *brokers)
{
	rd_kafka_t *client = client_new(RD_KAFKA_PRODUCER, brokers);
	const rd_kafka_metadata_t *meta = metadata_get(client, NULL);

	for (int i = 0; i < meta->topic_cnt; i++)
		puts(meta->topics[i].topic);
	rd_kafka_metadata_destroy(meta);
	rd_kafka_destroy(client);
}

/* Waits for the answer of an admin request and dies of its error; the caller destroys it. */
static rd_kafka_event_t *answer(rd_kafka_queue_t *queue)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS + 1000);

	if (!event)
		die("no answer within %d ms", ADMIN_TIMEOUT_MS + 1000);
	if (rd_kafka_event_error(event))
		die("%s", rd_kafka_event_error_string(event));
	return event;
}

static void topic_results(const rd_kafka_topic_result_t **results, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (rd_kafka_topic_result_error(results[i]))
			die("%s: %s", rd_kafka_topic_result_name(results[i]),
			    rd_kafka_topic_result_error_string(results[i]));
	}
}

/*
 * A request is answered when the controller has noted it; the broker, which clients ask, hears of
 * it a little later. So each change is waited for there: whoever comes next shall find it.
 */
struct wanted {
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
	const char *topic;
	int partitions; /* 0: no such topic */
	char **settings; /* name, NUL, value */
	size_t rules;
};

static void until(bool (*is_so)(const struct wanted *w), const struct wanted *w)
{
	for (int ms = 0; !is_so(w); ms += LOOK_MS) {
		if (ms >= SEEN_MS)
			die("%s: the broker does not hear of it", w->topic);
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
	}
}

/* Of all topics: a question about one might make it. */
static bool has_partitions(const struct wanted *w)
{
	const rd_kafka_metadata_t *meta = metadata_get(w->client, NULL);
	int count = 0;

	for (int i = 0; i < meta->topic_cnt; i++) {
		const rd_kafka_metadata_topic_t *t = &meta->topics[i];

		if (strcmp(t->topic, w->topic) != 0)
			continue;
		for (int p = 0; p < t->partition_cnt; p++)
			count += !t->partitions[p].err && t->partitions[p].leader >= 0;
		if (!w->partitions)
			count = 1;
	}
	rd_kafka_metadata_destroy(meta);
	return count == w->partitions;
}

/* Cuts "name=value" in two; the name is in the caller's own argument. */
static const char *cut(char *setting)
{
	char *equals = strchr(setting, '=');

	if (!equals || equals == setting)
		die("not CONFIG=VALUE: %s", setting);
	*equals = '\0';
	return equals + 1;
}

static void do_create(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *name,
                      const char *partitions, char **settings)
{
	char reason[256];
	rd_kafka_NewTopic_t *topic =
		rd_kafka_NewTopic_new(name, atoi(partitions), 1, reason, sizeof(reason));
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **results;
	size_t count;

	if (!topic)
		die("%s: %s", name, reason);
	for (; *settings; settings++) {
		const char *value = cut(*settings);

		if (rd_kafka_NewTopic_set_config(topic, *settings, value))
			die("%s=%s refused", *settings, value);
	}
	rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
	event = answer(queue);
	results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event),
	                                              &count);
	topic_results(results, count);
	rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(topic);
	until(has_partitions,
	      &(struct wanted){ .client = client, .topic = name, .partitions = atoi(partitions) });
}

static void do_delete(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *name)
{
	rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **results;
	size_t count;

	rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
	event = answer(queue);
	results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event),
	                                              &count);
	topic_results(results, count);
	rd_kafka_event_destroy(event);
	rd_kafka_DeleteTopic_destroy(topic);
	until(has_partitions, &(struct wanted){ .client = client, .topic = name });
}

static bool has_settings(const struct wanted *w)
{
	rd_kafka_ConfigResource_t *topic =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, w->topic);
	rd_kafka_event_t *event;
	const rd_kafka_ConfigResource_t **resources;
	const rd_kafka_ConfigEntry_t **entries;
	size_t count, wanted = 0, found = 0, changed = 0;

	rd_kafka_DescribeConfigs(w->client, &topic, 1, NULL, w->queue);
	event = answer(w->queue);
	resources = rd_kafka_DescribeConfigs_result_resources(
		rd_kafka_event_DescribeConfigs_result(event), &count);
	if (count != 1 || rd_kafka_ConfigResource_error(resources[0]))
		die("%s: its settings can't be read", w->topic);
	entries = rd_kafka_ConfigResource_configs(resources[0], &count);
	for (size_t i = 0; i < count; i++)
		changed += rd_kafka_ConfigEntry_source(entries[i]) ==
		           RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
	for (char **s = w->settings; *s; s++, wanted++)
		for (size_t i = 0; i < count; i++) {
			const char *value = rd_kafka_ConfigEntry_value(entries[i]);

			found += !strcmp(rd_kafka_ConfigEntry_name(entries[i]), *s) && value &&
			         !strcmp(value, *s + strlen(*s) + 1);
		}
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(topic);
	return found == wanted && changed == wanted;
}

static void do_config(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *name,
                      char **settings)
{
	rd_kafka_ConfigResource_t *topic =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
	rd_kafka_event_t *event;
	const rd_kafka_ConfigResource_t **results;
	size_t count;

	for (char **s = settings; *s; s++) {
		const char *value = cut(*s);

		if (rd_kafka_ConfigResource_set_config(topic, *s, value))
			die("%s=%s refused", *s, value);
	}
	rd_kafka_AlterConfigs(client, &topic, 1, NULL, queue);
	event = answer(queue);
	results = rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event),
	                                                 &count);
	for (size_t i = 0; i < count; i++) {
		if (rd_kafka_ConfigResource_error(results[i]))
			die("%s: %s", name, rd_kafka_ConfigResource_error_string(results[i]));
	}
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(topic);
	until(has_settings,
	      &(struct wanted){
		      .client = client, .queue = queue, .topic = name, .settings = settings });
}

static rd_kafka_AclBindingFilter_t *rules_of(const char *name)
{
	char reason[256];
	rd_kafka_AclBindingFilter_t *filter = rd_kafka_AclBindingFilter_new(
		RD_KAFKA_RESOURCE_TOPIC, name, RD_KAFKA_RESOURCE_PATTERN_LITERAL, NULL, NULL,
		RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, reason,
		sizeof(reason));

	if (!filter)
		die("%s: %s", name, reason);
	return filter;
}

static bool has_rules(const struct wanted *w)
{
	rd_kafka_AclBindingFilter_t *filter = rules_of(w->topic);
	rd_kafka_event_t *event;
	size_t count;

	rd_kafka_DescribeAcls(w->client, filter, NULL, w->queue);
	event = answer(w->queue);
	rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(event), &count);
	rd_kafka_event_destroy(event);
	rd_kafka_AclBinding_destroy(filter);
	return count == w->rules;
}

/*
 * A topic without rules is open to all on such a broker, one with rules only to whom they allow:
 * so everything is allowed to everybody, and writing denied, which goes first.
 */
static void do_deny(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *name)
{
	char reason[256];
	rd_kafka_AclBinding_t *rules[] = {
		rd_kafka_AclBinding_new(RD_KAFKA_RESOURCE_TOPIC, name,
		                        RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:*", "*",
		                        RD_KAFKA_ACL_OPERATION_ALL,
		                        RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, reason, sizeof(reason)),
		rd_kafka_AclBinding_new(RD_KAFKA_RESOURCE_TOPIC, name,
		                        RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:*", "*",
		                        RD_KAFKA_ACL_OPERATION_WRITE,
		                        RD_KAFKA_ACL_PERMISSION_TYPE_DENY, reason, sizeof(reason)),
	};
	const rd_kafka_acl_result_t **results;
	rd_kafka_event_t *event;
	size_t count;

	if (!rules[0] || !rules[1])
		die("%s: %s", name, reason);
	rd_kafka_CreateAcls(client, rules, 2, NULL, queue);
	event = answer(queue);
	results = rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count);
	for (size_t i = 0; i < count; i++) {
		if (rd_kafka_acl_result_error(results[i]))
			die("%s: %s", name,
			    rd_kafka_error_string(rd_kafka_acl_result_error(results[i])));
	}
	rd_kafka_event_destroy(event);
	rd_kafka_AclBinding_destroy_array(rules, 2);
	until(has_rules,
	      &(struct wanted){ .client = client, .queue = queue, .topic = name, .rules = 2 });
}

static void do_allow(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *name)
{
	rd_kafka_AclBindingFilter_t *filter = rules_of(name);
	const rd_kafka_DeleteAcls_result_response_t **results;
	rd_kafka_event_t *event;
	size_t count;

	rd_kafka_DeleteAcls(client, &filter, 1, NULL, queue);
	event = answer(queue);
	results = rd_kafka_DeleteAcls_result_responses(rd_kafka_event_DeleteAcls_result(event),
	                                               &count);
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_error_t *failed =
			rd_kafka_DeleteAcls_result_response_error(results[i]);

		if (failed)
			die("%s: %s", name, rd_kafka_error_string(failed));
	}
	rd_kafka_event_destroy(event);
	rd_kafka_AclBinding_destroy(filter);
	until(has_rules, &(struct wanted){ .client = client, .queue = queue, .topic = name });
}

static bool do_admin(const char *verb, const char *brokers, const char *name, int argc, char **argv)
{
	rd_kafka_t *client = client_new(RD_KAFKA_PRODUCER, brokers);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	bool known = true;

	if (!strcmp(verb, "create") && argc >= 1)
		do_create(client, queue, name, argv[0], argv + 1);
	else if (!strcmp(verb, "config"))
		do_config(client, queue, name, argv);
	else if (!strcmp(verb, "delete") && argc == 0)
		do_delete(client, queue, name);
	else if (!strcmp(verb, "deny") && argc == 0)
		do_deny(client, queue, name);
	else if (!strcmp(verb, "allow") && argc == 0)
		do_allow(client, queue, name);
	else
		known = false;
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(client);
	return known;
}

int main(int argc, char **argv)
{
	bool known = argc >= 3;

	setvbuf(stdout, NULL, _IOFBF, OUT_BUFFER);
	if (known && !strcmp(argv[1], "list") && argc == 3)
		do_list(argv[2]);
	else if (known && !strcmp(argv[1], "read") && argc == 4)
		do_read(argv[2], argv[3]);
	else if (known && !strcmp(argv[1], "count") && argc == 4)
		do_count(argv[2], argv[3]);
	else
		known = argc >= 4 && do_admin(argv[1], argv[2], argv[3], argc - 4, argv + 4);
	if (!known) {
		fputs(usage_text, stderr);
		return 2;
	}
	if (fflush(stdout) || ferror(stdout))
		die("can't write the answer");
	return 0;
}
