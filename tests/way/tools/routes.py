# SPDX-License-Identifier: Apache-2.0
"""routes.py MODE [OPTION]... <TOKEN -- one table of every route there is, in each format that it takes, and what the pages say of all of them
at once; for 35-every-route.sh and 30-outage-routes.sh. Prints a line for each deviation and how many requests there were; exit 1 if one
deviates. TOKEN is of the tenant --tenant.

Modes	table DEF	routes.def (common/) has no route that the table lacks
	once		each route takes its body
	same		whole, with a slash or a query behind, in chunks, byte by byte, in each coding: one answer
	refused		strangers, other tenants, malformed ones, methods, types, codings, no length, no body
	pages		of other origins: preflights without a credential, and posts
	broken DIR	F42, F43: bodies cut, trailed and swollen in each coding; DIR: bomb.CODING (--limit + 1 bytes), huge.gzip
			(300 MiB + 1, the limit of micromegas)
	sizes		a body of exactly --limit bytes, plain and as gzip, and one of a byte more; not of micromegas, whose limits are fixed
	parts		with record.max_bytes: --limit: 40 items of a kilobyte each; OTLP too with one of --limit bytes beside a small one, and alone
	parted		lines of `stored` instead of the token: each of those that --sent counts is in parts, 1/N to N/N, within --limit
	nonsense	a body that is no valid data, where there is such a thing
	letters		lines of `stored` instead of the token: a dead letter for each of these, and no other
	spent		the token's tenant may send one request a second: 429, and a wrong type is told before that
	busy [stranger]	the token's tenant has as many requests in flight as it may: 503; stranger: nobody can tell whose the token is
	away		the broker is: all routes at once, 503 within 9 s
	records		lines of `records` (with a member topic) or `stored` on standard input, no token: each is of the contract, of each
			route as many as --sent says (--more: or more), of as many values as it has bodies (--any-value: of any)
Options	--listener NAME=HOST:PORT (public, gateway, moose), --tenant ID, --limit BYTES (inflated; of models on the wire too), --sent FILE (counts what was accepted)

The table is routes_table.py. Standard library only.
"""
import argparse
import base64
import collections
import gzip
import json
import os
import re
import socket
import sys
import threading
import time

import stalls
from routes_table import ANY_BYTES, ANY_TYPE, CODINGS, FAMILIES, JSON, ROWS, WRITES, coded_bodies, key_of, many, padded, snappy

REPLY_SECONDS = 20
EXPECT_BYTES = 4096  # a larger body waits for 100 Continue: what is refused unread would reset the connection under the reply
STANDARD = ["X-Scope-OrgID", "tenant_id", "signal", "format", "content-type", "headgate-route", "headgate-request-id",
            "headgate-received-ms", "headgate-contract"]  # record.headers: all
STATUS_FIELD = re.compile(r"^HTTP/1\.1 (\d{3}) ")

Reply = collections.namedtuple("Reply", "status fields body continued")


class Asker:
    def __init__(self, options, token):
        self.listeners = dict(each.split("=", 1) for each in options.listener)
        self.tenant, self.token, self.sent_file = options.tenant, token, options.sent
        self.requests, self.deviations, self.lock = 0, [], threading.Lock()
        self.accepted = collections.Counter()

    def say(self, row, what, told):
        with self.lock:
            self.deviations.append(f"{row.listener} {row.path} ({row.type}): {what}: {told}")

    def ask(self, row, fields=None, body=None, **how):
        """The Reply. fields replaces by name; None leaves a field out. A lost one has status 0."""
        sent = {"Host": "x", "Content-Type": row.type, "Authorization": f"Bearer {self.token}", "Connection": "close"}
        if row.listener == "gateway":
            sent["X-Scope-OrgID"] = self.tenant
        if row.family in WRITES:
            sent["Content-Encoding"] = "snappy"
        if body is None:
            body = self.plain(row)
        if not how.get("no_length"):
            sent.update({"Transfer-Encoding": "chunked"} if how.get("chunked") else {"Content-Length": str(len(body))})
        if len(body) > EXPECT_BYTES:
            sent["Expect"] = "100-continue"
        sent.update(fields or {})
        head = f"{how.get('method', 'POST')} {row.path}{how.get('behind', '')} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value is not None) + "\r\n"
        if how.get("chunked"):
            body = b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + 7]), body[at:at + 7]) for at in range(0, len(body), 7)) + b"0\r\n\r\n"
        with self.lock:
            self.requests += 1
        reply = exchange(self.listeners[row.listener], head.encode("latin-1"), body, "Expect" in sent, how.get("each"))
        if reply.status == FAMILIES[row.family].ok and body:
            with self.lock:
                self.accepted[key_of(row)] += 1
        return reply

    @staticmethod
    def plain(row):
        """What a client sends of it that says no coding but those that belong to the protocol."""
        return snappy(row.body) if row.family in WRITES + ("loki",) else row.body

    def want(self, row, what, reply, *statuses):
        if reply.status not in statuses:
            self.say(row, what, f"{reply.status} {reply.body[:200]!r}, not {' or '.join(map(str, statuses))}")
            return False
        return True

    def end(self):
        if self.sent_file:
            try:
                with open(self.sent_file, encoding="utf-8") as file:
                    self.accepted.update(json.load(file))
            except FileNotFoundError:
                pass
            with open(self.sent_file, "w", encoding="utf-8") as file:
                json.dump(self.accepted, file)
        print(*self.deviations, f"{self.requests} requests", sep="\n")
        sys.exit(bool(self.deviations) or not self.requests)


