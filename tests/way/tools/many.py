# SPDX-License-Identifier: Apache-2.0
"""many.py HOST:PORT TOKEN DIR -- many connections that all send the same tiny log record, in two rounds.

First a few at a time, until each connection had its answer; DIR/warm tells how many there were of each. Then, once DIR/away is there, all
at once; DIR/full tells of the first --answers. The others wait on until the process is ended.
"""
import argparse
import collections
import os
import re
import selectors
import socket
import time

import otlp

PATIENCE_S = 30


def request_of(token):
    body = otlp.field(1, otlp.field(2, otlp.field(2, otlp.field(5, otlp.any_string("ab")))))
    head = (f"POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\ntraceparent: 00-{'a' * 32}-{'b' * 16}-01\r\n"
            f"Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n")
    return head.encode() + body


def ask(links, request, answers):
    """What the first so many of them were told: "200", or "503 hg-overload"."""
    told, end = collections.Counter(), time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as watch:
        for link in links:
            link.sendall(request)
            watch.register(link, selectors.EVENT_READ)
        while told.total() < answers and time.monotonic() < end:
            for key, _ in watch.select(1):
                data = key.fileobj.recv(65536)
                watch.unregister(key.fileobj)
                status = re.match(rb"HTTP/1.1 (\d+)", data)
                verdict = re.search(rb"hg-[a-z-]+", data)
                told[" ".join(part.decode() for part in (status and status[1], verdict and verdict[0]) if part) or "closed"] += 1
    return told


def tell(path, told):
    with open(path + ".new", "w", encoding="ascii") as file:
        print(" ".join(f"{what}:{count}" for what, count in sorted(told.items())), file=file)
    os.rename(path + ".new", path)


def main():
    words = argparse.ArgumentParser(prog="many.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("address")
    words.add_argument("token")
    words.add_argument("dir")
    words.add_argument("--connections", type=int, default=900)
    words.add_argument("--at-once", type=int, default=30, help="in the first round")
    words.add_argument("--answers", type=int, default=500, help="of the second round, to wait for")
    options = words.parse_args()
    host, port = options.address.rsplit(":", 1)
    request = request_of(options.token)
    links = [socket.create_connection((host, int(port))) for _ in range(options.connections)]
    warm = collections.Counter()
    for i in range(0, len(links), options.at_once):
        few = links[i:i + options.at_once]
        warm += ask(few, request, len(few))
    tell(os.path.join(options.dir, "warm"), warm)
    while not os.path.exists(os.path.join(options.dir, "away")):
        time.sleep(0.02)
    tell(os.path.join(options.dir, "full"), ask(links, request, options.answers))
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
