/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/snippet_text.h"

#include <stdio.h>
#include <string.h>

static const char variable[] = "HEADGATE_TOKEN"; /* of clients that read no token file */

static bool is_tls(const struct snippet *s)
{
	return strncmp(s->endpoint, "https://", 8) == 0;
}

/* A text in double quotes, as YAML, TOML-like blocks and Python take it. */
static void quoted(struct buf *out, const char *before, const char *text, const char *after)
{
	buf_str(out, before);
	buf_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_char(out, '\\');
		buf_char(out, *text);
	}
	buf_char(out, '"');
	buf_str(out, after);
}

/* A word of a shell. */
static void shell(struct buf *out, const char *before, const char *text, const char *after)
{
	buf_str(out, before);
	buf_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_str(out, "'\\''");
		else
			buf_char(out, *text);
	}
	buf_char(out, '\'');
	buf_str(out, after);
}

/* As a value of OTEL_EXPORTER_OTLP_HEADERS. */
static void percent(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if ((*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
		    (*text >= 'A' && *text <= 'Z') || strchr("-_.~", *text))
			buf_char(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

/* URL and path as one quoted text. */
static void url(struct buf *out, const char *before, const struct snippet *s, const char *path,
                const char *after)
{
	buf_str(out, before);
	buf_printf(out, "\"%s%s\"", s->endpoint, path);
	buf_str(out, after);
}

/* How the variable gets the token, for a client that is started from a shell or a unit. */
static void say_variable(const struct snippet *s, struct buf *out)
{
	if (s->token)
		return;
	buf_printf(out, "# start it with %s set: ", variable);
	shell(out, "export HEADGATE_TOKEN=\"$(cat ", s->token_file, ")\"\n");
}

/* "Bearer X" or the variable in the words of the client. */
static void bearer(const struct snippet *s, const char *before, const char *reference,
                   const char *after, struct buf *out)
{
	buf_str(out, before);
	buf_str(out, s->token ? s->token : reference);
	buf_str(out, after);
}

/* ---- Prometheus ---- */

static void put_prometheus(const struct snippet *s, struct buf *out)
{
	buf_printf(out, "# prometheus.yml: metrics of tenant %s by remote_write\n", s->tenant);
	buf_str(out, "remote_write:\n");
	url(out, "  - url: ", s, "/api/v1/write", "\n");
	buf_str(out, "    authorization:\n");
	if (s->token)
		quoted(out, "      credentials: ", s->token, "\n");
	else
		quoted(out, "      credentials_file: ", s->token_file, "\n");
	if (is_tls(s) && s->ca)
		quoted(out, "    tls_config:\n      ca_file: ", s->ca, "\n");
	buf_str(out, "    queue_config:\n"
	             "      # its default, false, drops what a rate limit refuses\n"
	             "      retry_on_http_429: true\n");
}

/* ---- Grafana Alloy ---- */

static void alloy_tls(const struct snippet *s, struct buf *out)
{
	if (!is_tls(s) || !s->ca)
		return;
	quoted(out, "    tls_config {\n      ca_file = ", s->ca, "\n    }\n");
}

static void alloy_authorization(const struct snippet *s, struct buf *out)
{
	buf_str(out, "    authorization {\n      type = \"Bearer\"\n");
	if (s->token)
		quoted(out, "      credentials = ", s->token, "\n");
	else
		quoted(out, "      credentials_file = ", s->token_file, "\n");
	buf_str(out, "    }\n");
}

static void alloy_metrics(const struct snippet *s, struct buf *out)
{
	buf_str(out, "prometheus.remote_write \"headgate\" {\n  endpoint {\n");
	url(out, "    url = ", s, "/api/v1/write", "\n");
	alloy_authorization(s, out);
	alloy_tls(s, out);
	buf_str(out, "    queue_config {\n"
	             "      // its default, false, drops what a rate limit refuses\n"
	             "      retry_on_http_429 = true\n"
	             "    }\n  }\n}\n");
}

static void alloy_otlp(const struct snippet *s, struct buf *out)
{
	if (!s->token) {
		quoted(out, "\nlocal.file \"headgate_token\" {\n  filename = ", s->token_file,
		       "\n");
		buf_str(out, "}\n");
	}
	buf_str(out, "\notelcol.auth.bearer \"headgate\" {\n");
	if (s->token)
		quoted(out, "  token = ", s->token, "\n");
	else
		buf_str(out, "  token = string.trim_space(local.file.headgate_token.content)\n");
	buf_str(out, "}\n\notelcol.exporter.otlphttp \"headgate\" {\n  client {\n");
	url(out, "    endpoint = ", s, "", "\n");
	buf_str(out, "    compression = \"gzip\"\n"
	             "    auth = otelcol.auth.bearer.headgate.handler\n");
	if (is_tls(s) && s->ca)
		quoted(out, "    tls {\n      ca_file = ", s->ca, "\n    }\n");
	buf_str(out, "  }\n"
	             "  retry_on_failure {\n    enabled = true\n  }\n"
	             "  sending_queue {\n    enabled = true\n  }\n}\n");
}

static void alloy_logs(const struct snippet *s, struct buf *out)
{
	buf_str(out, "\nloki.write \"headgate\" {\n  endpoint {\n");
	url(out, "    url = ", s, "/loki/api/v1/push", "\n");
	quoted(out, "    tenant_id = ", s->tenant, "\n");
	alloy_authorization(s, out);
	alloy_tls(s, out);
	buf_str(out, "    retry_on_http_429 = true\n  }\n}\n");
}

static void put_alloy(const struct snippet *s, struct buf *out)
{
	buf_printf(out, "// config.alloy: tenant %s\n", s->tenant);
	alloy_metrics(s, out);
	alloy_otlp(s, out);
	if (s->loki)
		alloy_logs(s, out);
}

/* ---- OpenTelemetry ---- */

static void put_otelcol(const struct snippet *s, struct buf *out)
{
	buf_printf(out, "# OpenTelemetry Collector: all signals of tenant %s\n", s->tenant);
	say_variable(s, out);
	buf_str(out, "receivers:\n"
	             "  otlp:\n"
	             "    protocols:\n"
	             "      http:\n"
	             "        endpoint: \"127.0.0.1:14318\"\n"
	             "exporters:\n"
	             "  otlphttp/headgate:\n");
	url(out, "    endpoint: ", s, "", "\n");
	buf_str(out, "    compression: gzip\n    headers:\n");
	bearer(s, "      Authorization: \"Bearer ", "${env:HEADGATE_TOKEN}", "\"\n", out);
	if (is_tls(s) && s->ca)
		quoted(out, "    tls:\n      ca_file: ", s->ca, "\n");
	buf_str(out, "    retry_on_failure:\n      enabled: true\n"
	             "    sending_queue:\n      enabled: true\n"
	             "service:\n"
	             "  pipelines:\n"
	             "    traces: {receivers: [otlp], exporters: [otlphttp/headgate]}\n"
	             "    metrics: {receivers: [otlp], exporters: [otlphttp/headgate]}\n"
	             "    logs: {receivers: [otlp], exporters: [otlphttp/headgate]}\n");
}

static void put_otel_env(const struct snippet *s, struct buf *out)
{
	buf_printf(out, "# the environment of any OpenTelemetry SDK: tenant %s\n", s->tenant);
	buf_str(out, "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n");
	shell(out, "export OTEL_EXPORTER_OTLP_ENDPOINT=", s->endpoint, "\n");
	/* Header values are percent-encoded: a plain blank makes some SDKs drop the header. */
	buf_str(out, "export OTEL_EXPORTER_OTLP_HEADERS=\"Authorization=Bearer%20");
	if (s->token)
		percent(out, s->token);
	else
		shell(out, "$(cat ", s->token_file, ")");
	buf_str(out, "\"\nexport OTEL_EXPORTER_OTLP_COMPRESSION=gzip\n");
	if (is_tls(s) && s->ca)
		shell(out, "export OTEL_EXPORTER_OTLP_CERTIFICATE=", s->ca, "\n");
}

/* A log record without times: severity 9, body "hello from curl". */
static const char curl_body[] =
	"\\x0a\\x19\\x12\\x17\\x12\\x15\\x10\\x09\\x2a\\x11\\x0a\\x0fhello from curl";

static void put_curl(const struct snippet *s, struct buf *out)
{
	buf_printf(out, "#!/bin/bash\n# one log record as OTLP, of tenant %s\n", s->tenant);
	buf_printf(out, "body() { printf '%s' | gzip -c; }\n", curl_body);
	if (s->token)
		shell(out, "token() { printf '%s' ", s->token, "; }\n");
	else
		shell(out, "token() { cat ", s->token_file, "; }\n");
	/* By stdin: what stands in a command line, everybody on the host may read. */
	buf_str(out,
	        "printf 'Authorization: Bearer %s\\n' \"$(token)\" |\n"
	        "\tcurl -sS --fail-with-body -H @- -H 'Content-Type: application/x-protobuf' \\\n"
	        "\t\t-H 'Content-Encoding: gzip' --data-binary @<(body) \\\n"
	        "\t\t--retry 5 --retry-connrefused --retry-max-time 60");
	if (is_tls(s) && s->ca)
		shell(out, " --cacert ", s->ca, "");
	buf_str(out, " \\\n\t\t");
	buf_char(out, '\'');
	buf_printf(out, "%s/v1/logs", s->endpoint);
	buf_str(out, "'\n");
}

static const char python_code[] =
	"\n"
	"\n"
	"def varint(n):\n"
	"    out = bytearray()\n"
	"    while n > 127:\n"
	"        out.append(n & 127 | 128)\n"
	"        n >>= 7\n"
	"    return bytes(out) + bytes([n])\n"
	"\n"
	"\n"
	"def field(number, value):\n"
	"    return varint(number << 3 | 2) + varint(len(value)) + value\n"
	"\n"
	"\n"
	"def request(text, severity):\n"
	"    now = struct.pack(\"<Q\", time.time_ns())\n"
	"    record = b\"\\x09\" + now + b\"\\x59\" + now + b\"\\x10\" + varint(severity) + "
	"field(5, field(1, text.encode()))\n"
	"    return field(1, field(2, field(2, record)))\n"
	"\n"
	"\n"
	"def send(body):\n"
	"    headers = {\"Authorization\": \"Bearer \" + TOKEN, \"Content-Type\": "
	"\"application/x-protobuf\", \"Content-Encoding\": \"gzip\"}\n"
	"    for attempt in range(6):\n"
	"        wait = min(2 ** attempt, 30)\n"
	"        try:\n"
	"            urllib.request.urlopen(urllib.request.Request(ENDPOINT + \"/v1/logs\", "
	"gzip.compress(body), headers), timeout=10, context=TLS).close()\n"
	"            return\n"
	"        except urllib.error.HTTPError as e:\n"
	"            if e.code not in (408, 425, 429, 500, 502, 503, 504):\n"
	"                raise\n"
	"            wait = int(e.headers.get(\"Retry-After\") or wait)\n"
	"        except OSError:\n"
	"            pass\n"
	"        time.sleep(wait)\n"
	"    raise RuntimeError(\"headgate took nothing in 6 tries\")\n"
	"\n"
	"\n"
	"class Handler(logging.Handler):\n"
	"    def emit(self, record):\n"
	"        try:\n"
	"            send(request(self.format(record), min(record.levelno // 10 * 4 + 1, 24)))\n"
	"        except Exception:\n"
	"            self.handleError(record)\n"
	"\n"
	"\n"
	"# The queue: logging never waits for the network.\n"
	"waiting = queue.Queue()\n"
	"listener = logging.handlers.QueueListener(waiting, Handler())\n"
	"listener.start()\n"
	"logging.basicConfig(level=logging.INFO, format=\"%(message)s\", "
	"handlers=[logging.handlers.QueueHandler(waiting)])\n"
	"\n"
	"logging.info(\"hello from python\")\n"
	"listener.stop()  # at the end: what waits is sent\n";

static void put_python(const struct snippet *s, struct buf *out)
{
	buf_printf(out,
	           "#!/usr/bin/env python3\n"
	           "# logs of tenant %s as OTLP; the standard library is all it needs\n"
	           "import gzip\nimport logging\nimport logging.handlers\nimport queue\n"
	           "import ssl\nimport struct\nimport time\nimport urllib.error\n"
	           "import urllib.request\n\n",
	           s->tenant);
	quoted(out, "ENDPOINT = ", s->endpoint, "\n");
	if (s->token)
		quoted(out, "TOKEN = ", s->token, "\n");
	else
		quoted(out, "TOKEN = open(", s->token_file, ").read().strip()\n");
	if (is_tls(s) && s->ca)
		quoted(out, "TLS = ssl.create_default_context(cafile=", s->ca, ")\n");
	else
		buf_str(out, is_tls(s) ? "TLS = ssl.create_default_context()\n" : "TLS = None\n");
	buf_str(out, python_code);
}

/* ---- clients of Loki ---- */

static void put_vector(const struct snippet *s, struct buf *out)
{
	buf_printf(out, "# vector.yaml: logs of tenant %s\n", s->tenant);
	say_variable(s, out);
	buf_str(out, "sinks:\n"
	             "  headgate:\n"
	             "    type: loki\n"
	             "    inputs: [YOUR_SOURCE]\n");
	url(out, "    endpoint: ", s, "", "\n");
	quoted(out, "    tenant_id: ", s->tenant, "\n");
	bearer(s, "    auth:\n      strategy: bearer\n      token: \"", "${HEADGATE_TOKEN}", "\"\n",
	       out);
	buf_str(out, "    encoding: {codec: json}\n"
	             "    labels: {agent: vector}\n"
	             "    compression: gzip\n");
	if (!is_tls(s))
		return;
	buf_str(out, "    tls:\n      verify_certificate: true\n      verify_hostname: true\n");
	if (s->ca)
		quoted(out, "      ca_file: ", s->ca, "\n");
}

static void put_promtail(const struct snippet *s, struct buf *out)
{
	buf_printf(out, "# promtail.yaml: logs of tenant %s\n", s->tenant);
	url(out, "clients:\n  - url: ", s, "/loki/api/v1/push", "\n");
	quoted(out, "    tenant_id: ", s->tenant, "\n");
	if (s->token)
		quoted(out, "    bearer_token: ", s->token, "\n");
	else
		quoted(out, "    bearer_token_file: ", s->token_file, "\n");
	buf_str(out, "    backoff_config: {min_period: 500ms, max_period: 5m, max_retries: 10}\n");
	if (!is_tls(s))
		return;
	buf_str(out, "    tls_config:\n      insecure_skip_verify: false\n");
	if (s->ca)
		quoted(out, "      ca_file: ", s->ca, "\n");
}

/* Host and port as two words; its plugin takes no URL. */
static void put_fluent_bit(const struct snippet *s, struct buf *out)
{
	const char *host = strstr(s->endpoint, "://") + 3, *port = strrchr(host, ':');
	size_t n;

	if (port && strchr(port, ']'))
		port = NULL; /* of an IPv6 address without a port */
	n = port ? (size_t)(port - host) : strlen(host);
	buf_printf(out, "# fluent-bit.conf: logs of tenant %s\n", s->tenant);
	say_variable(s, out);
	buf_printf(out, "[OUTPUT]\n    name        loki\n    match       *\n    host        %.*s\n",
	           (int)n, host);
	buf_printf(out, "    port        %s\n    uri         /loki/api/v1/push\n",
	           port        ? port + 1
	           : is_tls(s) ? "443"
	                       : "80");
	buf_printf(out, "    tenant_id   %s\n    labels      agent=fluent-bit\n", s->tenant);
	bearer(s, "    bearer_token ", "${HEADGATE_TOKEN}", "\n", out);
	buf_printf(out, "    tls         %s\n", is_tls(s) ? "on" : "off");
	if (is_tls(s))
		buf_str(out, "    tls.verify  on\n");
	if (is_tls(s) && s->ca)
		buf_printf(out, "    tls.ca_file %s\n", s->ca);
	buf_str(out, "    # its default, 1, drops a chunk that was refused twice\n"
	             "    Retry_Limit no_limits\n");
}

/* ---- the table ---- */

static const char *const metrics_only[] = { "remote_write_1.0", NULL };
static const char *const otlp_all[] = { "otlp_traces", "otlp_metrics", "otlp_logs", NULL };
static const char *const alloy_all[] = { "remote_write_1.0", "otlp_traces", "otlp_metrics",
	                                 "otlp_logs",        "loki",        NULL };
static const char *const loki_only[] = { "loki", NULL };

/* clang-format off */
const struct snippet_client snippet_clients[] = {
	{ "prometheus", metrics_only, false, put_prometheus },
	{ "alloy",      alloy_all,    false, put_alloy      },
	{ "otelcol",    otlp_all,     false, put_otelcol    },
	{ "curl",       otlp_all,     false, put_curl       },
	{ "python",     otlp_all,     false, put_python     },
	{ "otel-env",   otlp_all,     false, put_otel_env   },
	{ "vector",     loki_only,    true,  put_vector     },
	{ "promtail",   loki_only,    true,  put_promtail   },
	{ "fluent-bit", loki_only,    true,  put_fluent_bit },
	{ .name = NULL },
};
/* clang-format on */
