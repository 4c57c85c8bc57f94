#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loki pushes for way tests, by a codec of its own.

loki.py encode [--plain] [-o FILE] [PUSH]   a push as protobuf in a snappy block (--plain: without the block). PUSH, or standard input, is
                                            JSON: [["{label text}", [["<ns>", "line", {"k": "v"}], ...]], ...]
loki.py decode                              lines of `records` on standard input: each as one line [["{label text}", [[ns, line, {..}]]]]
loki.py text SIZE                           a push in Loki JSON of about SIZE bytes, in zeros: what a bomb inflates to
"""
import json
import sys


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    return varint(number << 3 | 2) + varint(len(value)) + value


def text(s):
    return s.encode("utf-8", "surrogateescape")


def entry(value):
    seconds, nanos = divmod(int(value[0]), 1000000000)
    out = field(1, field(1, seconds) + field(2, nanos)) + field(2, text(value[1]))
    for name, each in (value[2] if len(value) > 2 else {}).items():
        out += field(3, field(1, text(name)) + field(2, text(each)))
    return out


def message(push):
    out = b""
    for labels, entries in push:
        stream = field(1, text(labels)) + b"".join(field(2, entry(value)) for value in entries)
        out += field(1, stream + field(3, 7))
    return out


def block(plain):
    """A snappy block of literals alone."""
    out = varint(len(plain))
    for at in range(0, len(plain), 65536):
        part = plain[at:at + 65536]
        out += bytes([61 << 2]) + (len(part) - 1).to_bytes(2, "little") + part
    return out


def fields(data):
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
        elif tag & 7 == 2:
            size = number()
            if size > len(data) - at:
                raise ValueError("a length past the end")
            yield tag >> 3, data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {tag & 7}")


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def decode_entry(data):
    time, line, pairs = 0, "", {}
    for number, value in fields(data):
        if number == 1:
            for part, amount in fields(value):
                time += signed(amount) * (1000000000 if part == 1 else 1)
        elif number == 2:
            line = value.decode()
        elif number == 3:
            pair = dict(fields(value))
            pairs[pair.get(1, b"").decode()] = pair.get(2, b"").decode()
        else:
            raise ValueError(f"field {number} of an entry")
    return [str(time), line, pairs]


def decode(data):
    push = []
    for number, value in fields(data):
        if number != 1:
            raise ValueError(f"field {number} of a push")
        labels, entries = None, []
        for part, inside in fields(value):
            if part == 1:
                labels = inside.decode()
            elif part == 2:
                entries.append(decode_entry(inside))
            else:
                raise ValueError(f"field {part} of a stream")
        push.append([labels, entries])
    return push


def main(arguments):
    verb = arguments.pop(0) if arguments else ""
    if verb == "decode":
        for line in sys.stdin:
            push = decode(bytes.fromhex(json.loads(line)["value"]))
            print(json.dumps(push, ensure_ascii=False, separators=(",", ":")))
        return 0
    if verb == "text":
        sys.stdout.write('{"streams":[{"stream":{"a":"b"},"values":[["1","' + "0" * int(arguments[0]) + '"]]}]}')
        return 0
    if verb != "encode":
        sys.exit(__doc__)
    plain = "--plain" in arguments
    arguments = [each for each in arguments if each != "--plain"]
    out = sys.stdout.buffer
    if arguments and arguments[0] == "-o":
        out = open(arguments[1], "wb")
        del arguments[:2]
    body = message(json.loads(arguments[0] if arguments else sys.stdin.read()))
    out.write(body if plain else block(body))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
