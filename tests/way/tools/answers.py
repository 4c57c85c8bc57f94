#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""answers.py -- an HTTP server that answers what it was told to, for clients of ours.

usage: answers.py LOG ANSWERS [CERTIFICATE KEY]: with these over TLS

ANSWERS is JSON: {"/path": [{"status": 503, "headers": {"Retry-After": "0"}, "body": "...", "json": {...}, "wait": 0.1}, ...]}; each
request to a path gets the next one, the last one for ever. "by": {"Bearer x": {...}} chooses by the Authorization header instead. An
answer of status 0 is no answer: the connection is closed. The first line of LOG is the port; then one JSON object a request: path,
headers (names in lower case), body."""
import http.server
import json
import ssl
import sys
import threading
import time

log = open(sys.argv[1], "w", buffering=1, encoding="utf-8")
answers = json.loads(sys.argv[2])
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with lock:
            rows = answers.get(self.path, [{"status": 404}])
            answer = rows[0]
            if len(rows) > 1:
                rows.pop(0)
            log.write(json.dumps({"path": self.path, "headers": headers, "body": body.decode("latin-1")}) + "\n")
        answer = answer.get("by", {}).get(headers.get("authorization", ""), answer)
        time.sleep(answer.get("wait", 0))
        if not answer["status"]:
            self.close_connection = True
            return
        text = answer.get("body", "")
        if "json" in answer:
            text = json.dumps(answer["json"])
        self.send_response(answer["status"])
        for name, value in answer.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        try:
            self.wfile.write(text.encode())
        except BrokenPipeError:  # who did not want to wait
            self.close_connection = True

    do_GET = do_POST

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer.request_queue_size = 128  # of 5 the next must come again, a second later
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[3:])
    # The handshake is the connection's thread's, not that of accept.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
log.write(f"{server.server_address[1]}\n")
server.serve_forever()
