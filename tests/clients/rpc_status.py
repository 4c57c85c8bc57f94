# SPDX-License-Identifier: Apache-2.0
"""rpc_status.py FOLDER... -- error bodies of OTLP, as an independent decoder (PyPI's googleapis-common-protos) reads them.

Each FOLDER holds `reply`, the body, and `type`, its Content-Type. Prints a JSON line for each: folder, code, message, retry_s (of
RetryInfo, else null), violations ([[field, description] ...] of BadRequest). A body that is no google.rpc.Status, or holds a detail
of no known kind, ends it with status 1 and says which.
"""
import json
import os
import sys

from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2


def read(folder):
    with open(os.path.join(folder, "reply"), "rb") as file:
        body = file.read()
    with open(os.path.join(folder, "type"), encoding="ascii") as file:
        kind = file.read().strip()
    status = status_pb2.Status()
    if kind == "application/json":
        json_format.Parse(body.decode("utf-8"), status)
    elif kind == "application/x-protobuf":
        status.ParseFromString(body)
        if status.SerializeToString() != body:
            raise ValueError("holds more than a Status")
    else:
        raise ValueError(f"type {kind!r}")
    return status


def plain(folder):
    status = read(folder)
    out = {"folder": os.path.basename(folder), "code": status.code, "message": status.message, "retry_s": None, "violations": []}
    for detail in status.details:
        retry, bad = error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(retry):
            out["retry_s"] = retry.retry_delay.seconds
            if retry.retry_delay.nanos:
                raise ValueError("a delay of nanoseconds")
        elif detail.Unpack(bad):
            out["violations"] = [[each.field, each.description] for each in bad.field_violations]
        else:
            raise ValueError(f"detail {detail.type_url}")
    return out


def main(folders):
    failed = False
    for folder in folders:
        try:
            print(json.dumps(plain(folder), ensure_ascii=False))
        except Exception as failure:  # pylint: disable=broad-except
            print(f"rpc_status.py: {folder}: {failure}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