def exchange(address, head, body, expects, each):
    host, port = address.rsplit(":", 1)
    data = b""
    try:
        with socket.create_connection((host, int(port)), timeout=REPLY_SECONDS) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if expects:
                link.sendall(head)
                while b"\r\n\r\n" not in data:
                    more = link.recv(65536)
                    if not more:
                        break
                    data += more
                if data.startswith(b"HTTP/1.1 100 "):
                    link.sendall(body)
            elif each:
                for byte in head + body:
                    link.sendall(bytes((byte,)))
            else:
                link.sendall(head + body)
            while more := link.recv(65536):
                data += more
    except OSError as why:
        if not data:
            return Reply(0, {}, str(why).encode(), False)
    continued = data.startswith(b"HTTP/1.1 100 ")
    if continued:
        data = data.partition(b"\r\n\r\n")[2]
    top, _, rest = data.partition(b"\r\n\r\n")
    lines = top.decode("latin-1").split("\r\n")
    status = STATUS_FIELD.match(lines[0])
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Reply(int(status[1]) if status else 0, fields, rest, continued)


def once(asker, _):
    for row in ROWS:
        asker.want(row, "its body", asker.ask(row), FAMILIES[row.family].ok)


def same(asker, _):
    for row in ROWS:
        ok = FAMILIES[row.family].ok
        first = asker.ask(row)
        if not asker.want(row, "whole", first, ok):
            continue
        plain = asker.plain(row)
        replies = {"with a slash behind": asker.ask(row, behind="/"), "with a query": asker.ask(row, behind="?a=b"),
                   "in chunks": asker.ask(row, chunked=True), "byte by byte": asker.ask(row, each=True),
                   "chunks byte by byte": asker.ask(row, chunked=True, each=True),
                   "the credential by Basic": asker.ask(row, {"Authorization": basic("", asker.token)}),
                   "by Basic with the tenant as user": asker.ask(row, {"Authorization": basic(asker.tenant, asker.token)}),
                   "with its tenant's name": asker.ask(row, {"X-Scope-OrgID": asker.tenant})}
        for name, value, body in coded_bodies(row, plain):
            if body is not None and name in FAMILIES[row.family].codings:
                replies["as " + name] = asker.ask(row, {"Content-Encoding": value}, body)
                replies["byte by byte as " + name] = asker.ask(row, {"Content-Encoding": value}, body, each=True)
        for what, reply in replies.items():
            if asker.want(row, what, reply, ok):
                for name in "content-type", "content-length", "retry-after", "x-scope-orgid", "x-prometheus-remote-write-samples-written":
                    if reply.fields.get(name) != first.fields.get(name):
                        asker.say(row, what, f"{name} is {reply.fields.get(name)}, not {first.fields.get(name)}")
                if reply.body != first.body:
                    asker.say(row, what, f"the answer is {reply.body!r}, not {first.body!r}")


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def refused(asker, _):
    stranger = "hgt_00000000_000000000000000000000000000000000000"
    for row in ROWS:
        family = FAMILIES[row.family]
        replies = {
            "no credential": (401, asker.ask(row, {"Authorization": None})),
            "a wrong one": (401, asker.ask(row, {"Authorization": f"Bearer {stranger}"})),
            "a wrong one, type and coding": (401, asker.ask(row, {"Authorization": f"Bearer {stranger}", "Content-Type": "?", "Content-Encoding": "?",
                                                                  "Content-Length": str(1 << 30), "Expect": "100-continue"}, b"")),
            "another tenant": (403, asker.ask(row, {"X-Scope-OrgID": "another"})),
            "another tenant as user": (403, asker.ask(row, {"Authorization": basic("another", asker.token)})),
            "a coding that nobody has": (family.unsupported, asker.ask(row, {"Content-Encoding": "lz4"}, b"\x04\x22\x4d\x18")),
            "two X-Scope-OrgID": (400, asker.ask(row, {"X-Scope-OrgID": asker.tenant, "x-scope-orgid": asker.tenant})),
            "two Content-Type": (400, asker.ask(row, {"content-type": row.type})),
            "two credentials": (401, asker.ask(row, {"authorization": f"Bearer {asker.token}"})),
            "two Content-Encoding": (family.unsupported, asker.ask(row, {"Content-Encoding": "gzip", "content-encoding": "gzip"})),
            "two codings": (family.unsupported, asker.ask(row, {"Content-Encoding": "gzip, gzip"})),
            "no length": (411, asker.ask(row, body=b"", no_length=True)),
            "no body": (family.empty, asker.ask(row, {"Content-Encoding": None}, b"")),
            "a path that goes on": (404, asker.ask(row, behind="x" if row.path != "/ingest/otlp/v1" else "/x")),
            "GET": (404 if row.listener == "moose" else 405, asker.ask(row, {"Content-Length": None, "Content-Type": None}, b"", method="GET", no_length=True)),
        }
        replies["PATCH"] = (404 if row.listener == "moose" else 405, asker.ask(row, method="PATCH"))
        for claim in "a/b", "a|b", "a:b", "..", "%2f", "a" * 151:
            replies["X-Scope-OrgID: " + claim[:4]] = (400, asker.ask(row, {"X-Scope-OrgID": claim}))
        if row.family not in ANY_TYPE:
            replies["a malformed type"] = (family.unsupported, asker.ask(row, {"Content-Type": "application/json; charsetutf-8"}))
        if row.family not in ANY_TYPE + ("loki", "loki_json"):
            replies["a type that nobody has"] = (family.unsupported, asker.ask(row, {"Content-Type": "image/webp"}, b"corrupt"))
        if row.route.startswith("gateway_"):
            for what, claim in ("no X-Scope-OrgID", None), ("an empty X-Scope-OrgID", ""):
                replies[what] = (401, asker.ask(row, {"X-Scope-OrgID": claim}))
                if replies[what][1].body != b"Bad Request":
                    asker.say(row, what, replies[what][1].body)
        else:
            asker.want(row, "an empty X-Scope-OrgID", asker.ask(row, {"X-Scope-OrgID": ""}), family.ok)
        for what, (status, reply) in replies.items():
            if not asker.want(row, what, reply, status):
                continue
            if reply.continued:
                asker.say(row, what, "was asked for its body")
            if status == 401 and reply.fields.get("www-authenticate") != "Bearer":
                asker.say(row, what, "does not say Bearer")
            if status == 405 and reply.fields.get("allow") != "POST":
                asker.say(row, what, "does not say what is allowed")
            if status >= 400 and (asker.token.encode() in reply.body or stranger.encode() in reply.body or "retry-after" in reply.fields):
                asker.say(row, what, "holds a credential, or asks to come again")
            if status >= 400 and reply.fields.get("content-type", "").startswith("text/plain") and status != 404:
                if len(reply.body) > 512 or reply.body.rstrip(b"\n").count(b"\n") or re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", reply.body):
                    asker.say(row, what, f"is no line of text: {reply.body!r}")


