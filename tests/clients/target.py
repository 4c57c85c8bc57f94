# SPDX-License-Identifier: Apache-2.0
"""target.py DIR COUNT -- a scrape target whose values are known: for Prometheus and vmagent, in the format that they ask for.

GET /metrics answers COUNT times with values that follow from the number of the scrape, then always 503, so that a scraper says
that the series have gone (stale markers). DIR/address gets host:port once it listens; DIR/served a JSON line for each answer:

at          ms since 1970 of the answer, and of each sample, but for the family client_untimed, whose time is the scraper's
format      text, openmetrics or protobuf
samples     [{label: value, ...}, bits of the value in hex, at or null]; __name__ is among the labels
exemplars   [{labels of the series}, {its own labels}, bits, at]
histograms  [{labels}, {schema, zero_threshold, zero_count, count, sum, positive, negative}, at]; a side is [[index, count], ...]
metadata    [family, type, help]

The labels are as a scraper gives them on, but for those that it adds (job, instance).
"""
import http.server
import json
import math
import os
import struct
import sys
import threading
import time

FORMATS = {
    "protobuf": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
    "text": "text/plain; version=0.0.4; charset=utf-8",
}
TRICKY = 'grüß "quoted" back\\slash\nline'
BOUNDS = (0.5, 2.5, math.inf)


def families(scrape):
    """[name, type, help, rows]; a row of a histogram is [labels, counts of each bucket, sum]."""
    odd = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "tiny": 5e-324, "huge": 1.7976931348623157e308,
           "third": 1 / 3}
    yield "client_scrape", "gauge", "The number of the scrape.", [[{}, float(scrape)]]
    yield "client_odd", "gauge", "Values that a careless hand spoils.", [[{"value": name}, odd[name]] for name in odd]
    yield "client_labels", "gauge", 'Labels on both sides of tenant_id, "quotes", back\\slash and\nline.', [
        [{"text": TRICKY}, 2.0],
        [{"tenant_id": "forged", "kind": "a tenant of the client's own"}, 3.0],
        [{"zzz": "after", "aaa": "before", "Upper": "first"}, 1.0],
    ]
    yield "client_requests", "counter", "A counter with exemplars.", [[{"code": "200"}, 7.0 * scrape], [{"code": "500"}, 1.0]]
    yield "client_latency", "histogram", "A histogram of buckets.", [
        [{"path": "/"}, [scrape, 2 * scrape, 3 * scrape], 4.25 * scrape],
    ]
    yield "client_untimed", "gauge", "It has the time of the scraper, and goes stale.", [[{"which": str(i)}, i + scrape / 4] for i in range(3)]


def native(scrape):
    return {"schema": 3, "zero_threshold": 2.0 ** -128, "zero_count": 2, "count": 2 + 4 * scrape + 6, "sum": 1.5 * scrape,
            "positive": [[-2, scrape], [-1, 2 * scrape], [4, scrape]], "negative": [[0, 6]]}


NATIVE = ("client_native", "A native histogram.", {"path": "/native"})


def bits(value):
    return struct.pack(">d", value).hex()


def exemplars(scrape):
    """(family, place of the row, labels, value)"""
    return [("client_requests", 0, {"trace_id": f"{scrape:032x}"}, 0.5 + scrape)]


# -- text forms


def escaped(text):
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def number(value):
    return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, repr(value)) if not math.isnan(value) else "NaN"


def series(name, labels):
    return name + "{" + ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items()) + "}"


def flat(name, kind, rows):
    """(place of the row, name, labels, value) of each sample that a text form has."""
    for place, row in enumerate(rows):
        if kind == "histogram":
            labels, counts, total = row
            for bound, count in zip(BOUNDS, counts):
                yield place, f"{name}_bucket", {**labels, "le": number(bound)}, float(count)
            yield place, f"{name}_sum", labels, float(total)
            yield place, f"{name}_count", labels, float(counts[-1])
        else:
            yield place, name + ("_total" if kind == "counter" else ""), row[0], row[1]


def text_body(scrape, at, openmetrics):
    lines = []
    for name, kind, words, rows in families(scrape):
        shown = name if openmetrics or kind != "counter" else f"{name}_total"
        words = escaped(words) if openmetrics else words.replace("\\", r"\\").replace("\n", r"\n")
        lines += [f"# HELP {shown} {words}", f"# TYPE {shown} {kind}"]
        when = "" if name == "client_untimed" else f" {at / 1000:.3f}" if openmetrics else f" {at}"
        for place, full, labels, value in flat(name, kind, rows):
            line = f"{series(full, labels)} {number(value)}{when}"
            for family, where, own, worth in exemplars(scrape) if openmetrics else ():
                if (family, where) == (name, place):
                    line += f" # {series('', own)} {number(worth)} {at / 1000:.3f}"
            lines.append(line)
    return "\n".join(lines + (["# EOF"] if openmetrics else []) + [""]).encode()


