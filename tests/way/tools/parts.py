#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bodies too large for one record, and what became of them, by a codec of its own; for 64-parts.sh.

parts.py make KIND BYTES [--huge BYTES] [-o FILE]   a body of about BYTES: logs, traces, metrics (OTLP), rw1, rw2, loki (in a snappy block),
                                                    json (OTLP logs in JSON). --huge: and one item of that many bytes in its middle.
                                                    Prints how many items there are
parts.py check KIND LIMIT                           lines of `records` on standard input, of one request: prints parts, items, whether the
                                                    numbers are 1/N..N/N, the items those of the body, in its order and each in what enclosed it,
                                                    no record larger than LIMIT, and the tenant in each once
Standard library only.
"""
import json
import sys

PAD = 700


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def data(number, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def whole(number, value):
    return varint(number << 3) + varint(value)


def fixed(number, value):
    return varint(number << 3 | 1) + value.to_bytes(8, "little")


def fields(message):
    at = 0

    def read():
        nonlocal at
        shift = value = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        tag = read()
        if tag & 7 == 0:
            yield tag >> 3, read()
        elif tag & 7 == 2:
            size = read()
            yield tag >> 3, message[at:at + size]
            at += size
        else:
            size = 8 if tag & 7 == 1 else 4
            yield tag >> 3, message[at:at + size]
            at += size


def all_of(message, number):
    return [value for n, value in fields(message) if n == number]


def first(message, number):
    return next((value for n, value in fields(message) if n == number), b"")


def snappy(plain):
    out = bytearray(varint(len(plain)))
    for at in range(0, len(plain), 1 << 20):
        piece = plain[at:at + (1 << 20)]
        out += bytes([62 << 2]) + (len(piece) - 1).to_bytes(3, "little") + piece
    return bytes(out)


def pairs(kind, count):
    """Where each item stands, and its name: two in two."""
    for i in range(count):
        where = i * 4 // count
        yield where // 2, where % 2, f"{kind}-{where // 2}-{where % 2}-{i:06d}"


# ---- to make ----

def attribute(name, value):
    return data(1, name) + data(2, data(1, value))


def item_of(kind, name, pad):
    if kind == "logs":
        return data(2, fixed(1, 1) + data(5, data(1, name + "x" * pad)))
    if kind == "traces":
        return data(2, data(1, bytes(range(16))) + data(2, bytes(range(8))) + data(5, name + "x" * pad) + fixed(7, 1) + fixed(8, 2))
    return data(1, fixed(3, 1) + fixed(4, 0) + data(7, attribute("n", name + "x" * pad)))


def make_otlp(kind, names):
    resources = {}
    for r, s, name, pad in names:
        resources.setdefault(r, {}).setdefault(s, []).append(item_of(kind, name, pad))
    body = b""
    for r, scopes in resources.items():
        inside = data(1, data(1, attribute("service.name", f"r{r}")))
        for s, items in scopes.items():
            items = b"".join(items)
            if kind == "metrics":
                items = data(2, data(1, f"m{r}{s}") + data(3, "unit") + data(7, items + whole(2, 2) + whole(3, 1)))
            inside += data(2, data(1, data(1, f"s{s}")) + items + data(3, "schema"))
        body += data(1, inside + data(3, "schema"))
    return body


def make_json(names):
    resources = {}
    for r, s, name, pad in names:
        resources.setdefault(r, {}).setdefault(s, []).append({"timeUnixNano": "1", "body": {"stringValue": name + "x" * pad}})
    return json.dumps({"resourceLogs": [
        {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": f"r{r}"}}]},
         "scopeLogs": [{"scope": {"name": f"s{s}"}, "logRecords": items, "schemaUrl": "schema"} for s, items in scopes.items()],
         "schemaUrl": "schema"}
        for r, scopes in resources.items()]}).encode()


def make_rw1(names):
    body = bytearray()
    for r, s, name, pad in names:
        labels = [("__name__", "m"), ("n", name + "x" * pad), ("where", f"{r}{s}")]
        body += data(1, b"".join(data(1, data(1, k) + data(2, v)) for k, v in labels) + data(2, fixed(1, 0) + whole(2, 1764000000000)))
    return snappy(bytes(body))


def make_rw2(names):
    symbols, series = [""], bytearray()
    index = {"": 0}

    def ref(text):
        if text not in index:
            index[text] = len(symbols)
            symbols.append(text)
        return varint(index[text])

    for r, s, name, pad in names:
        labels = [("__name__", "m"), ("n", name + "x" * pad), ("where", f"{r}{s}")]
        refs = b"".join(ref(k) + ref(v) for k, v in labels)
        series += data(5, data(1, refs) + data(2, fixed(1, 0) + whole(2, 1764000000000)) + data(5, whole(1, 2)))
    return snappy(b"".join(data(4, each) for each in symbols) + bytes(series))


def make_loki(names):
    streams = {}
    for r, s, name, pad in names:
        streams.setdefault((r, s), []).append(data(2, data(1, whole(1, 1764000000)) + data(2, name + "x" * pad)))
    return snappy(b"".join(data(1, data(1, f'{{where="{r}{s}"}}') + b"".join(entries)) for (r, s), entries in streams.items()))


def make(arguments):
    kind, size = arguments[0], int(arguments[1])
    huge = int(arguments[arguments.index("--huge") + 1]) if "--huge" in arguments else 0
    names = [(r, s, name, PAD - 60) for r, s, name in pairs(kind, size // PAD)]
    if huge:
        middle = len(names) // 2
        r, s = names[middle][:2] if names else (0, 0)
        names.insert(middle, (r, s, "huge", huge))
    body = (make_json(names) if kind == "json" else make_rw1(names) if kind == "rw1" else make_rw2(names) if kind == "rw2"
            else make_loki(names) if kind == "loki" else make_otlp(kind, names))
    if "-o" in arguments:
        open(arguments[arguments.index("-o") + 1], "wb").write(body)
    print(len(names))


# ---- to check ----

class Strange(Exception):
    pass


def need(fact, text):
    if not fact:
        raise Strange(text)


def key_values(message, number):
    return [(first(a, 1).decode(), first(first(a, 2), 1).decode()) for a in all_of(message, number)]


def read_otlp(kind, value):
    for resource in all_of(value, 1):
        tags = key_values(first(resource, 1), 1)
        need([v for k, v in tags if k == "tenant_id"] == ["acme"], f"tenant in {tags}")
        r = dict(tags)["service.name"]
        need(first(resource, 3) == b"schema", "schema of a resource")
        scopes = all_of(resource, 2)
        need(scopes, "a resource without scopes")
        for scope in scopes:
            s = first(first(scope, 1), 1).decode()
            need(first(scope, 3) == b"schema", "schema of a scope")
            items = all_of(scope, 2)
            need(items, "a scope without items")
            for item in items:
                if kind == "logs":
                    yield r + s, first(first(item, 5), 1).decode()
                elif kind == "traces":
                    need(first(item, 1) == bytes(range(16)), "trace id")
                    yield r + s, first(item, 5).decode()
                else:
                    need(first(item, 3) == b"unit", "unit of a metric")
                    of_sum = first(item, 7)
                    need(dict(fields(of_sum)).get(2) == 2 and dict(fields(of_sum)).get(3) == 1, "temporality of a sum")
                    for point in all_of(of_sum, 1):
                        yield r + s, key_values(point, 7)[0][1]


def series_item(labels):
    need([k for k, v in labels] == sorted(k for k, v in labels), "labels are not sorted")
    need([v for k, v in labels if k == "tenant_id"] == ["acme"], "tenant of a series")
    where = dict(labels)["where"]
    return f"r{where[0]}s{where[1]}", dict(labels)["n"]


def read_rw1(value):
    for series in all_of(value, 1):
        need(len(all_of(series, 2)) == 1, "samples")
        yield series_item([(first(each, 1).decode(), first(each, 2).decode()) for each in all_of(series, 1)])


def numbers(packed):
    out, shift, value = [], 0, 0
    for byte in packed:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(value)
            shift = value = 0
    return out


def read_rw2(value):
    symbols = [each.decode() for each in all_of(value, 4)]
    need(symbols[0] == "", "the first symbol")
    for series in all_of(value, 5):
        refs = [symbols[i] for i in numbers(first(series, 1))]
        need(len(all_of(series, 2)) == 1, "samples")
        need(dict(fields(first(series, 5))).get(1) == 2, "metadata")
        yield series_item(list(zip(refs[::2], refs[1::2])))


def read_loki(value):
    for stream in all_of(value, 1):
        labels = first(stream, 1).decode()
        need(labels.count("tenant_id=\"acme\"") == 1, labels)
        where = labels.split('where="')[1][:2]
        entries = all_of(stream, 2)
        need(entries, "a stream without entries")
        for entry in entries:
            yield f"r{where[0]}s{where[1]}", first(entry, 2).decode()


def read(kind, value):
    if kind == "rw1":
        return read_rw1(value)
    if kind == "rw2":
        return read_rw2(value)
    if kind == "loki":
        return read_loki(value)
    return read_otlp("logs" if kind == "json" else kind, value)


def check(kind, limit):
    parts, ids, largest = {}, set(), 0
    for line in sys.stdin:
        record = json.loads(line)
        headers = {name: bytes.fromhex(value) for name, value in record["headers"]}
        value = bytes.fromhex(record["value"])
        ids.add(headers["headgate-request-id"])
        k, n = headers["headgate-part"].decode().split("/")
        need(int(k) not in parts, f"part {k} twice")
        parts[int(k)] = value
        size = len(bytes.fromhex(record["key"])) + sum(len(name) + len(text) for name, text in headers.items()) + len(value) + 512
        largest = max(largest, size)
    need(len(ids) == 1, f"{len(ids)} requests")
    need(sorted(parts) == list(range(1, int(n) + 1)), f"parts {sorted(parts)} of {n}")
    need(largest <= limit, f"a record of {largest} bytes")
    items = []
    for k in sorted(parts):
        of_part = list(read(kind, parts[k]))
        need(of_part, f"part {k} is empty")
        items += of_part
    wanted = [(f"r{r}s{s}", name) for r, s, name in pairs(kind, len(items))]
    got = [(where, name.rstrip("x")) for where, name in items]
    need(got == wanted, next((f"{a} for {b}" for a, b in zip(got, wanted) if a != b), "items"))
    print(len(parts), len(items))


if sys.argv[1] == "make":
    make(sys.argv[2:])
else:
    try:
        check(sys.argv[2], int(sys.argv[3]))
    except Strange as why:
        sys.exit(f"strange: {why}")