PAGE = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type", "Authorization": None, "Content-Type": None,
        "Content-Encoding": None, "X-Scope-OrgID": None}


def pages(asker, options):
    """The listener gateway names http://app.example; Moose lets every page ask, and none read (compatibility.md 5)."""
    for row in ROWS:
        for origin in "http://app.example", "http://other.example":
            allowed = {"gateway": origin if origin == "http://app.example" else None, "public": None, "moose": "*"}[row.listener]
            reply = asker.ask(row, PAGE | {"Origin": origin}, b"", method="OPTIONS", no_length=True)
            asker.want(row, f"a preflight of {origin}", reply, 200 if row.listener == "moose" else 204 if allowed else 405)
            if reply.fields.get("access-control-allow-origin") != allowed:
                asker.say(row, f"a preflight of {origin}", f"allowed is {reply.fields.get('access-control-allow-origin')}")
            for what, fields, status in ("a post", {}, FAMILIES[row.family].ok), ("a stranger's post", {"Authorization": None}, 401):
                reply = asker.ask(row, fields | {"Origin": origin})
                asker.want(row, f"{what} of {origin}", reply, status)
                if reply.fields.get("access-control-allow-origin") != (allowed if row.listener != "moose" else None):
                    asker.say(row, f"{what} of {origin}", f"allowed is {reply.fields.get('access-control-allow-origin')}")


