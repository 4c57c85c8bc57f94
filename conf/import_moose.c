/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_moose.c -- the variables of Moose's ingestion (compatibility.md 5). What has no effect
 * there or here is passed over in silence; a JWT setting in parts, or one that would have left the
 * door open, stops the start.
 */
#include <stdio.h>

#include "conf/import.h"

static const char http_prefix[] = "MOOSE_HTTP_SERVER_CONFIG__";
static const char redpanda_prefix[] = "MOOSE_REDPANDA_CONFIG__",
		  kafka_prefix[] = "MOOSE_KAFKA_CONFIG__";
static const char jwt_prefix[] = "MOOSE_JWT__";

static struct variable with_prefix(struct loader *l, const char *prefix, const char *x)
{
	return variable_of(path_text(l, "%s%s", prefix, x));
}

/* ---- HTTP ---- */

/* With or without slashes at its ends. */
static void import_path_prefix(struct loader *l)
{
	struct variable v = with_prefix(l, http_prefix, "PATH_PREFIX");
	size_t n = is_given(v) ? strlen(v.text) : 0;

	while (n && v.text[n - 1] == '/')
		n--;
	if (n)
		import_option(l, "protocols.models.path_prefix", v,
		              path_text(l, "%s%.*s", *v.text == '/' ? "" : "/",
		                        (int)min_size(n, 512), v.text));
}

static void import_http(struct loader *l)
{
	struct variable host = with_prefix(l, http_prefix, "HOST");
	struct variable port = with_prefix(l, http_prefix, "PORT");
	struct variable body = with_prefix(l, http_prefix, "MAX_REQUEST_BODY_SIZE");
	const char *h = is_given(host) ? host.text : "localhost";
	const char *p = is_given(port) ? port.text : "4000";
	bool bare_v6 = strchr(h, ':') && *h != '[';
	uint64_t bytes;

	import_listener(l, "moose",
	                is_given(port)   ? port
	                : is_given(host) ? host
	                                 : IMPLIED,
	                path_text(l, bare_v6 ? "[%s]:%s" : "%s:%s", h, p), "moose");
	import_path_prefix(l);
	if (is_given(body) && bytes_to_u64(bytes_str(body.text), INT64_MAX, &bytes))
		import_option(l, "protocols.models.max_body", body,
		              path_text(l, "%lluB", (unsigned long long)bytes));
	else if (is_given(body))
		BAD_VARIABLE(l, body, "it is no number of bytes");
}

/* ---- Kafka ---- */

/* By either name; both, if they agree. */
static struct variable kafka_variable(struct loader *l, const char *x)
{
	struct variable a = with_prefix(l, redpanda_prefix, x);
	struct variable b = with_prefix(l, kafka_prefix, x);

	if (is_given(a) && is_given(b) && strcmp(a.text, b.text) != 0)
		BAD_VARIABLE(l, b, "it differs from %s: one of the two", a.name);
	return is_given(b) ? b : a;
}

static void import_brokers(struct loader *l)
{
	struct variable v = kafka_variable(l, "BROKER");
	const char *rest = v.text;

	if (!is_given(v))
		return;
	import_option(l, "sink", v, "kafka");
	if (origin_find(l->origins, "kafka.brokers"))
		return;
	while (*rest) {
		size_t n = strcspn(rest, ",");
		struct bytes one = bytes_trim(bytes_of(rest, n));

		import_item(l, "kafka.brokers", v, pool_text(report_pool(l->r), one));
		rest += n + (rest[n] == ',');
	}
}

/* librdkafka's words, in any case; false with the error said. */
static bool read_protocol(struct loader *l, struct variable v, bool *tls, bool *sasl)
{
	static const struct {
		const char *name;
		bool tls, sasl;
	} known[] = {
		{ "PLAINTEXT", false, false },
		{ "SSL", true, false },
		{ "SASL_PLAINTEXT", false, true },
		{ "SASL_SSL", true, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcasecmp(v.text, known[i].name) == 0) {
			*tls = known[i].tls;
			*sasl = known[i].sasl;
			return true;
		}
	}
	BAD_VARIABLE(l, v, "it is no security protocol");
	report_help(l->r, "allowed: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL");
	return false;
}

static void import_password(struct loader *l, struct variable v)
{
	struct conf_file *file = &l->conf->kafka.sasl.password_file;

	if (!is_given(v) || *file->path)
		return;
	origin_set(l, "kafka.sasl.password_file", place_of_variable(l, v), NULL);
	file->content = pool_dup(l->pool, bytes_str(v.text));
}

