# SPDX-License-Identifier: Apache-2.0
"""consumed.py -- what a Collector read from Kafka, and what lies there, in one form that can be compared and decoded.

consumed.py < RECORDS        what `topic read` prints
consumed.py FILE...          OTLP/JSON as a Collector's file exporter writes it, a line a record

Prints a line for each, as `topic read` does, so that decode.py and conserved.py read it: the header signal, and the value written anew by
PyPI's opentelemetry-proto. Equal messages make equal lines. Whatever the decoder does not know fails; so do two signals in one line.
"""
import base64
import json
import sys

from google.protobuf.json_format import ParseDict

from decode import REQUESTS

IDS = {"traceId", "spanId", "parentSpanId"}  # hex in OTLP/JSON, base64 in that of protobuf
LISTS = {"resourceSpans": "traces", "resourceMetrics": "metrics", "resourceLogs": "logs"}


def with_base64(value):
    if isinstance(value, list):
        return [with_base64(each) for each in value]
    if isinstance(value, dict):
        return {key: base64.b64encode(bytes.fromhex(each)).decode() if key in IDS else with_base64(each) for key, each in value.items()}
    return value


def of_json(text):
    body = json.loads(text)
    (name,) = body
    request = REQUESTS[LISTS[name]][0]()
    ParseDict(with_base64(body), request)
    return LISTS[name], request


def of_record(line):
    record = json.loads(line)
    headers = {name: bytes.fromhex(value).decode() for name, value in record["headers"]}
    value = bytes.fromhex(record["value"])
    if headers["format"] == "otlp_json":
        signal, request = of_json(value)
        assert signal == headers["signal"], f"{signal} is in a record of {headers['signal']}"
        return signal, request
    request = REQUESTS[headers["signal"]][0]()
    request.ParseFromString(value)
    return headers["signal"], request


def settle(signal, request):
    """A Collector's own form has these messages always, empty ones too; presence says nothing in any of them."""
    _, resources, scopes, items = REQUESTS[signal]
    for resource in getattr(request, resources):
        resource.resource.SetInParent()
        for scope in getattr(resource, scopes):
            scope.scope.SetInParent()
            for item in getattr(scope, items):
                if signal == "traces":
                    item.status.SetInParent()


def main(names):
    lines = (of_record(line) for line in sys.stdin) if not names else (of_json(line) for name in names for line in open(name, encoding="utf-8"))
    for signal, request in lines:
        settle(signal, request)
        print(json.dumps({"key": None, "headers": [["signal", signal.encode().hex()]], "value": request.SerializeToString(deterministic=True).hex()}))


if __name__ == "__main__":
    main(sys.argv[1:])
