# SPDX-License-Identifier: Apache-2.0
"""micromegas.py < RECORDS -- what `topic read` prints of a topic of micromegas' blobs, as one JSON line a record, by decoders of our own.

The line: route (of its header), key, tenant (of its header), what (the CBOR of the body; byte strings as {"bytes": count}), and for a
block its objects and dependencies: their LZ4 frames, undone, as text, with a dot for what is none.
"""
import json
import sys


class Cbor:
    """RFC 8949, as far as serde writes it."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise ValueError("CBOR ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def item(self):
        first = self.take(1)[0]
        major, more = first >> 5, first & 31
        if major == 7:
            return {20: False, 21: True, 22: None}[more]
        if more > 27:
            raise ValueError(f"CBOR begins with {first:#x}")
        count = more if more < 24 else int.from_bytes(self.take(1 << (more - 24)), "big")
        if major == 0:
            return count
        if major == 1:
            return -1 - count
        if major == 2:
            return self.take(count)
        if major == 3:
            return self.take(count).decode()
        if major == 4:
            return [self.item() for _ in range(count)]
        if major == 5:
            return {self.item(): self.item() for _ in range(count)}
        raise ValueError(f"CBOR begins with {first:#x}")


def lz4_block(data, out):
    at = 0

    def length(value):
        nonlocal at
        while value >= 15:
            more = data[at]
            at += 1
            value += more
            if more != 255:
                break
        return value

    while at < len(data):
        token = data[at]
        at += 1
        literals = length(token >> 4)
        out += data[at:at + literals]
        at += literals
        if at == len(data):
            return
        back = int.from_bytes(data[at:at + 2], "little")
        at += 2
        if not 0 < back <= len(out):
            raise ValueError("LZ4 looks back too far")
        for _ in range(length(token & 15) + 4):
            out.append(out[-back])


def lz4_frame(data):
    if data[:4] != b"\x04\x22\x4d\x18":
        raise ValueError("no LZ4 frame")
    flags = data[4]
    at = 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    out = bytearray()
    while True:
        size = int.from_bytes(data[at:at + 4], "little")
        at += 4
        if size == 0:
            break
        part = data[at:at + (size & 0x7FFFFFFF)]
        if size >> 31:
            out += part
        else:
            lz4_block(part, out)
        at += len(part) + (4 if flags & 16 else 0)
    if len(data) - at != (4 if flags & 4 else 0):
        raise ValueError("bytes after the LZ4 frame")
    return bytes(out)


def shown(value):
    if isinstance(value, bytes):
        return {"bytes": len(value)}
    if isinstance(value, list):
        return [shown(each) for each in value]
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items()}
    return value


def decode(record):
    headers = {name: bytes.fromhex(value).decode() for name, value in record["headers"]}
    cbor = Cbor(bytes.fromhex(record["value"]))
    what = cbor.item()
    if cbor.at != len(cbor.data):
        raise ValueError("bytes after the CBOR")
    out = {"route": headers["headgate-route"], "key": bytes.fromhex(record["key"]).decode(), "tenant": headers["tenant_id"],
           "signal": headers["signal"], "format": headers["format"], "type": headers["content-type"], "what": shown(what)}
    for part in ("objects", "dependencies"):
        if "payload" in what:
            text = lz4_frame(what["payload"][part]).decode("utf-8", "replace")
            out[part] = "".join(each if each.isprintable() else "." for each in text)
    return out


def main():
    for line in sys.stdin:
        print(json.dumps(decode(json.loads(line)), ensure_ascii=False))


if __name__ == "__main__":
    main()
