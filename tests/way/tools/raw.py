# SPDX-License-Identifier: Apache-2.0
"""raw.py HOST:PORT [FILE] -- sends bytes as they are over one connection and prints what comes back, as it is.

The bytes are those of FILE (-: standard input) or of --text. On standard error stands, last, how it ended: `done` (--replies came),
`closed`, `reset`, `timeout`, `refused` (no connection) or `tls` (no handshake), and the milliseconds since the last byte was sent. Exit
status: 0, 0, 1, 2, 3, 4.
"""
import argparse
import socket
import ssl
import struct
import sys
import time


def unescape(text):
    r"""\r \n \t \\ \0 and \xHH."""
    return text.encode("utf-8").decode("unicode_escape").encode("latin-1")


def parts_of(data, options):
    cuts = sorted({int(cut) for cut in options.split.split(",")}) if options.split else []
    if options.each:
        cuts = list(range(1, len(data)))
    edges = [0] + [cut for cut in cuts if 0 < cut < len(data)] + [len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:])]


def replies_in(data):
    """How many whole final replies data holds; one without a length ends at the close, so it is never whole."""
    count, at = 0, 0
    while True:
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            return count
        head = data[at:end].split(b"\r\n")
        status = int(head[0].split(b" ")[1])
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in head[1:])}
        at = end + 4
        if status < 200:
            continue
        if fields.get(b"transfer-encoding") == b"chunked":
            last = data.find(b"0\r\n\r\n", at)
            if last < 0:
                return count
            at = last + 5
        elif b"content-length" in fields:
            at += int(fields[b"content-length"])
            if at > len(data):
                return count
        elif status not in (204, 304):
            return count
        count += 1


def connect(options):
    host, port = options.address.rsplit(":", 1)
    link = socket.create_connection((host.strip("[]"), int(port)), timeout=options.timeout, source_address=(options.source, 0)
                                    if options.source else None)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if options.tls:
        context = ssl.create_default_context(cafile=options.tls)
        if options.alpn:
            context.set_alpn_protocols(options.alpn)
        if options.tls_version:
            version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[options.tls_version]
            context.minimum_version = context.maximum_version = version
        link = context.wrap_socket(link, server_hostname=options.sni or host, suppress_ragged_eofs=False)
        print(f"{link.version()} {link.cipher()[0]} alpn={link.selected_alpn_protocol()}", file=sys.stderr)
    return link


def half_close(link):
    socket.socket.shutdown(link, socket.SHUT_WR)  # of the socket, also below TLS, whose own shutdown would end both ways


def receive(link, options, start):
    got = b""
    while True:
        left = start + options.timeout - time.monotonic()
        if left <= 0:
            return "timeout"
        link.settimeout(left)
        try:
            piece = link.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return "timeout"
        except (ConnectionResetError, BrokenPipeError):
            return "reset"
        except ssl.SSLEOFError:  # closed without a close_notify
            return "closed"
        except ssl.SSLError as failure:  # an alert
            print(failure, file=sys.stderr)
            return "closed"
        if not piece:
            return "closed"
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        got += piece
        if options.replies and replies_in(got) >= options.replies:
            return "done"


def parser():
    words = argparse.ArgumentParser(prog="raw.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("address")
    words.add_argument("file", nargs="?", default="-")
    words.add_argument("--text", help=r"the bytes themselves, with \r \n \t \0 \xHH")
    words.add_argument("--tls", metavar="CA", help="over TLS, trusting this file")
    words.add_argument("--alpn", action="append")
    words.add_argument("--tls-version", choices=("1.2", "1.3"))
    words.add_argument("--sni")
    words.add_argument("--source", help="the local address, say 127.0.0.2")
    words.add_argument("--split", help="offsets at which to cut: 10,20")
    words.add_argument("--each", action="store_true", help="byte by byte")
    words.add_argument("--pause", type=int, default=5, metavar="MS", help="between the parts")
    words.add_argument("--half-close", action="store_true", help="say that no more comes, then read")
    words.add_argument("--reset", action="store_true", help="end with a RST right after the last byte")
    words.add_argument("--replies", type=int, default=0, help="stop after so many whole ones (1xx not counted); 0: at the close")
    words.add_argument("--timeout", type=float, default=10, metavar="S", help="for the answer, from the last byte sent")
    return words


def run(options):
    if options.text is not None:
        data = unescape(options.text)
    elif options.file == "-":
        data = sys.stdin.buffer.read()
    else:
        with open(options.file, "rb") as file:
            data = file.read()
    try:
        link = connect(options)
    except ssl.SSLError as failure:
        print(f"{failure}\ntls 0", file=sys.stderr)
        return 4
    except ConnectionRefusedError:
        print("refused 0", file=sys.stderr)
        return 3
    try:
        for i, part in enumerate(parts_of(data, options)):
            if i:
                time.sleep(options.pause / 1000)
            link.sendall(part)
        if options.half_close:
            half_close(link)
    except (ConnectionResetError, BrokenPipeError):
        pass  # refused while it was still sending: the answer is there to be read
    start = time.monotonic()
    if options.reset:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.close()
        end = "done"
    else:
        end = receive(link, options, start)
    print(f"{end} {int((time.monotonic() - start) * 1000)}", file=sys.stderr)
    return {"done": 0, "closed": 0, "reset": 1, "timeout": 2}[end]


if __name__ == "__main__":
    sys.exit(run(parser().parse_intermixed_args()))  # FILE may stand behind the options
