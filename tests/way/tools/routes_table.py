# SPDX-License-Identifier: Apache-2.0
"""routes_table.py -- every route there is, in each format that it takes, with a body, what its dialect answers, and what its record is to
say; for routes.py. The bodies are by an encoder of its own (otlp.py). Standard library only.
"""
import collections
import gzip
import struct
import zlib

import otlp
from otlp import field, fixed64, varint

PROTOBUF, JSON = "application/x-protobuf", "application/json"
RW1, RW2 = PROTOBUF + ";proto=prometheus.WriteRequest", PROTOBUF + ";proto=io.prometheus.write.v2.Request"

Family = collections.namedtuple("Family", "ok unsupported spent codings empty")
Row = collections.namedtuple("Row", "route listener path type family body topic signal format stored_type")


def snappy(plain):
    pieces = [plain[at:at + 60] for at in range(0, len(plain), 60)]
    return varint(len(plain)) + b"".join(bytes([(len(piece) - 1) << 2]) + piece for piece in pieces)


def zlib_of(wbits):
    def code(plain):
        made = zlib.compressobj(wbits=wbits)
        return made.compress(plain) + made.flush()
    return code


# NAME: (the field's value, how); zstd is not in the standard library: bombs of it come from DIR
CODINGS = {"gzip": ("gzip", gzip.compress), "zlib": ("deflate", zlib_of(15)), "raw": ("deflate", zlib_of(-15)), "zstd": ("zstd", None),
           "snappy": ("snappy", snappy)}
GZIP, ALL, NO_BLOCK, BLOCK = {"gzip"}, set(CODINGS), set(CODINGS) - {"snappy"}, {"snappy"}
FAMILIES = {
    "otlp": Family(200, 415, 429, ALL, 200), "otlp_json": Family(200, 415, 429, ALL, 400),
    "obstack": Family(202, 415, 429, ALL, 202), "obstack_json": Family(202, 415, 429, ALL, 400),
    "upstream": Family(200, 415, 503, GZIP, 200), "upstream_json": Family(200, 415, 503, GZIP, 400),
    "blob": Family(200, 415, 503, GZIP, 400), "opaque": Family(202, 415, 429, NO_BLOCK, 400),
    "write": Family(204, 415, 429, BLOCK, 400), "obstack_write": Family(202, 415, 429, BLOCK, 400),
    "loki": Family(204, 400, 429, NO_BLOCK, 400), "loki_json": Family(204, 400, 429, NO_BLOCK, 400),
    "model": Family(202, 415, 429, NO_BLOCK, 400), "moose": Family(200, 415, 429, NO_BLOCK, 400),
}
WRITES = ("write", "obstack_write")
ANY_BYTES = ("blob", "opaque")  # never looked into
ANY_TYPE = ANY_BYTES + ("moose",)

SPAN = field(1, b"t" * 16) + field(2, b"s" * 8) + field(5, "of every route")  # "every" alone is a Gauge too: no signal for Obstack
ITEMS = {"traces": SPAN, "metrics": field(1, "every") + field(5, field(1, fixed64(3, 1) + fixed64(6, 7))),
         "logs": fixed64(1, 1) + field(5, otlp.any_string("every"))}
JSON_OTLP = {
    "traces": '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"of every route"}]}]}]}' % ("74" * 16, "73" * 8),
    "metrics": '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"every","gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":"7"}]}}]}]}]}',
    "logs": '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":"every"}}]}]}]}',
}
SAMPLE = field(2, varint(1 << 3 | 1) + struct.pack("<d", 1.0) + field(2, 1_764_000_000_000))
WRITE_1 = field(1, field(1, field(1, "__name__") + field(2, "up")) + SAMPLE)
WRITE_2 = b"".join(field(4, word) for word in ("", "__name__", "up")) + field(5, field(1, bytes((1, 2))) + SAMPLE)
LOKI = field(1, field(1, '{a="b"}') + field(2, field(1, field(1, 1_700_000_000)) + field(2, "every")))
LOKI_JSON = b'{"streams":[{"stream":{"a":"b"},"values":[["1700000000000000000","every"]]}]}'
LEGACY_JSON = b'{"streams":[{"labels":"{a=\\"b\\"}","entries":[{"ts":"2023-11-14T22:13:20Z","line":"every"}]}]}'
EVENT = b'{"n":1}'
BLOB = b"\xa1\x00\xffany bytes"


