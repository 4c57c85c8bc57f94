# SPDX-License-Identifier: Apache-2.0
"""decode.py -- what `topic read` prints, or files of OTLP bodies, as one JSON line a record, decoded by PyPI's opentelemetry-proto.

decode.py < RECORDS          the signal is the one of each record's header
decode.py SIGNAL FILE...     bodies; SIGNAL: traces, metrics, logs

The line: signal, key and headers (name: text; of records only), size, reencoded (the decoder makes the same bytes again; not so where
the sender has an order of its own, as JavaScript does, or pads a length), tenants (each value of the resource attribute tenant_id, in order), resources (each a list of
[key, value]), scopes, items (names of spans and metrics, bodies of logs), item_attributes (of all spans, data points and log records),
points (values of the metrics' data points).
"""
import json
import sys

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {
    "traces": (ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans"),
    "metrics": (ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics"),
    "logs": (ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records"),
}
STAMP = "tenant_id"


def plain(value):
    """An AnyValue as Python would say it."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: plain(each.value) for each in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind)


def pairs(attributes):
    return [[each.key, plain(each.value)] for each in attributes]


def points_of(metric):
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else []


def value_of(point):
    """Of a number, itself; of a histogram and its like, the whole point."""
    kind = point.WhichOneof("value") if "value" in point.DESCRIPTOR.oneofs_by_name else None
    return getattr(point, kind) if kind else MessageToDict(point, preserving_proto_field_name=True)


def decode(signal, body):
    kind, resources, scopes, items = REQUESTS[signal]
    request = kind()
    request.ParseFromString(body)
    out = {"signal": signal, "size": len(body), "reencoded": request.SerializeToString() == body, "tenants": [], "resources": [],
           "scopes": [], "items": [], "item_attributes": [], "points": []}
    for resource in getattr(request, resources):
        attributes = pairs(resource.resource.attributes)
        out["resources"].append(attributes)
        out["tenants"] += [value for key, value in attributes if key == STAMP]
        for scope in getattr(resource, scopes):
            out["scopes"].append(scope.scope.name)
            for item in getattr(scope, items):
                if signal == "logs":
                    out["items"].append(plain(item.body))
                else:
                    out["items"].append(item.name)
                if signal == "metrics":
                    for point in points_of(item):
                        out["item_attributes"].append(pairs(point.attributes))
                        out["points"].append(value_of(point))
                else:
                    out["item_attributes"].append(pairs(item.attributes))
    return out


def text(hexed):
    return None if hexed is None else bytes.fromhex(hexed).decode("utf-8", "backslashreplace")


def decode_record(record):
    headers = {name: text(value) for name, value in record["headers"]}
    out = {"key": text(record["key"]), "headers": headers}
    out.update(decode(headers["signal"], bytes.fromhex(record["value"])))
    return out


def main(arguments):
    if not arguments:
        for line in sys.stdin:
            print(json.dumps(decode_record(json.loads(line)), ensure_ascii=False))
        return
    for name in arguments[1:]:
        with open(name, "rb") as file:
            print(json.dumps(decode(arguments[0], file.read()), ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1:])
