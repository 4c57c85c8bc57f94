#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tap.py -- asks the control socket for a tap and keeps what it hears, until it hears the end.

usage: tap.py SOCKET OUT QUESTION

QUESTION is a JSON object with the filter's members. OUT gets each line as it comes."""
import json
import socket
import sys

link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
link.sendall(json.dumps({"do": "tap", **json.loads(sys.argv[3])}).encode() + b"\n")
with open(sys.argv[2], "w", buffering=1, encoding="utf-8") as out:
    for line in link.makefile(encoding="utf-8"):
        out.write(line)
        if "end" in json.loads(line):
            break
