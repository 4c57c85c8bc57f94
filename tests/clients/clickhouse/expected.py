# SPDX-License-Identifier: Apache-2.0
"""expected.py SIGNAL FILE... -- the rows that ClickHouse is to make of OTLP bodies (31-clickhouse.sh), by PyPI's opentelemetry-proto.

One JSON line for each span, log record or metric, members and spelling as ClickHouse writes them. `tenants` is what it has to be: 1.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from decode import REQUESTS, pairs, points_of  # noqa: E402


def span(item):
    return {"name": item.name, "kind": item.DESCRIPTOR.enum_types_by_name["SpanKind"].values_by_number[item.kind].name,
            "trace_id": item.trace_id.hex().upper(), "span_id": item.span_id.hex().upper(), "begin": item.start_time_unix_nano,
            "end": item.end_time_unix_nano, "attributes": [key for key, _ in pairs(item.attributes)], "events": [each.name for each in item.events]}


def log(item):
    return {"body": item.body.string_value, "severity": item.severity_text, "number": item.severity_number, "time": item.time_unix_nano,
            "attributes": [key for key, _ in pairs(item.attributes)]}


def plain(number):
    """7, not 7.0."""
    return int(number) if number == int(number) else number


def metric(item):
    points = points_of(item)
    is_number = item.WhichOneof("data") in ("sum", "gauge")
    return {"name": item.name, "numbers": [plain(getattr(each, each.WhichOneof("value"))) for each in points] if is_number else [],
            "counts": [] if is_number else [each.count for each in points], "sums": [] if is_number else [plain(each.sum) for each in points],
            "buckets": [list(each.bucket_counts) for each in item.histogram.data_points], "monotonic": item.sum.is_monotonic}


ROW = {"traces": span, "logs": log, "metrics": metric}


def main(signal, names):
    kind, resources, scopes, items = REQUESTS[signal]
    for name in names:
        request = kind()
        request.ParseFromString(pathlib.Path(name).read_bytes())
        for resource in getattr(request, resources):
            attributes = dict(pairs(resource.resource.attributes))
            for scope in getattr(resource, scopes):
                for item in getattr(scope, items):
                    row = {"tenant": attributes["tenant_id"], "tenants": 1, "service": attributes["service.name"], "scope": scope.scope.name, **ROW[signal](item)}
                    print(json.dumps(row, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
