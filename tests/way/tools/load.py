# SPDX-License-Identifier: Apache-2.0
"""load.py URL -- posts bodies, each known by its marker, and writes what became of each: for the proof that nothing is lost.

A line of the results: marker, status (000: no answer, so nothing is known of it), milliseconds, time in Unix ms of the answer. No body is
ever sent twice. It ends after --seconds or --requests or at SIGTERM, when the requests begun have their answers, and prints how
many there were of each status.
"""
import argparse
import collections
import http.client
import itertools
import select
import signal
import socket
import ssl
import sys
import threading
import time
import urllib.parse

import otlp

CONTENT_TYPE = "application/x-protobuf"


class Load:
    def __init__(self, options):
        self.options = options
        self.url = urllib.parse.urlsplit(options.url)
        self.shape = otlp.parser().parse_args([options.signal, "-n", str(options.items), "--pad", str(options.pad)])
        self.numbers = itertools.count()
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.begin = time.monotonic()
        self.counts = collections.Counter()
        self.results = open(options.results, "w", buffering=1, encoding="ascii")

    def connect(self):
        if self.url.scheme != "https":
            return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=self.options.timeout)
        context = ssl.create_default_context(cafile=self.options.ca)
        return http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=self.options.timeout, context=context)

    def turn(self):
        """The number of the next request once its time has come, None at the end."""
        with self.lock:
            number = next(self.numbers)
        if self.options.requests and number >= self.options.requests:
            return None
        due = self.begin + number / self.options.rate if self.options.rate else self.begin
        if due > self.begin + self.options.seconds:
            return None
        if self.ended.wait(max(0, due - time.monotonic())) or time.monotonic() > self.begin + self.options.seconds:
            return None
        return number

    @staticmethod
    def renew(link):
        """As every real client: a connection that the server has ended meanwhile, in good order, is not asked again. One that was reset is."""
        if link.sock and select.select([link.sock], [], [], 0)[0]:
            try:
                seen = socket.socket.recv(link.sock, 1, socket.MSG_PEEK)  # below TLS, whose end has bytes of its own
            except OSError:
                return
            if not seen or isinstance(link.sock, ssl.SSLSocket):
                link.close()

    def post(self, link, number, token):
        self.renew(link)
        marker = f"{self.options.prefix}{number}"
        start = time.monotonic()
        try:
            link.request("POST", f"{self.url.path or '/v1/' + self.options.signal}", otlp.body(self.shape, marker),
                         {"Authorization": f"Bearer {token}", "Content-Type": CONTENT_TYPE})
            reply = link.getresponse()
            reply.read()
            status = f"{reply.status:03d}"
        except (OSError, http.client.HTTPException) as failure:
            link.close()
            status = "000"
            if not self.options.quiet:
                print(f"load.py: {marker}: {type(failure).__name__}: {failure}", file=sys.stderr)
            self.ended.wait(0.01)  # a server that is away must not be asked in a tight loop
        with self.lock:
            self.counts[status] += 1
            print(marker, status, int((time.monotonic() - start) * 1000), time.time_ns() // 1_000_000, file=self.results)

    def run(self, place):
        link = self.connect()
        token = self.options.token[place % len(self.options.token)]
        while (number := self.turn()) is not None:
            self.post(link, number, token)
        link.close()


def main():
    words = argparse.ArgumentParser(prog="load.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("url", help="with or without a path; without: /v1/SIGNAL")
    words.add_argument("--signal", choices=otlp.SIGNALS, default="logs")
    words.add_argument("--ca", help="trusted certificates, for https")
    words.add_argument("--token", action="append", required=True, help="repeatable: the connections take turns")
    words.add_argument("--connections", type=int, default=4)
    words.add_argument("--rate", type=float, default=0, help="requests a second in all; 0: as fast as they are answered")
    words.add_argument("--seconds", type=float, help="10; with --requests no bound but 300, for a slow machine sends them all too")
    words.add_argument("--requests", type=int, default=0, help="0: no bound but --seconds")
    words.add_argument("--items", type=int, default=1)
    words.add_argument("--pad", type=int, default=0, help="bytes more in each item")
    words.add_argument("--prefix", default="m", help="of the markers: m0, m1, ...")
    words.add_argument("--timeout", type=float, default=40)
    words.add_argument("--quiet", action="store_true")
    words.add_argument("--results", required=True)
    options = words.parse_args()
    if options.seconds is None:
        options.seconds = 300 if options.requests else 10
    load = Load(options)
    signal.signal(signal.SIGTERM, lambda *_: load.ended.set())
    threads = [threading.Thread(target=load.run, args=(i,)) for i in range(load.options.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.results.close()
    print(" ".join(f"{status}:{count}" for status, count in sorted(load.counts.items())))


if __name__ == "__main__":
    main()
