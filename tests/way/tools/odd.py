# SPDX-License-Identifier: Apache-2.0
"""odd.py DIR -- OTLP bodies that are unusual, and what must become of each (protocols.md 2, records.md 1.2).

Writes DIR/200.SIGNAL.NAME beside DIR/200.SIGNAL.NAME.want, the record's value when the tenant is "acme"; and DIR/400.SIGNAL.NAME. What is
wanted is not computed from the body: both are made of the same parts, with the client's tenant or with the stamp.
Standard library only.
"""
import os
import struct
import sys

from otlp import any_string, field, fixed64, key_value, nested, unknown, varint

STAMP = field(1, key_value("tenant_id", "acme"))
FORGED = field(1, key_value("tenant_id", "forged"))
OWN = field(1, key_value("service.name", "odd"))
SIGNALS = ("traces", "metrics", "logs")
STALE_NAN = 0x7FF0000000000002


def padded(number, size):
    """A varint of more bytes than it needs."""
    out = bytearray((number >> 7 * i & 127) | 128 for i in range(size))
    out[-1] &= 127
    return bytes(out)


def item(signal, name="odd", more=b""):
    """A span, a metric of one point, a log record."""
    if signal == "traces":
        return field(1, b"t" * 16) + field(2, b"s" * 8) + field(5, name) + more
    if signal == "metrics":
        return field(1, name) + field(5, field(1, fixed64(3, 1) + fixed64(6, 7))) + more
    return fixed64(1, 1) + field(5, any_string(name)) + more


def scope(signal, name="odd", more=b""):
    """The envelope's field 2 with one item."""
    return field(2, field(1, field(1, "odd.py")) + field(2, item(signal, name, more)))


def pair(*parts):
    return field(1, b"".join(parts))


def removals():
    """Resource attributes that are the client's tenant however it is written, and some that are not."""
    key, value = field(1, "tenant_id"), field(2, any_string("forged"))
    return {
        "plain": (FORGED, b""),
        "twice": (FORGED + FORGED, b""),
        "key-last-wins": (pair(field(1, "innocent"), key, value), b""),
        "key-around-value": (pair(field(1, "innocent"), value, key), b""),
        "value-first": (pair(value, key), b""),
        "value-twice": (pair(key, value, field(2, any_string("forged too"))), b""),
        "no-value": (pair(key), b""),
        "a-number": (pair(key, field(2, field(3, 7))), b""),
        "an-array": (pair(key, field(2, nested(3))), b""),
        "unknown-inside": (pair(key, unknown(), value), b""),
        "padded-lengths": (pair(b"\x0a" + padded(9, 3) + b"tenant_id", value), b""),
        "padded-tag": (padded(0x0A, 2) + varint(len(key + value)) + key + value, b""),
        "padded-key-tag": (pair(padded(0x0A, 4) + b"\x09tenant_id", value), b""),
        "kept-other-key-last": (pair(key, field(1, "innocent"), value),) * 2,
        "kept-longer": (pair(field(1, "tenant_id2"), value),) * 2,
        "kept-shorter": (pair(field(1, "tenant_i"), value),) * 2,
        "kept-capitals": (pair(field(1, "Tenant_Id"), value),) * 2,
        "kept-with-nul": (pair(field(1, "tenant_id\0"), value),) * 2,
        "kept-in-a-map": (pair(field(1, "map"), field(2, field(6, pair(key, value)))),) * 2,
        "kept-empty-pair": (pair(),) * 2,
    }


def good(signal):
    """name: (body, what the record must hold)."""
    rest = scope(signal)
    cases = {}

    def same(name, resource, after, tail=b""):
        cases[name] = (field(1, field(1, resource) + after) + tail, field(1, field(1, resource + STAMP) + after) + tail)

    same("plain", OWN, rest)
    same("empty-resource", b"", rest)
    same("unknown-everywhere", OWN + unknown(),
         field(2, field(1, field(1, "odd.py") + unknown()) + field(2, item(signal, more=unknown())) + unknown()) + unknown(), unknown())
    same("item-and-scope-keep-theirs", OWN,
         field(2, field(1, field(3, key_value("tenant_id", "of the scope"))) + field(2, item(signal))))
    same("nul-in-text", field(1, key_value("a\0b", "c\0d")), rest)
    same("refs-and-drops", OWN + field(2, 3) + field(3, field(2, "service") + field(3, "service.name")), rest)
    same("padded-varints", pair(field(1, "n"), field(2, b"\x18" + padded(7, 10))) + pair(field(1, "b"), field(2, b"\x10\x05")), rest)
    same("schema-urls", OWN, field(2, field(1, b"") + field(2, item(signal)) + field(3, "https://example.com/1")) + field(3, "https://example.com/2"))
    same("long-text", field(1, key_value("long", "x" * 70000)), rest)
    same("deprecated-field", OWN, rest + field(1000, b"\x0a\x02xx"))
    for size in (100, 105, 106, 107, 16360, 16365):  # our stamp makes the length of the resource, or of all, one byte longer
        same(f"length-{size}", field(1, key_value("k", "v" * (size - 9))), rest)

    cases["no-resource"] = (field(1, rest), field(1, rest + field(1, STAMP)))
    cases["resource-behind"] = (field(1, rest + field(1, OWN)), field(1, rest + field(1, OWN + STAMP)))
    cases["two-resources"] = (field(1, field(1, OWN + FORGED) + rest + field(1, FORGED)), field(1, field(1, OWN) + rest + field(1, STAMP)))
    cases["two-envelopes"] = (field(1, field(1, FORGED) + rest) + field(1, rest),
                              field(1, field(1, STAMP) + rest) + field(1, rest + field(1, STAMP)))
    for name, (sent, kept) in removals().items():
        cases["tenant-" + name] = (field(1, field(1, OWN + sent) + rest), field(1, field(1, OWN + kept + STAMP) + rest))
        cases["tenant-" + name + "-in-second"] = (field(1, field(1, OWN) + field(1, sent) + rest), field(1, field(1, OWN) + field(1, kept + STAMP) + rest))
    return cases


