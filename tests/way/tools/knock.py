# SPDX-License-Identifier: Apache-2.0
"""knock.py URL FILE --token T [--ca F] --results F -- posts FILE again and again, each time over a connection of its own, until SIGTERM.

A line of the results: the status, or what failed (a refused connection, a handshake, a reset).
"""
import argparse
import http.client
import signal
import ssl
import urllib.parse


def knock(options, body, context):
    url = urllib.parse.urlsplit(options.url)
    if context:
        link = http.client.HTTPSConnection(url.hostname, url.port, timeout=30, context=context)
    else:
        link = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    try:
        link.request("POST", "/v1/logs", body, {"Authorization": f"Bearer {options.token}", "Content-Type": "application/x-protobuf"})
        reply = link.getresponse()
        reply.read()
        return reply.status
    except (OSError, http.client.HTTPException) as failure:
        return f"{type(failure).__name__}: {failure}"
    finally:
        link.close()


def main():
    words = argparse.ArgumentParser(prog="knock.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("url")
    words.add_argument("file")
    words.add_argument("--token", required=True)
    words.add_argument("--ca")
    words.add_argument("--results", required=True)
    options = words.parse_args()
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    with open(options.file, "rb") as file:
        body = file.read()
    context = ssl.create_default_context(cafile=options.ca) if options.ca else None
    with open(options.results, "w", buffering=1, encoding="utf-8") as results:
        while not ended:
            print(knock(options, body, context), file=results)


if __name__ == "__main__":
    main()
