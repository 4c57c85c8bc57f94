# SPDX-License-Identifier: Apache-2.0
"""send.py RUN VERSION -- the unmodified handler python-logging-loki sends three lines to LOKI_URL, each with RUN in it, a request a line.

VERSION 0 sends the legacy shape, 1 the one of today. LOKI_TOKEN is the password of Basic, LOKI_USER its user; whom to trust comes from
REQUESTS_CA_BUNDLE. The handler prints what it could not send, and drops it: then the last line is "failed", with status 1.
"""
import logging
import os
import sys

from logging_loki import LokiHandler

failures = []


class Told(LokiHandler):
    def handleError(self, record):
        failures.append(record)
        super().handleError(record)


def main(run, version):
    handler = Told(os.environ["LOKI_URL"], {"job": run, "tenant_id": "forged-by-the-client"},
                   (os.environ.get("LOKI_USER", ""), os.environ["LOKI_TOKEN"]), version)
    logger = logging.getLogger("send.py")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    for text in ('grüß "dich"', "two\nlines", "\U0001f600"):
        logger.info("%s %s", run, text)
    print("failed" if failures else "ok")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
