# SPDX-License-Identifier: Apache-2.0
"""replay.py ADDRESS < RECORDS -- sends what `topic read` prints of topics of remote_write to a Prometheus that receives.

Each value goes as it is, in a snappy block, under the content type of its record, in the order in which headgate took them. Prints
{"sent": N, "refused": [why, ...]}; refused is also a 2.0 message of which Prometheus says that it wrote less, or more, than is in it.
"""
import http.client
import json
import sys

import remote_write

CHUNK = 65536
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


def why_not(connection, record):
    form, body = header(record, "format"), bytes.fromhex(record["value"])
    second = form == "prom_rw2"
    connection.request("POST", "/api/v1/write", block(body), {
        "Content-Type": header(record, "content-type"), "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "2.0.0" if second else "0.1.0"})
    reply = connection.getresponse()
    text = reply.read().decode(errors="replace").strip()
    if reply.status // 100 != 2:
        return f"{reply.status} {text}"
    if second:
        series, _ = remote_write.decode(form, body)
        for name, what in COUNTED.items():
            there, written = sum(len(each[what]) for each in series), reply.headers.get(f"X-Prometheus-Remote-Write-{name}-Written")
            if str(there) != written:
                return f"{written} of {there} {what} written"
    return None


def main(address):
    connection = http.client.HTTPConnection(address, timeout=20)
    records = sorted(map(json.loads, sys.stdin), key=lambda record: record["timestamp"])
    refused = [why for why in (why_not(connection, record) for record in records) if why]
    print(json.dumps({"sent": len(records), "refused": refused[:5]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
