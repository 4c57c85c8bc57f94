# SPDX-License-Identifier: Apache-2.0
"""corpus.py HOST:PORT TOKEN [--each] < CORPUS -- sends each request of the corpus (tools/corpus.c) on a connection of its own.

Then it says that no more comes, and reads to the end. What came back is compared with the outcome that the corpus names: as many
replies as there are requests, one for a refused one, which is the last, none for what is not whole. The first request gets a
credential where its body is what the case is about. --each: byte by byte. Prints what deviates, and how many cases of each group
there were.
"""
import collections
import concurrent.futures
import re
import socket
import sys

STATUS = {"HTTP": "400 hg-http", "HTTP_CODING": "501 hg-http-coding", "HTTP_VERSION": "505 hg-http-version", "HEAD_SIZE": "431 hg-head-size",
          "FRAMING": "400 hg-framing"}
FIRST = b"POST /v1/traces HTTP/1.1\r\n"
REPLY = re.compile(rb"HTTP/1\.1 (\d\d\d) ")
ID = re.compile(rb"hg-[a-z-]+")


def send(address, data, each):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for i in range(len(data) if each else 0):
                link.sendall(data[i:i + 1])
            if not each:
                link.sendall(data)
            link.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError):
            pass  # refused before its end: the reply is there to be read
        got = b""
        try:
            while True:
                piece = link.recv(65536)
                if not piece:
                    return got
                got += piece
        except ConnectionResetError:
            return got
        except TimeoutError:
            return got + b"HTTP/1.1 000 never ended"


def replies(got):
    """"STATUS ID" of each final reply; no body of ours holds a status line."""
    found = list(REPLY.finditer(got))
    ends = [match.start() for match in found[1:]] + [len(got)]
    out = []
    for match, end in zip(found, ends):
        if match[1] != b"100":
            name = ID.search(got[match.end():end])
            out.append(match[1].decode() + (" " + name[0].decode() if name else ""))
    return out


def with_credential(data, outcome, token):
    body_matters = outcome.startswith(("ok:", "more", "FRAMING"))
    if not data.startswith(FIRST) or not body_matters:
        return data
    return FIRST + f"Authorization: Bearer {token}\r\nContent-Type: application/x-protobuf\r\n".encode() + data[len(FIRST):]


def deviation(outcome, got):
    words = [word for word in re.findall(r"(ok:[^:]*?)(?= ok:| [A-Z]+$|$)|([A-Z_]+)$", outcome)]
    wanted = [STATUS.get(name, name) if name else "ok" for _, name in words] if outcome != "more" else []
    if len(got) != len(wanted):
        return f"{len(got)} replies, not {len(wanted)}"
    for one, want in zip(got, wanted):
        if want == "ok" and (one in STATUS.values() or one.startswith("000")):
            return f"refused as {one}"
        if want != "ok" and one != want:
            return f"{one}, not {want}"
    return None


def main(address, token, each):
    counts, wrong = collections.Counter(), 0
    cases = [line.rstrip("\n").split("\t") for line in sys.stdin]

    def run(case):
        _, _, outcome, hexed = case
        return replies(send(address, with_credential(bytes.fromhex(hexed), outcome, token), each))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for (group, name, outcome, _), got in zip(cases, pool.map(run, cases)):
            counts[group] += 1
            said = deviation(outcome, got)
            if said:
                wrong += 1
                print(f"{name}: {said} (got: {', '.join(got)}; wanted: {outcome})")
    print(" ".join(f"{group} {counts[group]}" for group in sorted(counts)))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--each" in sys.argv)