# -- io.prometheus.client.MetricFamily


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def zigzag(value):
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def field(place, value):
    if isinstance(value, float):
        return varint(place << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(place << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(place << 3 | 2) + varint(len(value)) + value


def pairs(labels):
    return b"".join(field(1, field(1, key) + field(2, text)) for key, text in labels.items())


def timestamp(at):
    return field(1, at // 1000) + field(2, at % 1000 * 1_000_000)


def side(buckets, spans_field, deltas_field):
    """Spans and deltas of [[index, count], ...] in order."""
    spans, deltas, end, before = [], b"", 0, 0
    for index, count in buckets:
        if spans and index == end:
            spans[-1][1] += 1
        else:
            spans.append([index - end, 1])
        deltas += varint(deltas_field << 3) + zigzag(count - before)
        end, before = index + 1, count
    return b"".join(field(spans_field, varint(1 << 3) + zigzag(offset) + field(2, length)) for offset, length in spans) + deltas


def metric(scrape, at, name, kind, place, row):
    body = pairs(row[0])
    exemplar = b"".join(field(2 if kind == "counter" else 3, pairs(own) + field(2, worth) + field(3, timestamp(at)))
                        for family, where, own, worth in exemplars(scrape) if (family, where) == (name, place))
    if kind == "gauge":
        body += field(2, field(1, row[1]))
    elif kind == "counter":
        body += field(3, field(1, row[1]) + exemplar)
    else:
        buckets = b"".join(field(3, field(1, count) + field(2, bound)) for bound, count in zip(BOUNDS, row[1]))
        body += field(7, field(1, row[1][-1]) + field(2, float(row[2])) + buckets)
    return body if name == "client_untimed" else body + field(6, at)


def native_metric(scrape, at):
    one = native(scrape)
    return pairs(NATIVE[2]) + field(6, at) + field(7, field(1, one["count"]) + field(2, one["sum"]) + varint(5 << 3) +
                                                   zigzag(one["schema"]) + field(6, one["zero_threshold"]) +
                                                   field(7, one["zero_count"]) + side(one["negative"], 9, 10) +
                                                   side(one["positive"], 12, 13))


def protobuf_body(scrape, at):
    kinds = {"counter": 0, "gauge": 1, "histogram": 4}
    out = b""
    for name, kind, words, rows in families(scrape):
        shown = f"{name}_total" if kind == "counter" else name
        family = field(1, shown) + field(2, words) + field(3, kinds[kind])
        family += b"".join(field(4, metric(scrape, at, name, kind, place, row)) for place, row in enumerate(rows))
        out += varint(len(family)) + family
    family = field(1, NATIVE[0]) + field(2, NATIVE[1]) + field(3, kinds["histogram"]) + field(4, native_metric(scrape, at))
    return out + varint(len(family)) + family


# -- the server


def told(scrape, at, form):
    samples, linked, metadata = [], [], []
    for name, kind, words, rows in families(scrape):
        metadata.append([name, kind, words])
        for place, full, labels, value in flat(name, kind, rows):
            labels = {"__name__": full, **labels}
            samples.append([labels, bits(value), None if name == "client_untimed" else at])
            linked += [[labels, own, bits(worth), at] for family, where, own, worth in exemplars(scrape)
                       if form != "text" and (family, where) == (name, place)]
    histograms = [[{"__name__": NATIVE[0], **NATIVE[2]}, native(scrape), at]] if form == "protobuf" else []
    return {"at": at, "format": form, "samples": samples, "exemplars": linked, "histograms": histograms, "metadata": metadata}


class Target(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with self.server.lock:
            self.server.scrape += 1
            scrape, at = self.server.scrape, int(time.time() * 1000)
            if scrape > self.server.count:
                self.send_error(503)
                return
            accept = self.headers.get("Accept", "")
            form = "protobuf" if accept.startswith("application/vnd.google.protobuf") else \
                "openmetrics" if accept.startswith("application/openmetrics-text") else "text"
            body = protobuf_body(scrape, at) if form == "protobuf" else text_body(scrape, at, form == "openmetrics")
            self.send_response(200)
            self.send_header("Content-Type", FORMATS[form])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            with open(f"{self.server.folder}/served", "a", encoding="utf-8") as out:
                out.write(json.dumps(told(scrape, at, form)) + "\n")

    def log_message(self, *_):
        """Nobody reads it."""


def main(folder, count):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    server.daemon_threads = True
    server.scrape, server.count, server.folder, server.lock = 0, int(count), folder, threading.Lock()
    with open(f"{folder}/address.new", "w", encoding="ascii") as out:
        out.write(f"127.0.0.1:{server.server_port}\n")
    os.rename(f"{folder}/address.new", f"{folder}/address")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
