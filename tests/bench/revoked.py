# SPDX-License-Identifier: Apache-2.0
"""revoked.py HOST:PORT --tokens N --revocations N -- PSQL... -- B12: ms from COMMIT of a revocation to the last worker's first 401.

Sixteen keep-alive connections, so that each worker has some, ask one after the other's token without a pause; all are asked before any is
read, so a sweep costs one answer's time, not sixteen. The clock starts when psql has said that the UPDATE is done, that is after the
COMMIT, and stops when each connection was answered 401. Tokens are "many-secret-1" .. of the bench. Prints p50, p99 and the greatest.
"""
import argparse
import json
import socket
import subprocess
import sys
import time


class Client:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, token):
        self.socket.sendall(f"POST /v1/logs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n".encode())

    def status(self):
        while b"\r\n\r\n" not in self.buffer:
            self.take()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
        while len(self.buffer) < length:
            self.take()
        self.buffer = self.buffer[length:]
        return int(lines[0].split()[1])

    def take(self):
        data = self.socket.recv(65536)
        if not data:
            sys.exit("revoked.py: a connection was closed")
        self.buffer += data


def sweep(clients, token):
    for client in clients:
        client.send(token)
    return [client.status() for client in clients]


def revoke(clients, psql, number):
    token = f"many-secret-{number}"
    if any(status == 401 for status in sweep(clients, token)):
        sys.exit(f"revoked.py: {token} is not good")
    psql.stdin.write(f"UPDATE headgate.token SET revoked_at = now() WHERE hash = sha256('{token}');\n\\echo ====\n")
    psql.stdin.flush()
    while psql.stdout.readline() != "====\n":
        pass
    begin = time.monotonic()
    waiting = clients
    while waiting:
        waiting = [client for client, status in zip(waiting, sweep(waiting, token)) if status != 401]
        if time.monotonic() - begin > 10:
            sys.exit("revoked.py: not refused within 10 s")
    return (time.monotonic() - begin) * 1000


def main():
    cut = sys.argv.index("--", 1)
    words = argparse.ArgumentParser(prog="revoked.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("address")
    words.add_argument("--tokens", type=int, required=True)
    words.add_argument("--revocations", type=int, default=200)
    words.add_argument("--more", default="{}", help="JSON that is printed with the figure")
    options = words.parse_args(sys.argv[1:cut])
    psql = subprocess.Popen(sys.argv[cut + 1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    clients = [Client(options.address) for _ in range(16)]
    times = sorted(revoke(clients, psql, i + 2) for i in range(options.revocations))
    psql.stdin.close()
    psql.wait()
    figure = {"figure": f"B12 COMMIT of a revocation to the last worker's first 401, {options.tokens} tokens", "revocations": len(times),
              "p50_ms": round(times[len(times) // 2], 2), "p99_ms": round(times[len(times) * 99 // 100], 2), "max_ms": round(times[-1], 2)}
    print(json.dumps(figure | json.loads(options.more)))


if __name__ == "__main__":
    main()
