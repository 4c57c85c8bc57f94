#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""codes.py HOST:PORT COUNT <TOKEN: requests with that token, a connection each, so that the kernel spreads them over all
workers. Prints how often each status came: `1000 401`. The body has no type, so a good token is 415."""
import collections
import http.client
import sys

address, count = sys.argv[1], int(sys.argv[2])
token = sys.stdin.readline().strip()
seen = collections.Counter()
for _ in range(count):
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("POST", "/v1/logs", body=b"x", headers={"Authorization": f"Bearer {token}"})
    seen[connection.getresponse().status] += 1
    connection.close()
print(*(f"{n} {code}" for code, n in sorted(seen.items())))
