# SPDX-License-Identifier: Apache-2.0
"""leave.py HOST:PORT FILE COUNT --token T --admin SOCKET -- posts FILE so many times to a gateway that does not answer for long: each time over
a connection of its own, which is given up once its record is on its way (by headgate_kafka_queue_messages of the admin socket).
"""
import argparse
import http.client
import re
import socket
import struct
import time

OPEN = 1000  # are open at once


def leave(link):
    """With a reset: who only ends his side may still wait for the answer."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def on_their_way(admin):
    link = http.client.HTTPConnection("localhost")
    link.sock = socket.socket(socket.AF_UNIX)
    link.sock.settimeout(20)
    link.sock.connect(admin)
    link.request("GET", "/metrics")
    text = link.getresponse().read().decode()
    link.close()
    return sum(int(float(n)) for n in re.findall(r"^headgate_kafka_queue_messages(?:\{[^}]*\})? (\S+)", text, re.M))


def main(options):
    host, port = options.address.rsplit(":", 1)
    with open(options.file, "rb") as file:
        body = file.read()
    head = (f"POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {options.token}\r\n"
            f"Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n")
    sent = 0
    while sent < options.count:
        links = []
        for _ in range(min(OPEN, options.count - sent)):
            link = socket.create_connection((host, int(port)), timeout=30)
            link.sendall(head.encode("ascii") + body)
            links.append(link)
        sent += len(links)
        while on_their_way(options.admin) < sent:
            time.sleep(0.05)
        for link in links:
            leave(link)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("file")
    parser.add_argument("count", type=int)
    parser.add_argument("--token", required=True)
    parser.add_argument("--admin", required=True)
    main(parser.parse_args())
