# SPDX-License-Identifier: Apache-2.0
"""exposition.py [--openmetrics] < TEXT -- reads metrics as strictly as the two formats are written, and prints as JSON what it found:
{"families": {NAME: TYPE}, "series": COUNT, "labels": {NAME: [VALUE...]}}; at the first fault it says the line and fails.

exposition.py --watch SOCKET LOG -- scrapes that admin socket again and again until SIGTERM, and writes each counter that fell, or each
scrape that was faulty, as a line of LOG; at the end a line "scrapes N".
"""
import argparse
import collections
import http.client
import json
import re
import signal
import socket
import sys
import time

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|Inf)|NaN")
TYPES = ("counter", "gauge", "histogram")
FLOAT = re.compile(r"(?:[0-9]+\.[0-9]+|\+Inf)")  # canonical for le in OpenMetrics


class Fault(Exception):
    pass


def labels_of(text):
    labels, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match:
            raise Fault("labels: " + text[at:])
        labels.append((match[1], match[2]))
        at = match.end()
        if at < len(text) and (text[at] != "," or at + 1 == len(text)):
            raise Fault("no comma between labels")
        at += 1
    if len({name for name, _ in labels}) != len(labels):
        raise Fault("a label twice")
    return tuple(labels)


def sample_of(line):
    match = NAME.match(line)
    if not match:
        raise Fault("no name")
    rest, labels = line[match.end():], ()
    if rest.startswith("{"):
        end = rest.rindex("}")
        labels, rest = labels_of(rest[1:end]), rest[end + 1:]
        if not labels:
            raise Fault("empty braces")
    if not rest.startswith(" ") or not NUMBER.fullmatch(rest[1:]):
        raise Fault("value: " + rest)
    return match[0], labels, float(rest[1:].replace("Inf", "inf"))


class Reader:
    def __init__(self, openmetrics):
        self.openmetrics = openmetrics
        self.families = {}
        self.current, self.help = None, None
        self.series = {}
        self.buckets = collections.defaultdict(list)

    def head(self, line):
        word, name, text = (line[2:].split(" ", 2) + [""])[:3]
        if word not in ("HELP", "TYPE") or not NAME.fullmatch(name):
            raise Fault("no HELP and no TYPE")
        if word == "HELP":
            if name in self.families or not text:
                raise Fault("a second HELP, or an empty one")
            self.current, self.help = None, name
            return
        if name != self.help or text not in TYPES:
            raise Fault("TYPE must follow its HELP and be one of ours")
        if text == "counter" and name.endswith("_total") == self.openmetrics:
            raise Fault("a counter's family has no _total in OpenMetrics, and has it in 0.0.4")
        self.families[name] = text
        self.current, self.help = name, None

    def sample(self, line):
        name, labels, value = sample_of(line)
        if self.current is None:
            raise Fault("a sample before its TYPE")
        kind = self.families[self.current]
        if kind == "histogram":
            wanted = [self.current + suffix for suffix in ("_bucket", "_sum", "_count")]
        else:
            wanted = [self.current + ("_total" if kind == "counter" and self.openmetrics else "")]
        if name not in wanted:
            raise Fault("a sample of another family than the last TYPE")
        if (name, labels) in self.series:
            raise Fault("a series twice")
        if kind != "gauge" and not value >= 0:
            raise Fault("less than nothing")
        self.series[name, labels] = value
        if name.endswith("_bucket") and kind == "histogram":
            bound = dict(labels)["le"]
            if self.openmetrics and not FLOAT.fullmatch(bound):
                raise Fault("le is no canonical float: " + bound)
            rest = tuple(label for label in labels if label[0] != "le")
            self.buckets[self.current, rest].append((float(bound.replace("Inf", "inf")), value))

    def close(self):
        for (name, labels), buckets in self.buckets.items():
            bounds, values = zip(*buckets)
            if list(bounds) != sorted(set(bounds)) or list(values) != sorted(values) or bounds[-1] != float("inf"):
                raise Fault(f"{name}: buckets do not add up")
            if self.series.get((name + "_count", labels)) != values[-1] or (name + "_sum", labels) not in self.series:
                raise Fault(f"{name}: count or sum is not that of the buckets")

    def counters(self):
        for (name, labels), value in self.series.items():
            if name.endswith(("_total", "_bucket", "_count", "_sum")):
                yield (name, labels), value


def read(text, openmetrics):
    reader = Reader(openmetrics)
    lines = text.split("\n")
    if lines.pop() != "":
        raise Fault("the last line has no end")
    if openmetrics and (not lines or lines.pop() != "# EOF"):
        raise Fault("the last line is not # EOF")
    for number, line in enumerate(lines, 1):
        try:
            if line.startswith("#"):
                reader.head(line)
            else:
                reader.sample(line)
        except (Fault, KeyError, ValueError) as fault:
            raise Fault(f"line {number}: {fault}: {line}") from None
    reader.close()
    return reader


def scrape(path):
    link = http.client.HTTPConnection("localhost", timeout=10)
    link.sock = socket.socket(socket.AF_UNIX)
    link.sock.settimeout(10)
    try:
        link.sock.connect(path)
        link.request("GET", "/metrics")
        return link.getresponse().read().decode()
    finally:
        link.close()


def watch(path, log_path):
    ended, scrapes, before = [], 0, {}
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    with open(log_path, "w", buffering=1, encoding="utf-8") as log:
        while not ended:
            try:
                text = scrape(path)
            except (OSError, http.client.HTTPException):
                continue  # its worker was killed, say: that is no fault of the counters
            finally:
                time.sleep(0.1)
            scrapes += 1
            try:
                now = dict(read(text, False).counters())
            except Fault as fault:
                print("faulty:", fault, file=log)
                continue
            for key, value in before.items():
                if now.get(key, -1) < value:
                    print("fell:", key, value, now.get(key), file=log)
            before = now
        print("scrapes", scrapes, file=log)


def main():
    words = argparse.ArgumentParser(prog="exposition.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--openmetrics", action="store_true")
    words.add_argument("--watch", nargs=2, metavar=("SOCKET", "LOG"))
    options = words.parse_args()
    if options.watch:
        return watch(*options.watch)
    try:
        reader = read(sys.stdin.read(), options.openmetrics)
    except Fault as fault:
        sys.exit(f"exposition.py: {fault}")
    labels = collections.defaultdict(set)
    for _, pairs in reader.series:
        for name, value in pairs:
            labels[name].add(value)
    print(json.dumps({"families": reader.families, "series": len(reader.series), "labels": {k: sorted(v) for k, v in labels.items()}}))
    return None


if __name__ == "__main__":
    main()
