# SPDX-License-Identifier: Apache-2.0
"""strangers.py HOST:PORT TOKEN -- requests with a credential that nobody knows, as many as there is time for, from --sources addresses of
127.0.0.0/8; prints how many of each status were answered."""
import argparse
import collections
import http.client
import threading
import time


def send(options, host, port, sources, counts, lock):
    links = []
    for source in sources:
        links.append(http.client.HTTPConnection(host, port, timeout=10, source_address=(source, 0)))
    end, mine, turn = time.monotonic() + options.seconds, collections.Counter(), 0
    while time.monotonic() < end:
        link = links[turn % len(links)]
        turn += 1
        link.request("POST", "/v1/logs", b"x", {"Authorization": f"Bearer {options.token}", "Content-Type": "application/x-protobuf"})
        reply = link.getresponse()
        reply.read()
        mine[reply.status] += 1
    with lock:
        counts.update(mine)
    for link in links:
        link.close()


def main():
    words = argparse.ArgumentParser(prog="strangers.py", description=__doc__)
    words.add_argument("address")
    words.add_argument("token")
    words.add_argument("--sources", type=int, default=1)
    words.add_argument("--seconds", type=float, default=3)
    words.add_argument("--threads", type=int, default=4)
    options = words.parse_args()
    host, port = options.address.rsplit(":", 1)
    counts, lock = collections.Counter(), threading.Lock()
    addresses = [f"127.1.{i // 250}.{i % 250 + 1}" for i in range(options.sources)]
    threads = []
    for i in range(options.threads):
        own = addresses[i::options.threads] or addresses[:1]
        threads.append(threading.Thread(target=send, args=(options, host, int(port), own, counts, lock)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(" ".join(f"{status}:{count}" for status, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
