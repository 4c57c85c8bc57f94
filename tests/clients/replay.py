# SPDX-License-Identifier: Apache-2.0
"""replay.py ADDRESS < RECORDS -- sends what `topic read` prints of topics of remote_write to a Prometheus that receives.

Each value goes as it is, in a snappy block, under the content type of its record, in the order in which headgate took them. Prints
{"sent": N, "partial": N, "refused": [why, ...]}; refused is also a 2.0 message of which Prometheus says that it wrote less, or more, than
is in it. Partial: as a sender, Prometheus 3.16 gives each exemplar of 2.0 a series of its own; as a receiver it leaves just those out.
"""
import http.client
import json
import sys

import remote_write

CHUNK = 65536
LONE = "must contain at least one sample or histogram"
COUNTED = {"Samples": "samples", "Histograms": "histograms", "Exemplars": "exemplars"}


def block(body):
    """The simplest snappy block: literals only."""
    out, size = bytearray(), len(body)
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    for at in range(0, len(body), CHUNK):
        chunk = body[at:at + CHUNK]
        out += bytes([61 << 2]) + (len(chunk) - 1).to_bytes(2, "little") + chunk
    return bytes(out)


def header(record, wanted):
    return next(bytes.fromhex(value).decode() for name, value in record["headers"] if name == wanted)


def lone(series):
    return not series["samples"] and not series["histograms"]


def replayed(connection, record):
    """(partial, why it was refused or None)"""
    form, body = header(record, "format"), bytes.fromhex(record["value"])
    second = form == "prom_rw2"
    connection.request("POST", "/api/v1/write", block(body), {
        "Content-Type": header(record, "content-type"), "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "2.0.0" if second else "0.1.0"})
    reply = connection.getresponse()
    text = reply.read().decode(errors="replace").strip()
    series = remote_write.decode(form, body)[0] if second else []
    partial = any(map(lone, series))
    if reply.status // 100 != 2 and not (partial and reply.status == 400 and all(LONE in line for line in text.splitlines())):
        return partial, f"{reply.status} {text}"
    for name, what in COUNTED.items() if second else ():
        there = sum(len(each[what]) for each in series if not lone(each))
        written = reply.headers.get(f"X-Prometheus-Remote-Write-{name}-Written")
        if str(there) != written:
            return partial, f"{written} of {there} {what} written"
    return partial, None


def main(address):
    connection = http.client.HTTPConnection(address, timeout=20)
    records = sorted(map(json.loads, sys.stdin), key=lambda record: record["timestamp"])
    answers = [replayed(connection, record) for record in records]
    refused = [why for _, why in answers if why]
    print(json.dumps({"sent": len(records), "partial": sum(partial for partial, _ in answers), "refused": refused[:5]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
