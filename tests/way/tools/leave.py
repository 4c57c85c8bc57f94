# SPDX-License-Identifier: Apache-2.0
"""leave.py HOST:PORT FILE COUNT --token T -- posts FILE so many times to a gateway that does not answer for long: each time over a connection
of its own, which is given up once the request is sent and so leaves its record on its way.
"""
import argparse
import collections
import socket
import struct
import time

OPEN = 1000  # are open at once, so that none is given up before its request was read


def leave(link):
    """With a reset: who only ends his side may still wait for the answer."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def main(options):
    host, port = options.address.rsplit(":", 1)
    with open(options.file, "rb") as file:
        body = file.read()
    head = (f"POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {options.token}\r\n"
            f"Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n")
    links = collections.deque()
    for _ in range(options.count):
        link = socket.create_connection((host, int(port)), timeout=10)
        link.sendall(head.encode("ascii") + body)
        links.append(link)
        if len(links) > OPEN:
            leave(links.popleft())
    time.sleep(1)  # for those that were sent last
    for link in links:
        leave(link)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("file")
    parser.add_argument("count", type=int)
    parser.add_argument("--token", required=True)
    main(parser.parse_args())