def good_of_one_signal():
    """signal: {name: (body, wanted)} of what only it can hold."""
    def both(signal, thing, wanted=None):
        rest, kept = (field(2, field(1, b"") + field(2, each)) for each in (thing, thing if wanted is None else wanted))
        return field(1, field(1, OWN) + rest), field(1, field(1, OWN + STAMP) + kept)

    counts = struct.pack("<3Q", 1, 2, 3)
    unpacked = fixed64(6, 1) + fixed64(6, 2) + fixed64(6, 3)
    mixed = field(6, counts[:8]) + fixed64(6, 2) + field(6, counts[16:])

    def histogram(buckets):
        return field(1, "buckets") + field(9, field(1, fixed64(3, 1) + fixed64(4, 6) + buckets) + field(2, 2))

    def number(bits):
        return field(1, "number") + field(5, field(1, fixed64(3, 1) + fixed64(4, bits)))

    return {
        "traces": {
            "item-attributes": both("traces", item("traces", more=field(9, key_value("tenant_id", "of the span")))),
            "odd-enum": both("traces", item("traces", more=field(6, 77))),
            "event-and-link": both("traces", item("traces", more=field(11, field(2, "event")) + field(13, field(1, b"t" * 16) + field(2, b"s" * 8)))),
            "no-ids": both("traces", field(5, "no ids") + field(1, b"") + field(2, b"")),
            "depth-64": both("traces", item("traces", more=field(9, field(1, "deep") + field(2, nested(29))))),
            "bytes-are-free": both("traces", item("traces", more=field(9, field(1, "b") + field(2, field(7, b"\xff\xfe\x00"))))),
        },
        "metrics": {
            "packed": both("metrics", histogram(field(6, counts))),
            "unpacked": both("metrics", histogram(unpacked)),
            "mixed": both("metrics", histogram(mixed)),
            "stale-nan": both("metrics", number(STALE_NAN)),
            "other-nan": both("metrics", number(0xFFF8DEADBEEF0001)),
            "depth-64": both("metrics", field(1, "deep") + field(5, field(1, fixed64(6, 1) + field(7, field(1, "d") + field(2, nested(28)))))),
        },
        "logs": {
            "item-attributes": both("logs", item("logs", more=field(6, key_value("tenant_id", "of the record")))),
            "depth-63": both("logs", fixed64(1, 1) + field(5, nested(29))),
            "depth-64": both("logs", item("logs", more=field(6, field(1, "deep") + field(2, nested(29))))),
            # P10: container runtimes cut lines inside a character
            "mended-cut": both("logs", fixed64(1, 1) + field(5, field(1, b"caf\xc3")), fixed64(1, 1) + field(5, field(1, "caf\ufffd"))),
            "mended-twice-one-item": both("logs", field(3, b"\xff") + field(5, field(1, b"a\xe2\x82")),
                                          field(3, "\ufffd") + field(5, field(1, "a\ufffd\ufffd"))),
            "mended-key": both("logs", item("logs", more=field(6, field(1, b"k\x80") + field(2, any_string("v")))),
                               item("logs", more=field(6, field(1, "k\ufffd") + field(2, any_string("v"))))),
        },
    }


