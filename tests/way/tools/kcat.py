# SPDX-License-Identifier: Apache-2.0
"""kcat.py TENANT < `kcat -J` -- what an unmodified consumer sees of each record, one line: the topic, the key, each header as NAME=VALUE in its
order, and behind ` !` whatever breaks the contract of headers (records.md 1.1, R1). A request id is shown as ID, the time of the record,
where a header has it, as TIME, why a letter is dead as TEXT.

kcat.py --values < `kcat -J`	"PARTITION OFFSET VALUE" of each, the value in hex

kcat writes bytes that are not UTF-8 as they are.
"""
import collections
import json
import re
import sys

ORDER = ["X-Scope-OrgID", "tenant_id", "signal", "format", "content-type", "headgate-route", "headgate-request-id", "headgate-received-ms",
         "headgate-contract", "headgate-part", "traceparent", "headgate-replayed", "headgate-dlq-reason", "headgate-dlq-detail", "headgate-dlq-topic"]


def broken(tenant, key, headers):
    """Each rule that the record breaks, in words."""
    names = [name for name, _ in headers]
    if key != tenant:
        yield "the key is not the tenant"
    if [value for name, value in headers if name.lower() == "x-scope-orgid"] != [tenant]:
        yield "X-Scope-OrgID is not there once, with the tenant"
    if "version" in (name.lower() for name in names):
        yield "a header is named version"
    for name, count in collections.Counter(name.lower() for name in names).items():
        if count > 1:
            yield f"{count} are named {name}, but for case"
    for name, value in headers:
        if not value:
            yield f"{name} is null or empty"
        if name not in ORDER:
            yield f"{name} is not of the contract"
    known = [ORDER.index(name) for name in names if name in ORDER]
    if known != sorted(known):
        yield "the order is another one"


def shown(name, value, time):
    if name == "headgate-request-id" and re.fullmatch("[0-9a-f]{32}", value):
        return f"{name}=ID"
    if name == "headgate-received-ms" and value == str(time):
        return f"{name}=TIME"
    if name == "headgate-dlq-detail" and 0 < len(value.encode("utf-8", "surrogateescape")) <= 1024:
        return f"{name}=TEXT"
    return f"{name}={value}"


def main(tenant):
    for line in sys.stdin.buffer:
        record = json.loads(line.decode("utf-8", "surrogateescape"))
        if tenant == "--values":
            print(record["partition"], record["offset"], record["payload"].encode("utf-8", "surrogateescape").hex())
            continue
        flat = record.get("headers", [])
        headers = list(zip(flat[0::2], flat[1::2]))
        words = [record["topic"], f"key={record['key']}", *(shown(name, value, record["ts"]) for name, value in headers)]
        print(*words, *(f"!{each}" for each in broken(tenant, record["key"], headers)))


main(*sys.argv[1:])
