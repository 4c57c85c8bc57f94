# SPDX-License-Identifier: Apache-2.0
"""late.py HOST:PORT PID FILE --token T --begun COMMAND -- what connections of each kind see of a drain.

Opens one of each and waits until COMMAND succeeds (both requests that are half there were begun), then sends SIGTERM to PID, and goes on once
all of its workers drain: with what is late for a connection that is idle for a second it must not be late itself, else exit status 3.
A line each: the kind, the status, the Connection field and how it ended.
  idle     had a reply, and sends its next request only now
  head     has sent half of a head, and sends the rest only now
  body     has sent its head and half of its body, and sends the rest only now
  silent   had a reply and sends nothing more: status `-`
  new      connects only now: `connected` while somebody keeps the listening socket
"""
import argparse
import os
import signal
import socket
import subprocess
import sys
import time

WATCHERS = 16  # so many connections that each worker has some
IN_TIME_S = 0.7  # a quiet connection of a worker that drains is closed after a second


def request(options, body):
    head = (f"POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {options.token}\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Length: {len(body)}\r\n\r\n")
    return head.encode("ascii")


def connect(options):
    host, port = options.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=10)


def reply(link):
    """Status and Connection field; what came first if none."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            part = link.recv(65536)
            if not part:
                return ("closed" if not data else "cut"), "-"
            data += part
        head, _, rest = data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        while len(rest) < int(fields.get(b"content-length", b"0")):
            rest += link.recv(65536)
        return head.split(b" ")[1].decode("ascii"), fields.get(b"connection", b"none").decode("ascii")
    except ConnectionResetError:
        return "reset", "-"
    except TimeoutError:
        return "timeout", "-"


def end(link):
    try:
        return "closed" if link.recv(1) == b"" else "more"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "open"


def wait(is_so):
    end = time.monotonic() + 20
    while not is_so():
        if time.monotonic() > end:
            sys.exit("late.py: what it waits for does not come")
        time.sleep(0.01)


def closes(link):
    """Whether the next reply on it is the last, as all are of a worker that drains."""
    link.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    return reply(link)[1] == "close"


def main():
    words = argparse.ArgumentParser(prog="late.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("address")
    words.add_argument("pid", type=int)
    words.add_argument("file")
    words.add_argument("--token", required=True)
    words.add_argument("--begun", required=True)
    options = words.parse_args()
    with open(options.file, "rb") as file:
        body = file.read()
    head = request(options, body)
    links = {kind: connect(options) for kind in ("idle", "head", "body", "silent")}
    for kind in ("idle", "silent"):
        links[kind].sendall(head + body)
        assert reply(links[kind])[0] == "200", kind
    links["head"].sendall(head[:40])
    links["body"].sendall(head + body[:len(body) // 2])
    wait(lambda: subprocess.run(["bash", "-c", options.begun], check=False).returncode == 0)
    watchers = [connect(options) for _ in range(WATCHERS)]
    for link in watchers:
        assert not closes(link)
    begin = time.monotonic()
    os.kill(options.pid, signal.SIGTERM)
    for link in watchers:
        wait(lambda: closes(link))  # pylint: disable=cell-var-from-loop
    links["idle"].sendall(head + body)
    links["head"].sendall(head[40:] + body)
    links["body"].sendall(body[len(body) // 2:])
    if time.monotonic() - begin > IN_TIME_S:
        sys.exit(3)
    for kind in ("idle", "head", "body"):
        print(kind, *reply(links[kind]), end(links[kind]))
    print("silent", end(links["silent"]))
    try:
        connect(options).close()
        print("new connected")
    except OSError as failure:
        print("new", type(failure).__name__)
    print("ms", int((time.monotonic() - begin) * 1000))


if __name__ == "__main__":
    main()