def otlp_body(signal):
    return field(1, field(2, field(2, ITEMS[signal])))


def table():
    topics = {"traces": "otlp_spans", "metrics": "otlp_metrics", "logs": "otlp_logs"}

    def both(route, listener, path, family, signal, topic):
        for kind, body in (PROTOBUF, otlp_body(signal)), (JSON, JSON_OTLP[signal].encode()):
            yield Row(route, listener, path, kind, family + ("_json" if kind == JSON else ""), body, topic, signal, "otlp_proto", PROTOBUF)

    def write(route, listener, path, family, topic, topic_2):
        yield Row(route, listener, path, RW1, family, WRITE_1, topic, "metrics", "prom_rw1", RW1)
        yield Row(route, listener, path, RW2, family, WRITE_2, topic_2, "metrics", "prom_rw2", RW2)

    def loki(route, listener, path, text):
        yield Row(route, listener, path, PROTOBUF, "loki", LOKI, "loki_push", "logs", "loki_proto", PROTOBUF)
        yield Row(route, listener, path, JSON, "loki_json", text, "loki_push", "logs", "loki_proto", PROTOBUF)

    for signal, topic in topics.items():
        yield from both("otlp_" + signal, "public", "/v1/" + signal, "otlp", signal, topic)
        yield from both("otlp_" + signal, "public", "/otlp/v1/" + signal, "otlp", signal, topic)
        yield from both("gateway_" + signal, "gateway", "/v1/" + signal, "otlp", signal, topic)
        yield from both("obstack_" + signal, "public", "/ingest/otlp/v1/" + signal, "obstack", signal, "telemetry-raw")
        yield from both("obstack_otlp", "public", "/ingest/otlp/v1", "obstack", signal, "telemetry-raw")
        yield from both("micromegas_" + signal, "public", "/ingestion/otlp/v1/" + signal, "upstream", signal, topic)
    yield from both("gateway_traces", "gateway", "/tempo/v1/traces", "otlp", "traces", "otlp_spans")
    yield from both("otlp_metrics", "public", "/api/v1/otlp/v1/metrics", "otlp", "metrics", "otlp_metrics")
    for path in "/api/v1/write", "/api/v1/push":
        yield from write("remote_write", "public", path, "write", "prom_write", "prom_write_v2")
    yield from write("gateway_write", "gateway", "/prometheus/api/v1/push", "write", "prom_write", "prom_write_v2")
    yield from write("obstack_write", "public", "/ingest/prometheus/v1/write", "obstack_write", "telemetry-raw", "telemetry-raw")
    yield from loki("loki", "public", "/loki/api/v1/push", LOKI_JSON)
    yield from loki("loki_legacy", "public", "/api/prom/push", LEGACY_JSON)
    yield from loki("gateway_loki", "gateway", "/loki/api/v1/push", LOKI_JSON)
    yield from loki("gateway_loki_legacy", "gateway", "/api/prom/push", LEGACY_JSON)
    for route in "insert_process", "insert_stream", "insert_block":
        yield Row(route, "public", "/ingestion/" + route, "application/cbor", "blob", BLOB, "blobs", "opaque", "raw", "application/cbor")
    yield Row("micromegas_webhook", "public", "/ingestion/webhook", "text/plain", "blob", BLOB, "otlp_logs", "logs", "otlp_proto", PROTOBUF)
    yield Row("own-blobs", "public", "/blobs/own", "image/png", "opaque", BLOB, "own-blobs", "opaque", "raw", "image/png")
    yield Row("models", "public", "/ingest/Event", JSON, "model", EVENT, "Event", "events", "json", JSON)
    yield Row("models", "gateway", "/ingest/Gate/1.0", JSON, "model", EVENT, "Gate_1_0", "events", "json", JSON)
    yield Row("moose", "moose", "/ingest/Moose", "text/plain", "moose", EVENT, "Moose", "events", "json", JSON)


