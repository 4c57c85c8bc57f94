# SPDX-License-Identifier: Apache-2.0
"""busy.py HOST:PORT --good FILE --bad FILE [--stop FILE] -- asks without a pause, and no answer may be wrong.

Each thread keeps a connection open and asks with one token after the other, good and bad ones in turn: a good one is answered 415 (a body
without a type, after the credential was judged), a bad one 401, whatever happens to the tables meanwhile. A connection that ends is
opened again; 503 is no wrong answer, but it is counted. It ends when the file --stop is there, or with --gone when nobody accepts any more.
Prints one JSON object: asked, unavailable, broken, wrong (the first ten). Fails if an answer was wrong or none was given.
"""
import argparse
import http.client
import json
import os
import socket
import sys
import threading


class Reader(threading.Thread):
    def __init__(self, options, good, bad, number):
        super().__init__()
        self.options, self.number = options, number
        self.cases = [case for pair in zip([(t, 415) for t in good], [(t, 401) for t in bad]) for case in pair]
        self.asked = self.unavailable = self.broken = self.wrong_count = self.refused = 0
        self.wrong = []

    def over(self):
        return os.path.exists(self.options.stop) or (self.options.gone and self.refused > 20)

    def ask(self, link, token, want):
        link.request("POST", "/v1/logs", b"x", {"Authorization": f"Bearer {token}"})
        reply = link.getresponse()
        reply.read()
        self.asked += 1
        if reply.status == 503:
            self.unavailable += 1
        elif reply.status != want:
            self.wrong_count += 1
            self.wrong.append(f"{token}: {reply.status}, not {want}")

    def run(self):
        host, port = self.options.address.rsplit(":", 1)
        link, at = None, self.number
        while not self.over():
            token, want = self.cases[at % len(self.cases)]
            at += 1
            link = link or http.client.HTTPConnection(host, int(port), timeout=10)
            try:
                self.ask(link, token, want)
                self.refused = 0
            except (ConnectionError, socket.timeout, http.client.HTTPException) as error:
                self.refused += isinstance(error, ConnectionRefusedError)
                self.broken += 1
                link.close()
                link = None


def main():
    words = argparse.ArgumentParser(prog="busy.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("address")
    words.add_argument("--good", required=True)
    words.add_argument("--bad", required=True)
    words.add_argument("--stop", default="")
    words.add_argument("--gone", action="store_true")
    words.add_argument("--threads", type=int, default=4)
    options = words.parse_args()
    with open(options.good, encoding="ascii") as good, open(options.bad, encoding="ascii") as bad:
        lists = good.read().split(), bad.read().split()
    readers = [Reader(options, *lists, 7 * i) for i in range(options.threads)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    wrong = sum(r.wrong_count for r in readers)
    asked = sum(r.asked for r in readers)
    print(json.dumps({"asked": asked, "unavailable": sum(r.unavailable for r in readers), "broken": sum(r.broken for r in readers),
                      "wrong": wrong, "examples": [text for r in readers for text in r.wrong][:10]}))
    sys.exit(wrong > 0 or asked == 0)


if __name__ == "__main__":
    main()
