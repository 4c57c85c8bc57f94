#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""moose.py [OPTION]... GROUP HOST:PORT TENANT -- asks headgate what tests/fixtures/moose/cases/GROUP.txt asked an ingest server of Moose,
and compares: status, text and records are equal, or as the case says we differ. A case that says so and does not is a failure too.
Exit 1 with a line for each failure. The token is read from standard input.

--read COMMAND     followed by a topic's name: prints the topic's records (tools/topic.c); not given: records are not compared
--seen FILE        how many records of each topic were there before; rewritten
--stamped TOPIC    a topic whose values have the member of the tenant (repeated); all others must not have it
--topic TOPIC      one that may have got no record, and is looked at all the same (repeated)
--only STATUS      only cases that upstream answered so
--own              the credentials are the file's, not the token

Positions (line and column) are compared in form alone, missing fields as a set, texts about syntax not at all; values of records byte by
byte, but for how a string is escaped."""
import argparse
import difflib
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../fixtures/moose"))
import cases  # noqa: E402

POSITION = re.compile(r" at line [1-9]\d* column \d+$")
REFUSAL = re.compile(r"Invalid JSON: (Missing fields|invalid type|Integer out of range|Negative value|Invalid \w+ (format|value|key|length)|"
                     r"FixedString|Required value|duplicate field|out of range|trailing characters)")
TEXT_TYPE = "text/plain; charset=utf-8"
READ_TIMEOUT_SECONDS = 60


def canonical(data):
    """Members in their order, repeated ones too, and numbers as they were written."""
    return json.loads(data, object_pairs_hook=tuple, parse_int=lambda n: "number " + n, parse_float=lambda n: "number " + n)


def plain_text(text):
    """What is compared of a reply's text."""
    bare = POSITION.sub(" at line L column C", text)
    if not text.startswith("Invalid JSON: "):
        return bare
    if not REFUSAL.match(text):
        return "a syntax error" + ("" if bare != text else ", without its place")
    missing = re.match(r"Invalid JSON: Missing fields: (.*?)( at line L column C)?$", bare)
    return ("Missing fields", sorted(missing[1].split(", ")), missing[2]) if missing else bare


def plain_value(value):
    """What is compared of a record's value. A dead letter: all but the time, and the place in its text."""
    try:
        out = canonical(value)
    except ValueError:
        return value
    if isinstance(out, tuple) and dict(out).get("errorType") == "ValidationError":
        letter = dict(out)
        letter["failedAt"] = re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$", "a time", letter["failedAt"])
        letter["errorMessage"] = plain_text("Invalid JSON: " + letter["errorMessage"])
        return tuple(letter.items())
    return out


class Judge:
    def __init__(self, options):
        self.options, self.failures, self.differing, self.want, self.seen = options, [], 0, {}, {}
        if options.seen and os.path.exists(options.seen):
            with open(options.seen, encoding="ascii") as file:
                self.seen = json.load(file)

    def fail(self, case, what):
        self.failures.append(f"{case.name}: {what}")

    def wanted(self, case):
        """Status, text or None, records: ours where we differ."""
        status, kind, text = case.reply()
        records = case.records()
        if case.has("ours") or case.has("ours-json"):
            status, _, text = (case.get("ours") or case.get("ours-json")).partition(" ")
            status, text = int(status), json.loads(text) if case.has("ours-json") else text
        if case.get("ours-record") == "none":
            records = []
        elif case.has("ours-record"):
            records = [(topic, value.encode()) for topic, _, value in (r.partition(" ") for r in case.all("ours-record"))]
        return status, kind, text, records

    def judge(self, case, status, headers, body):
        text = body.decode("utf-8", "replace")
        upstream_status, _, upstream_text = case.reply()
        want_status, kind, want_text, _ = self.wanted(case)
        got = status, plain_text(text)
        if case.has("ours-like"):
            want_status, _, regex = case.get("ours-like").partition(" ")
            want_status, want_text = int(want_status), regex
            got, want = (status, bool(re.fullmatch(regex, text))), (want_status, True)
        elif case.has("text-about"):
            got, want = (status, text[:len(case.get("text-about"))]), (want_status, case.get("text-about"))
        else:
            want = want_status, plain_text(want_text)
        if got != want:
            self.fail(case, f"wanted {want_status} {want_text!r}, got {status} {text!r}")
        if case.has("differs"):
            self.differing += 1
            if got == (upstream_status, plain_text(upstream_text)) and not case.has("ours-record"):
                self.fail(case, f"is said to differ ({case.get('differs')}), and is as upstream")
        for name, _, value in (header.partition(": ") for header in case.all("reply-header")):
            if headers.get(name) != value:
                self.fail(case, f"wanted {name}: {value}, got {headers.get(name)}")
        want_type = "application/json" if kind.startswith("application/json") else TEXT_TYPE
        if body and headers.get("content-type") != want_type:
            self.fail(case, f"its Content-Type is {headers.get('content-type')}")

    def expect_records(self, case):
        for topic, value in self.wanted(case)[3]:
            self.want.setdefault(topic, []).append((case, value))

    def without_stamp(self, topic, value):
        member = ('"tenant_id":' + json.dumps(self.options.tenant)).encode()
        found = value.count(member)
        if found != (1 if topic in self.options.stamped else 0):
            self.failures.append(f"{topic}: {value!r} has {found} members of the tenant")
        for form in (b"," + member, member + b",", member):
            value = value.replace(form, b"")
        return value

    def read_new(self, topic):
        """Values that came since the last time."""
        read = subprocess.run([*self.options.read.split(), topic], check=True, stdout=subprocess.PIPE, timeout=READ_TIMEOUT_SECONDS)
        lines = read.stdout.splitlines()
        old, self.seen[topic] = self.seen.get(topic, 0), len(lines)
        return [self.without_stamp(topic, bytes.fromhex(json.loads(line)["value"] or "")) for line in lines[old:]]

    def judge_records(self, topics):
        for topic in topics:
            want, got = self.want.get(topic, []), self.read_new(topic)
            keys = [repr(plain_value(value)) for _, value in want], [repr(plain_value(value)) for value in got]
            for how, i, i_end, j, j_end in difflib.SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
                if how != "equal":
                    names = sorted({case.name for case, _ in want[i:i_end]})
                    self.failures.append(f"{topic}: {' and '.join(names)}: wanted {[v for _, v in want[i:i_end]]}, got {got[j:j_end]}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--read")
    parser.add_argument("--seen")
    parser.add_argument("--stamped", action="append", default=[])
    parser.add_argument("--only", type=int)
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--topic", action="append", default=[])
    parser.add_argument("group")
    parser.add_argument("address")
    parser.add_argument("tenant")
    options = parser.parse_args()
    credential = cases.CREDENTIAL if options.own else "Bearer " + sys.stdin.readline().strip()
    group = cases.read(os.path.join(os.path.dirname(cases.__file__), "cases", options.group + ".txt"))
    judge = Judge(options)
    asked = [case for case in group.cases if not options.only or case.reply()[0] == options.only]
    for case in asked:
        judge.judge(case, *cases.send(options.address, case, credential))
        judge.expect_records(case)
    if options.read:
        judge.judge_records(sorted(judge.want.keys() | set(options.topic)))
    if options.seen:
        with open(options.seen, "w", encoding="ascii") as file:
            json.dump(judge.seen, file)
    for line in judge.failures:
        print(line)
    print(f"{len(asked)} cases, {judge.differing} of them differ on purpose, {len(judge.failures)} failures")
    return 1 if judge.failures or not asked else 0


if __name__ == "__main__":
    sys.exit(main())