def broken():
    """Bytes that no message may hold, wherever they stand."""
    return {
        "group-start": varint(4000 << 3 | 3) + varint(4000 << 3 | 4),
        "group-end": varint(4000 << 3 | 4),
        "wire-6": varint(4000 << 3 | 6),
        "wire-7": varint(4000 << 3 | 7),
        "field-0": b"\x00\x00",
        "field-0-bytes": b"\x02\x00",
        "field-too-high": b"\x80\x80\x80\x80\x10\x00",
        "tag-of-6-bytes": b"\x8a\x80\x80\x80\x80\x00\x00",
        "varint-of-11-bytes": varint(4000 << 3) + b"\x80" * 10 + b"\x00",
        "varint-of-65-bits": varint(4000 << 3) + b"\xff" * 9 + b"\x02",
        "length-past-the-end": varint(4000 << 3 | 2) + b"\x7fxx",
        "length-of-64-bits": varint(4000 << 3 | 2) + b"\xff" * 9 + b"\x01",
        "fixed64-cut": varint(4000 << 3 | 1) + b"1234567",
        "fixed32-cut": varint(4000 << 3 | 5) + b"123",
        "varint-cut": varint(4000 << 3) + b"\x80",
        "tag-cut": b"\x80",
    }


def placed(signal, bad):
    """The body with `bad` at the end of a message of each level."""
    rest = scope(signal)
    return {
        "top": field(1, field(1, OWN) + rest) + bad,
        "envelope": field(1, field(1, OWN) + rest + bad),
        "resource": field(1, field(1, OWN + bad) + rest),
        "pair": field(1, field(1, pair(field(1, "k"), field(2, any_string("v")), bad)) + rest),
        "value": field(1, field(1, pair(field(1, "k"), field(2, any_string("v") + bad))) + rest),
        "scope": field(1, field(1, OWN) + field(2, field(1, field(1, "s") + bad) + field(2, item(signal)))),
        "item": field(1, field(1, OWN) + scope(signal, more=bad)),
    }


def bad(signal):
    rest = scope(signal)
    whole = field(1, field(1, OWN) + rest)
    cases = {
        "not-protobuf": b'{"resourceLogs":[]}',
        "cut": whole[:-1],
        "wrong-type-top": b"\x08\x01",
        "wrong-type-resource": field(1, b"\x08\x01" + rest),
        "wrong-type-key": field(1, field(1, pair(b"\x08\x01")) + rest),
        "wrong-type-item": field(1, field(2, b"\x10\x01")),
    }
    wanted = broken() if signal == "logs" else {name: broken()[name] for name in ("group-start", "field-0", "length-past-the-end")}
    for name, bytes_ in wanted.items():
        for place, body in placed(signal, bytes_).items():
            cases[f"{name}-{place}"] = body
    return cases


def bad_of_one_signal():
    def body(thing):
        return field(1, field(1, OWN) + field(2, field(2, thing)))

    forty_two_kb = body(fixed64(1, 1) + field(5, nested(6000)))
    deep = {f"depth-{n}": body(fixed64(1, 1) + field(5, nested(n))) for n in (100, 1000, 10000, 100000, 1000000)}
    return {
        "traces": {
            "trace-id-of-15": body(field(1, b"t" * 15) + field(5, "x")),
            "span-id-of-9": body(field(2, b"s" * 9) + field(5, "x")),
            "text-in-a-name": body(field(5, b"caf\xc3")),  # P10: strict, but for logs
            "surrogate-in-a-name": body(field(5, b"\xed\xa0\x80")),
            "overlong-in-a-name": body(field(5, b"\xc0\xaf")),
            "wrong-type-name": body(b"\x28\x01"),
            "depth-66": body(item("traces", more=field(9, field(1, "deep") + field(2, nested(30))))),
        },
        "metrics": {
            "text-in-a-name": body(field(1, b"\xff")),
            "packed-of-7-bytes": body(field(1, "x") + field(9, field(1, field(6, b"1234567")))),
            "wrong-type-point": body(field(1, "x") + field(5, b"\x08\x01")),
            "depth-66": body(field(5, field(1, field(7, field(1, "d") + field(2, nested(29)))))),
        },
        "logs": {
            "trace-id-of-1": body(field(9, b"t") + field(5, any_string("x"))),
            "depth-65": body(fixed64(1, 1) + field(5, nested(30))),  # P9
            "nested-of-42-kb": forty_two_kb,  # F44: 30 KB overflow the stack of protobuf-c's own unpack
            **deep,
        },
    }


def main(folder):
    os.makedirs(folder, exist_ok=True)

    def write(name, content):
        with open(os.path.join(folder, name), "wb") as out:
            out.write(content)

    for signal in SIGNALS:
        for name, (body, wanted) in {**good(signal), **good_of_one_signal()[signal]}.items():
            write(f"200.{signal}.{name}", body)
            write(f"200.{signal}.{name}.want", wanted)
        for name, body in {**bad(signal), **bad_of_one_signal()[signal]}.items():
            write(f"400.{signal}.{name}", body)


if __name__ == "__main__":
    main(sys.argv[1])
