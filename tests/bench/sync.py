# SPDX-License-Identifier: Apache-2.0
"""sync.py FOLDER -- how long this disk takes to append a group of records and sync it: what a COMMIT of the local store waits for."""
import json
import os
import sys
import time

BLOCK_BYTES, ROUNDS = 150_000, 200

path = os.path.join(sys.argv[1], "synced")
fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
times = []
for _ in range(ROUNDS):
    block = os.urandom(BLOCK_BYTES)
    begun = time.monotonic()
    os.write(fd, block)
    os.fdatasync(fd)
    times.append((time.monotonic() - begun) * 1000)
os.close(fd)
os.unlink(path)
times.sort()
print(json.dumps({"disk": "150 kB appended, then fdatasync", "p50_ms": round(times[ROUNDS // 2], 2),
                  "p99_ms": round(times[ROUNDS * 99 // 100], 2)}))
