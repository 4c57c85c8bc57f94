# SPDX-License-Identifier: Apache-2.0
"""receiver.py DIR CERT KEY -- a small TLS server that takes what a client sends and writes it down: to try the clients themselves.

Its port is in DIR/port once it listens. A line of DIR/requests each: JSON with path, headers ([[name, value], ...]), encoding,
value (the body in hex, gzip undone) and signal, the last part of the path. DIR/status, if there, is the status that it answers.
"""
import gzip
import http.server
import json
import os
import ssl
import sys

DIR, CERT, KEY = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        out = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            out += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return out

    def do_POST(self):
        body = self.body()
        encoding = self.headers.get("Content-Encoding", "identity")
        if encoding == "gzip":
            body = gzip.decompress(body)
        with open(os.path.join(DIR, "requests"), "a", encoding="utf-8") as file:
            print(json.dumps({"path": self.path, "signal": self.path.rsplit("/", 1)[-1], "encoding": encoding,
                              "headers": self.headers.items(), "value": body.hex()}), file=file)
        status = 200
        if os.path.exists(os.path.join(DIR, "status")):
            with open(os.path.join(DIR, "status"), encoding="ascii") as file:
                status = int(file.read())
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    os.makedirs(DIR, exist_ok=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERT, KEY)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(os.path.join(DIR, "port.new"), "w", encoding="ascii") as file:
        print(server.server_address[1], file=file)
    os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
    server.serve_forever()


if __name__ == "__main__":
    main()
