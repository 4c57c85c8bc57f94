# SPDX-License-Identifier: Apache-2.0
"""otlp.py -- OTLP request bodies in protobuf, encoded by hand, so that broken and odd ones can be made too.

Standard library only; also a module (body()). A body carries its marker as the resource attribute "marker", which no other body has
unless it is given; items are named "<marker>-0", "<marker>-1" and so on.
"""
import argparse
import gzip
import struct
import sys
import uuid

TIME_NS = 1_700_000_000_000_000_000
SIGNALS = ("traces", "metrics", "logs")


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    """Length-delimited for bytes and str, a varint for int."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def any_string(text):
    return field(1, text)


def key_value(key, text):
    return field(1, key) + field(2, any_string(text))


def nested(depth):
    """An AnyValue that holds DEPTH arrays, one in the other; built in one pass, for depths of a million."""
    innermost = any_string("deep")
    size, heads = len(innermost), []
    for _ in range(depth):
        values = varint(1 << 3 | 2) + varint(size)
        array = varint(5 << 3 | 2) + varint(size + len(values))
        size += len(values) + len(array)
        heads.append(array + values)
    return b"".join(reversed(heads)) + innermost


def unknown():
    """Fields that no schema has: one of each wire type."""
    return field(4000, 7) + fixed64(4001, 8) + field(4002, b"\xff\x00unknown") + varint(4003 << 3 | 5) + b"abcd"


def attributes(number, options, marker):
    out = b"".join(field(number, key_value(f"attribute.{i}", f"value {i} of {marker}")) for i in range(options.attributes))
    if options.pad:
        out += field(number, key_value("pad", "p" * options.pad))
    if options.nested:
        out += field(number, field(1, "nested") + field(2, nested(options.nested)))
    return out


def span(options, marker, i):
    ident = uuid.uuid5(uuid.NAMESPACE_OID, f"{marker}-{i}").bytes
    return (field(1, ident) + field(2, ident[:8]) + field(5, f"{marker}-{i}") + field(6, 2) + fixed64(7, TIME_NS)
            + fixed64(8, TIME_NS + 1_000_000) + attributes(9, options, marker))


def metric(options, marker, i):
    point = fixed64(3, TIME_NS) + fixed64(6, i) + attributes(7, options, marker)
    return field(1, f"{marker}-{i}") + field(3, "1") + field(5, field(1, point))


def log(options, marker, i):
    text = any_string(f"{marker}-{i}")
    return fixed64(1, TIME_NS) + field(2, 9) + field(3, "INFO") + field(5, text) + attributes(6, options, marker)


ITEMS = {"traces": span, "metrics": metric, "logs": log}


def resource(options, marker, pairs):
    out = b"".join(field(1, key_value(key, value)) for key, value in pairs)
    return out + (unknown() if options.unknown else b"")


def body(options, marker):
    """One request of options.items items in each of options.resources resources."""
    tail = unknown() if options.unknown else b""
    out = b""
    for _ in range(options.resources):
        pairs = [("service.name", "way"), ("marker", marker)] + [tuple(pair.split("=", 1)) for pair in options.resource]
        items = b"".join(field(2, ITEMS[options.signal](options, marker, i) + tail) for i in range(options.items))
        scope = field(1, field(1, "otlp.py") + field(2, "1"))
        whole = b"" if options.no_resource else field(1, resource(options, marker, pairs))
        for again in options.again:
            whole += field(1, field(1, key_value(*again.split("=", 1))))
        out += field(1, whole + field(2, scope + items + tail) + tail)
    return out + tail


def parser():
    words = argparse.ArgumentParser(prog="otlp.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("signal", choices=SIGNALS)
    words.add_argument("-n", "--items", type=int, default=1, help="in each resource")
    words.add_argument("-a", "--attributes", type=int, default=2, help="of each item")
    words.add_argument("-m", "--marker", help="the default is a random one")
    words.add_argument("-r", "--resource", action="append", default=[], metavar="KEY=VALUE", help="resource attribute, repeatable")
    words.add_argument("--again", action="append", default=[], metavar="KEY=VALUE",
                       help="one more `resource` field with this attribute (repeats merge), repeatable")
    words.add_argument("--no-resource", action="store_true", help="no `resource` at all")
    words.add_argument("--resources", type=int, default=1, help="ResourceSpans and the like in the request")
    words.add_argument("--pad", type=int, default=0, metavar="BYTES", help="an attribute of that size in each item")
    words.add_argument("--nested", type=int, default=0, metavar="DEPTH", help="an attribute of arrays within arrays")
    words.add_argument("--unknown", action="store_true", help="unknown fields on each level")
    words.add_argument("-z", "--gzip", action="store_true")
    words.add_argument("-o", "--output", help="a file; the default is standard output")
    return words


def main():
    options = parser().parse_args()
    made = body(options, options.marker or uuid.uuid4().hex)
    if options.gzip:
        made = gzip.compress(made, mtime=0)
    if options.output:
        with open(options.output, "wb") as out:
            out.write(made)
    else:
        sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
