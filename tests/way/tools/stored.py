# SPDX-License-Identifier: Apache-2.0
"""stored.py FOLDER -- the rows of a local store (worker/store.h) as `topic read` prints records: JSON lines of partition (number of the
file), offset (seq), timestamp, key, headers [[name, hex]...], value; bytes in hex. Also topic and signal. It opens as any reader would:
read-only, with the -wal. A file without the table is passed over, for it is still being made. Fails if a checksum does not match.
"""
import json
import os
import re
import sqlite3
import sys


def table():
    words = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        words.append(n)
    return words


CRC32C = table()


def crc32c(value):
    crc = 0xFFFFFFFF
    for byte in value:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def rows(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'record'").fetchone():
            return
        yield from db.execute("SELECT seq, received_ms, tenant, topic, signal, headers, flags, crc32c, value FROM record ORDER BY seq")
    finally:
        db.close()


def main(folder):
    bad = 0
    for name in sorted(name for name in os.listdir(folder) if re.fullmatch(r"\d{10}\.db", name)):
        for seq, ms, tenant, topic, signal, headers, flags, crc, value in rows(os.path.join(folder, name)):
            if crc32c(value) != crc:
                print(f"stored.py: {name}: the checksum of row {seq} does not match", file=sys.stderr)
                bad += 1
            print(json.dumps({
                "partition": int(name[:10]), "offset": seq, "timestamp": ms, "key": tenant.encode().hex(), "topic": topic, "signal": signal,
                "flags": flags, "headers": [[name, text.encode().hex()] for name, text in json.loads(headers)], "value": value.hex()}))
    sys.exit(bad != 0)


if __name__ == "__main__":
    main(sys.argv[1])