static void import_kafka(struct loader *l)
{
	struct variable v = kafka_variable(l, "SECURITY_PROTOCOL");
	struct variable mechanism = kafka_variable(l, "SASL_MECHANISM");
	struct variable user = kafka_variable(l, "SASL_USERNAME");
	bool tls = false, sasl = true;

	import_brokers(l);
	if (is_given(v) && read_protocol(l, v, &tls, &sasl))
		import_option(l, "kafka.tls.enabled", v, tls ? "true" : "false");
	if (sasl) { /* else librdkafka passes over them too */
		if (is_given(mechanism))
			import_option(l, "kafka.sasl.mechanism", mechanism, mechanism.text);
		if (is_given(user))
			import_option(l, "kafka.sasl.username", user, user.text);
		import_password(l, kafka_variable(l, "SASL_PASSWORD"));
	}
	v = kafka_variable(l, "NAMESPACE");
	if (is_given(v))
		import_option(l, "protocols.models.namespace", v, v.text);
}

/* ---- who may ---- */

/* PEM, whose line breaks may be written \n. */
static struct bytes pem_of(struct loader *l, const char *text)
{
	char *pem = pool_alloc(l->pool, strlen(text) + 1);
	size_t n = 0;

	for (; *text; text++) {
		bool is_break = text[0] == '\\' && text[1] == 'n';

		pem[n++] = is_break ? '\n' : *text;
		text += is_break;
	}
	return bytes_of(pem, n);
}

/* An entry of that name in a file stands; it may lack the key, as -T prints it. */
static void import_issuer(struct loader *l, struct variable secret, struct variable issuer,
                          struct variable audience)
{
	size_t index;
	struct jwt_conf *jwt = import_find_jwt(l, "moose", &index);
	const char *at;

	if (!jwt) {
		jwt = import_map(l, "auth.jwt", issuer, &index);
		if (!jwt)
			return;
		import_key(l, "auth.jwt", index, jwt, "name", IMPLIED, "moose");
		import_key(l, "auth.jwt", index, jwt, "issuer", issuer, issuer.text);
		import_key(l, "auth.jwt", index, jwt, "audiences", audience, audience.text);
		import_key(l, "auth.jwt", index, jwt, "leeway", IMPLIED, "60s");
	}
	if (*jwt->public_key_file.path || *jwt->jwks_uri)
		return;
	at = path_text(l, "auth.jwt[%zu].public_key_file", index);
	origin_set(l, at, place_of_variable(l, secret), NULL);
	origin_written(l, at, path_text(l, "${%s}", secret.name));
	jwt->public_key_file.content = pem_of(l, secret.text);
}

static void import_jwt(struct loader *l, bool has_key)
{
	static const char *const parts[] = { "SECRET", "ISSUER", "AUDIENCE" };
	struct variable v[ARRAY_LEN(parts)];
	struct variable enforce = with_prefix(l, jwt_prefix, "ENFORCE_ON_ALL_INGEST_APIS");
	unsigned given = 0;

	if (is_given(enforce))
		import_option(l, "compat.moose_enforce_jwt", enforce, enforce.text);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		v[i] = with_prefix(l, jwt_prefix, parts[i]);
		given += is_given(v[i]);
	}
	for (size_t i = 0; given && i < ARRAY_LEN(parts); i++)
		if (!is_given(v[i]))
			BAD_VARIABLE(l, v[i], "it is missing: the key needs issuer and audience");
	if (given < ARRAY_LEN(parts))
		return;
	import_issuer(l, v[0], v[1], v[2]);
	l->conf->moose_is_open = !has_key;
}

static void import(struct loader *l)
{
	struct variable key = variable_of("MOOSE_INGEST_API_KEY");

	import_http(l);
	import_kafka(l);
	import_jwt(l, is_given(key));
	if (is_given(key))
		import_moose_key(l, key);
}

/* Others have no effect here, so nobody need be told of them. */
static bool knows(const char *variable)
{
	static const char *const names[] = {
		"BROKER",        "NAMESPACE",      "SASL_USERNAME",
		"SASL_PASSWORD", "SASL_MECHANISM", "SECURITY_PROTOCOL"
	};
	static const char *const others[] = { "MOOSE_INGEST_API_KEY",
		                              "MOOSE_JWT__SECRET",
		                              "MOOSE_JWT__ISSUER",
		                              "MOOSE_JWT__AUDIENCE",
		                              "MOOSE_JWT__ENFORCE_ON_ALL_INGEST_APIS",
		                              "MOOSE_HTTP_SERVER_CONFIG__HOST",
		                              "MOOSE_HTTP_SERVER_CONFIG__PORT",
		                              "MOOSE_HTTP_SERVER_CONFIG__PATH_PREFIX",
		                              "MOOSE_HTTP_SERVER_CONFIG__MAX_REQUEST_BODY_SIZE" };
	const char *x = NULL;

	if (strncmp(variable, redpanda_prefix, sizeof(redpanda_prefix) - 1) == 0)
		x = variable + sizeof(redpanda_prefix) - 1;
	else if (strncmp(variable, kafka_prefix, sizeof(kafka_prefix) - 1) == 0)
		x = variable + sizeof(kafka_prefix) - 1;
	for (size_t i = 0; x && i < ARRAY_LEN(names); i++)
		if (strcmp(x, names[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(variable, others[i]) == 0)
			return true;
	return false;
}

const struct upstream import_moose = { "moose", import, knows };