def broken(asker, options):
    folder = options.argument

    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    bombs = {name: read("bomb." + name) for name in CODINGS}
    huge = read("huge.gzip")
    zstd = read("small.zstd")
    window = b"\x28\xb5\x2f\xfd\x00" + bytes([(31 - 10) << 3]) + b"\x09\x00\x00x"
    lie = b"\xff\xff\xff\xff\x0f\x00x"
    for row in ROWS:
        family = FAMILIES[row.family]
        plain = asker.plain(row)
        of_micromegas = row.path.startswith("/ingestion/")
        inner_only = row.family == "loki_json"  # to it `snappy` says nothing: the bytes are no JSON
        for name, value, body in coded_bodies(row, plain, zstd):
            taken = name in family.codings
            refusal = family.unsupported if not (inner_only and name == "snappy") else 400
            bomb = huge if of_micromegas and name == "gzip" else bombs[name]
            cases = {"that swells": (413 if taken else refusal, bomb)}
            if taken or refusal == 400:
                cases |= {"cut": (400, body[:-1]), "cut to half": (400, body[:len(body) // 2]), "with a byte behind": (400, body + b"\0"),
                          "that is none": (400, b"no such coding"), "that is empty": (400, b"")}
            for what, (status, bytes_) in cases.items():
                asker.want(row, f"{name} {what}", asker.ask(row, {"Content-Encoding": value}, bytes_), status)
        asker.want(row, "a window of 2 GiB", asker.ask(row, {"Content-Encoding": "zstd"}, window), 400 if "zstd" in family.codings else family.unsupported)
        block = {"Content-Encoding": None} if row.family == "loki" else {"Content-Encoding": "snappy"}
        asker.want(row, "a block that claims 4 GiB", asker.ask(row, block, lie), 413 if row.family == "loki" or "snappy" in family.codings else
                   400 if inner_only else family.unsupported)
        twice = asker.ask(row, {"Content-Encoding": "gzip"}, gzip.compress(gzip.compress(plain)))
        asker.want(row, "gzip in gzip", twice, family.unsupported if "gzip" not in family.codings else family.ok if row.family in ANY_BYTES else 400)


def sizes(asker, options):
    for row in ROWS:
        family = FAMILIES[row.family]
        if row.path.startswith("/ingestion/"):
            continue
        for size, status in (options.limit, family.ok), (options.limit + 1, 413):
            body = padded(row, size)
            sent = snappy(body) if row.family in WRITES + ("loki",) else body
            asker.want(row, f"{size} bytes", asker.ask(row, body=sent), status)
            if "gzip" in family.codings and row.family != "loki":  # there the block around them is larger
                asker.want(row, f"{size} bytes as gzip", asker.ask(row, {"Content-Encoding": "gzip"}, gzip.compress(sent, 1)), status)


def parts(asker, options):
    def send(row, texts):
        body = many(row, texts)
        return asker.ask(row, body=snappy(body) if row.family in WRITES + ("loki",) else body)

    told = {"traces": "rejectedSpans", "metrics": "rejectedDataPoints", "logs": "rejectedLogRecords"}
    for row in ROWS:
        if many(row, ["x"]) is None:
            continue
        ok = FAMILIES[row.family].ok
        asker.want(row, "40 items of a kilobyte", send(row, [f"{i:04}" * 250 for i in range(40)]), ok)
        whole = asker.accepted[key_of(row)]
        large = "x" * options.limit
        if row.format == "otlp_proto":
            reply = send(row, ["small", large])
            if asker.want(row, "an item too large beside a small one", reply, ok):
                if row.type == JSON:
                    rejected = json.loads(reply.body).get("partialSuccess", {}).get(told[row.signal]) == "1"
                else:
                    rejected = reply.body[:1] + reply.body[2:4] == b"\x0a\x08\x01"
                if not rejected:
                    asker.say(row, "an item too large beside a small one", f"is not told of: {reply.body!r}")
        else:
            asker.want(row, "an item too large beside a small one", send(row, ["small", large]), 413)
        asker.want(row, "an item too large alone", send(row, [large]), 413)
        asker.accepted[key_of(row)] = whole


def parted(options):
    with open(options.sent, encoding="utf-8") as file:
        sent = json.load(file)
    requests, wrong = collections.defaultdict(list), []
    for line in sys.stdin:
        record = json.loads(line)
        told = {name: bytes.fromhex(value).decode() for name, value in record["headers"]}
        if len(record["value"]) // 2 + len(record["key"]) // 2 + sum(len(name) + len(value) // 2 for name, value in record["headers"]) + 512 > options.limit:
            wrong.append(f"a record of {len(record['value']) // 2} bytes: {told}")
        if "headgate-part" in told:
            requests[f"{record['topic']} {told['headgate-route']} {told['format']}", told["headgate-request-id"]].append(told["headgate-part"])
    counts = collections.Counter(key for key, _ in requests)
    for (key, _), said in requests.items():
        if len(said) < 3 or sorted(said) != sorted(f"{i + 1}/{len(said)}" for i in range(len(said))):
            wrong.append(f"{key}: parts {said}")
    wrong += [f"{key}: {counts[key]} of {count} are in parts" for key, count in sent.items() if counts[key] != count]
    print(*wrong, f"{sum(counts.values())} requests in {sum(map(len, requests.values()))} parts", sep="\n")
    sys.exit(bool(wrong) or not counts)


def nonsense_of(row):
    """(sent, decoded); None where any bytes are data."""
    if row.family in ANY_BYTES:
        return None
    if row.format == "json":
        return (b'{"n":"x"}',) * 2
    if row.type == JSON:
        return (b'{"x":',) * 2
    bad = b"\x0a\xff"
    return snappy(bad) if row.family in WRITES + ("loki",) else bad, bad


def nonsense(asker, _):
    for row in ROWS:
        if nonsense_of(row):
            asker.want(row, "nonsense", asker.ask(row, body=nonsense_of(row)[0]), 400)


def letters(options):
    want = collections.Counter((row.topic, row.signal if row.route != "obstack_otlp" else "", nonsense_of(row)[1]) for row in ROWS if nonsense_of(row))
    got, wrong = collections.Counter(), []
    for line in sys.stdin:
        record = json.loads(line)
        if record["topic"] != "headgate_dlq":
            continue
        told = {name: bytes.fromhex(value).decode() for name, value in record["headers"]}
        route = told.get("headgate-route")  # of models there are two headers
        got[told["headgate-dlq-topic"], told.get("signal", "events") if route != "obstack_otlp" else "", bytes.fromhex(record["value"])] += 1
        if told["headgate-dlq-reason"] != "hg-invalid" or not told["headgate-dlq-detail"] or bytes.fromhex(record["key"]).decode() != options.tenant:
            wrong.append(f"{route}: {told}")
    wrong += [f"{key}: {got[key]} letters of {count}" for key, count in want.items() if got[key] != count]
    wrong += [f"{key}: {count} letters that nobody should have" for key, count in got.items() if key not in want]
    print(*wrong, f"{sum(got.values())} letters", sep="\n")
    sys.exit(bool(wrong) or not got)


def retry_of(asker, row, what, reply, typed=True):
    """typed: the type of the body was judged before."""
    after = reply.fields.get("retry-after", "")
    if not re.fullmatch("[1-5]", after):
        asker.say(row, what, f"Retry-After is {after!r}")
    written = [reply.fields.get(f"x-prometheus-remote-write-{each}-written") for each in ("samples", "histograms", "exemplars")]
    if written != (["0"] * 3 if row.format == "prom_rw2" and typed else [None] * 3):
        asker.say(row, what, f"written is {written}")  # P15
    if row.family in ("otlp_json", "upstream_json"):
        info = [each.get("retryDelay") for each in json.loads(reply.body)["details"]]
        if info != [after + "s"]:
            asker.say(row, what, f"RetryInfo is {info}, Retry-After {after}")


def spent(asker, _):
    for row in ROWS:
        family = FAMILIES[row.family]
        for _ in range(5):  # within a second there is one
            reply = asker.ask(row)
            if reply.status != family.ok:
                break
        if asker.want(row, "a spent rate", reply, family.spent):
            retry_of(asker, row, "a spent rate", reply)
        asker.want(row, "with it, an unknown coding", asker.ask(row, {"Content-Encoding": "lz4"}, b"?"), family.unsupported)


def busy(asker, options):
    for row in ROWS:
        reply = asker.ask(row)
        if asker.want(row, "a full share", reply, 503):
            retry_of(asker, row, "a full share", reply, options.argument != "stranger")


def away(asker, _):
    slowest, machine = [0.0], stalls.Stalls()

    def one(row):
        start, began = stalls.now_us(), time.monotonic()
        reply = asker.ask(row)
        took = time.monotonic() - began
        if took > 9:
            stalls.settle()
            took -= machine.us(start, start + int(took * 1_000_000)) / 1_000_000
        slowest[0] = max(slowest[0], took)
        if took > 9:
            asker.say(row, "without a broker", f"answered after {took:.1f} s")
        if asker.want(row, "without a broker", reply, 503):
            retry_of(asker, row, "without a broker", reply)

    threads = [threading.Thread(target=one, args=(row,)) for row in ROWS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"the slowest within {slowest[0]:.1f} s")


def complete(options):
    with open(options.argument, encoding="utf-8") as file:
        there = set(re.findall(r'^(?:ROUTE|MODELS)\("([^"]+)"', file.read(), re.M))
    mine = {row.route for row in ROWS} - {"own-blobs"}
    print(*sorted(f"{name} is not in the table" for name in there - mine), *sorted(f"{name} is no route" for name in mine - there), sep="\n", end="")
    sys.exit(there != mine or not there)


def records(options):
    """Of each route as many as were accepted, each as the contract has it."""
    expected = {}
    for row in ROWS:
        expected.setdefault(key_of(row), []).append(row)
    with open(options.sent, encoding="utf-8") as file:
        sent = json.load(file)
    counts, values, wrong = collections.Counter(), collections.defaultdict(set), []
    for line in sys.stdin:
        record = json.loads(line)
        headers = [(name, bytes.fromhex(value).decode()) for name, value in record["headers"]]
        told = dict(headers)
        names = [name for name, _ in headers]
        key = record["topic"] if len(headers) == 2 else f"{record['topic']} {told.get('headgate-route')} {told.get('format')}"
        rows = expected.get(key)
        if not rows:
            wrong.append(f"a record of {key}")
            continue
        counts[key] += 1
        if key.split(" ")[-2:-1] != ["micromegas_webhook"]:  # they hold the time
            values[key].add(record["value"])
        if names != (STANDARD[:2] if rows[0].format == "json" else STANDARD):
            wrong.append(f"{key}: headers {names}")
        if bytes.fromhex(record["key"]).decode() != options.tenant or {told["X-Scope-OrgID"], told["tenant_id"]} != {options.tenant}:
            wrong.append(f"{key}: of the tenant {record['key']} {told}")
        if len({name.lower() for name in names}) != len(names) or "version" in {name.lower() for name in names}:
            wrong.append(f"{key}: header names {names}")
        if len(headers) > 2 and not any((told["signal"], told["content-type"]) == (row.signal, row.stored_type) for row in rows):
            wrong.append(f"{key}: is told as {told['signal']} {told['content-type']}")
    for key, rows in expected.items():
        if counts[key] < sent.get(key, 0) or (counts[key] > sent.get(key, 0) and not options.more):
            wrong.append(f"{key}: {counts[key]} records of {sent.get(key, 0)} that were accepted")
        if not options.any_value and len(values[key]) > len({row.body for row in rows}):
            wrong.append(f"{key}: {len(values[key])} values of {len({row.body for row in rows})} bodies")
    print(*wrong, f"{sum(counts.values())} records", sep="\n")
    sys.exit(bool(wrong) or not counts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("argument", nargs="?")
    parser.add_argument("--listener", action="append", default=[])
    parser.add_argument("--tenant", default="acme")
    parser.add_argument("--sent")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--any-value", action="store_true")
    parser.add_argument("--more", action="store_true")
    options = parser.parse_args()
    if options.mode == "table":
        complete(options)
    if options.mode == "records":
        records(options)
    if options.mode == "letters":
        letters(options)
    if options.mode == "parted":
        parted(options)
    asker = Asker(options, sys.stdin.readline().strip())
    {"once": once, "same": same, "refused": refused, "pages": pages, "broken": broken, "sizes": sizes, "parts": parts, "nonsense": nonsense, "spent": spent, "busy": busy, "away": away}[options.mode](asker, options)
    asker.end()


main()
