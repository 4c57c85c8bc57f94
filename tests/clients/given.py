# SPDX-License-Identifier: Apache-2.0
"""given.py DIR -- what a Collector is given by the tests: DIR/traces, metrics and logs, OTLP/JSON of this minute."""
import json
import sys
import time

RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "given"}},
                           {"key": "tenant_id", "value": {"stringValue": "forged"}}]}
SCOPE = {"name": "given.py"}
KIND = [{"key": "kind", "value": {"stringValue": "grüß"}}]


def traces(now):
    span = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "given-span", "kind": 2,
            "startTimeUnixNano": str(now - 1_000_000), "endTimeUnixNano": str(now), "attributes": KIND}
    return {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"scope": SCOPE, "spans": [span]}]}]}


def metrics(now):
    at = {"timeUnixNano": str(now), "startTimeUnixNano": str(now - 60_000_000_000), "attributes": KIND}
    several = {"aggregationTemporality": 2}
    given = [
        {"name": "given_gauge", "description": "A gauge.", "gauge": {"dataPoints": [{**at, "asDouble": 0.1}]}},
        {"name": "given_sum", "description": "A sum.", "sum": {**several, "isMonotonic": True, "dataPoints": [{**at, "asInt": "7"}]}},
        {"name": "given_histogram", "description": "A histogram.", "histogram": {**several, "dataPoints": [
            {**at, "count": "6", "sum": 9.5, "bucketCounts": ["1", "2", "3"], "explicitBounds": [0.5, 2.5]}]}},
        {"name": "given_native", "description": "An exponential histogram.", "exponentialHistogram": {**several, "dataPoints": [
            {**at, "count": "8", "sum": 12.5, "scale": 3, "zeroCount": "1", "zeroThreshold": 0.001,
             "positive": {"offset": 2, "bucketCounts": ["3", "4"]}, "negative": {"offset": 0, "bucketCounts": []}}]}},
    ]
    return {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": [{"scope": SCOPE, "metrics": given}]}]}


def logs(now):
    record = {"timeUnixNano": str(now), "severityNumber": 9, "body": {"stringValue": "given-log"}, "attributes": KIND}
    return {"resourceLogs": [{"resource": RESOURCE, "scopeLogs": [{"scope": SCOPE, "logRecords": [record]}]}]}


def main(folder):
    now = time.time_ns()
    for make in (traces, metrics, logs):
        with open(f"{folder}/{make.__name__}", "w", encoding="utf-8") as out:
            json.dump(make(now), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