ROWS = list(table())


def key_of(row):
    """Records of one topic and route are told apart by their format; those of models have two headers, so it is the topic."""
    return row.topic if row.format == "json" else f"{row.topic} {row.route} {row.format}"


def padded(row, size):
    """The row's body as one of so many bytes: a field that nobody knows, blanks, or any bytes."""
    if row.type.startswith(PROTOBUF):
        for length in range(size - len(row.body) - 8, size - len(row.body)):
            body = row.body + field(4000, bytes(length))
            if len(body) == size:
                return body
    return row.body + (b"\0" if row.family in ANY_BYTES else b" ") * (size - len(row.body))


def many(row, texts):
    """The row's body with an item for each text; None where a body is one item."""
    def quoted(form):
        return ",".join(form % text for text in texts).encode()

    if row.family.startswith(("otlp", "obstack", "upstream")) and row.format == "otlp_proto":
        if row.type == JSON:
            item = {"traces": '{"name":"of %s"}', "metrics": '{"name":"every","description":"%s","gauge":{"dataPoints":[{"asInt":"7"}]}}',
                    "logs": '{"body":{"stringValue":"%s"}}'}[row.signal]
            head, tail = {"traces": ('{"resourceSpans":[{"scopeSpans":[{"spans":[', "]}]}]}"),
                          "metrics": ('{"resourceMetrics":[{"scopeMetrics":[{"metrics":[', "]}]}]}"),
                          "logs": ('{"resourceLogs":[{"scopeLogs":[{"logRecords":[', "]}]}]}")}[row.signal]
            return head.encode() + quoted(item) + tail.encode()
        item = {"traces": lambda text: field(1, b"t" * 16) + field(2, b"s" * 8) + field(5, "of " + text),
                "metrics": lambda text: field(1, "every") + field(2, text) + field(5, field(1, fixed64(3, 1) + fixed64(6, 7))),
                "logs": lambda text: fixed64(1, 1) + field(5, otlp.any_string(text))}[row.signal]
        return field(1, field(2, b"".join(field(2, item(text)) for text in texts)))
    if row.format == "prom_rw1":
        return b"".join(field(1, field(1, field(1, "__name__") + field(2, "up")) + field(1, field(1, "a") + field(2, text)) + SAMPLE) for text in texts)
    if row.format == "prom_rw2":
        return (b"".join(field(4, word) for word in ("", "__name__", "up", "a", *texts))
                + b"".join(field(5, field(1, bytes((1, 2, 3, 4 + i))) + SAMPLE) for i in range(len(texts))))
    if row.family == "loki":
        return field(1, field(1, '{a="b"}') + b"".join(field(2, field(1, field(1, 1)) + field(2, text)) for text in texts))
    if row.body == LOKI_JSON:
        return b'{"streams":[{"stream":{"a":"b"},"values":[' + quoted('["1","%s"]') + b"]}]}"
    if row.body == LEGACY_JSON:
        return b'{"streams":[{"labels":"{a=\\"b\\"}","entries":[' + quoted('{"ts":"2023-11-14T22:13:20Z","line":"%s"}') + b"]}]}"
    return None


def coded_bodies(row, plain, bombs=None):
    """(name, value of the field, body or None): codings around what the protocol has anyway."""
    for name, (value, code) in CODINGS.items():
        if name == "snappy" and row.family == "loki":
            continue  # there it belongs to the protocol
        if code and not (name == "snappy" and row.family in WRITES):
            yield name, value, code(plain)
        elif code:
            yield name, value, plain
        else:
            yield name, value, bombs
