# SPDX-License-Identifier: Apache-2.0
"""judged.py HOST:PORT --first STATUS --then STATUS [--sql TEXT] TOKEN... -- COMMAND... -- how long a change takes to be seen by all workers.

For each token: keep-alive connections are opened (many, so that each worker has some), and each is answered FIRST to a request that costs
nothing (no Content-Type: 415 once the credential was judged good). Then the change is made: COMMAND is run, or with --sql is a psql that
lives on and is told TEXT, %s being the token. A line a token: the milliseconds from the end of the change until every connection was
answered THEN, and how many of the connections are still those of before. Fails when --within milliseconds are over. --steps: the changes
of one token, a line each on standard input, `FIRST THEN SQL`; one that comes too late is a line "late". Time in which the machine stood
still (stalls.py) is not counted.
"""
import argparse
import http.client
import subprocess
import sys
import time

import stalls

FIRST_MS = 10_000
QUICK_MS = 100  # what is so fast needs no excuse
MACHINE = stalls.Stalls()


class Client:
    def __init__(self, address, token, typed):
        host, port = address.rsplit(":", 1)
        self.link = http.client.HTTPConnection(host, int(port), timeout=10)
        self.head = {"Authorization": f"Bearer {token}"}
        if typed:
            self.head["Content-Type"] = "application/x-protobuf"
        self.first_one = True

    def ask(self):
        try:
            self.link.request("POST", "/v1/logs", b"x", self.head)
            reply = self.link.getresponse()
            reply.read()
        except (ConnectionError, http.client.HTTPException):
            self.link.close()
            self.first_one = False
            return "closed"
        if reply.will_close:
            self.first_one = False
        return str(reply.status)


class Psql:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def tell(self, text):
        self.process.stdin.write(f"{text};\n\\echo ====\n")
        for line in self.process.stdout:
            if line == "====\n":
                return
        sys.exit("judged.py: psql has ended")


def until(clients, status, within_ms):
    """How many milliseconds it took until each was answered the status; None if more than allowed."""
    said, start, real = ["none"] * len(clients), stalls.now_us(), time.monotonic()
    while True:
        said = [said[i] if said[i] == status else client.ask() for i, client in enumerate(clients)]
        done = all(text == status for text in said)
        took = int((time.monotonic() - real) * 1000)
        if took > (QUICK_MS if done else within_ms):
            stalls.settle()
            took -= MACHINE.us(start, start + took * 1000) // 1000
        if took > within_ms:
            print(f"judged.py: not all {status} within {within_ms} ms: {' '.join(said)}; {took} ms but for {MACHINE.times[-4:]}, from {start}",
                  file=sys.stderr)
            return None
        if done:
            return took


def change(options, token, first, then, how):
    """The line to print; None when it came too late."""
    clients = [Client(options.address, token, options.typed) for _ in range(options.connections)]
    if until(clients, first, FIRST_MS) is None:
        return None
    how()
    took = until(clients, then, options.within)
    if took is None:
        return None
    return f"{took} {sum(client.first_one for client in clients)}"


def run_steps(options, psql):
    for line in sys.stdin:
        first, then, sql = line.rstrip("\n").split(" ", 2)
        print(change(options, options.tokens[0], first, then, lambda: psql.tell(sql.replace("%s", options.tokens[0]))) or "late", flush=True)


def run_tokens(options, psql, command):
    def how(token):
        if psql:
            psql.tell(options.sql.replace("%s", token))
        elif command:
            subprocess.run(command, check=True)

    for token in options.tokens:
        line = change(options, token, options.first, options.then, lambda: how(token))
        if not line:
            sys.exit(1)
        print(line, flush=True)


def main():
    words = argparse.ArgumentParser(prog="judged.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("address")
    words.add_argument("tokens", nargs="+")
    words.add_argument("--first")
    words.add_argument("--then")
    words.add_argument("--within", type=int, default=5000)
    words.add_argument("--connections", type=int, default=16)
    words.add_argument("--typed", action="store_true", help="with a Content-Type: 400 when the credential is good")
    words.add_argument("--sql")
    words.add_argument("--steps", action="store_true")
    cut = sys.argv.index("--", 1) if "--" in sys.argv else len(sys.argv)
    options, command = words.parse_args(sys.argv[1:cut]), sys.argv[cut + 1:]
    psql = Psql(command) if options.sql or options.steps else None
    if options.steps:
        run_steps(options, psql)
    else:
        run_tokens(options, psql, command)


if __name__ == "__main__":
    main()
