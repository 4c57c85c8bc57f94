#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""manual.py list PAGE | show PAGE NAME [OLD=NEW]... | run PAGE NAME [OLD=NEW]... -- the literal blocks of a man page, each named by a comment before it,
`.\\" block: NAME`. list: their names, a `-` for one without. show: its text, with OLD, which must be in it, replaced by NEW. run: each
line behind `$ ` (and what follows a backslash at a line's end) by bash, one shell for all; what it prints must be the lines below it, where `...` stands for
anything. Exit 1 with what was wanted and what was got."""
import re
import subprocess
import sys

TIMEOUT_SECONDS = 120
END = "--- end of a command: "


def blocks(page):
    """Pairs of name and text, as a reader sees it."""
    name, lines = "-", None
    with open(page, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            if match := re.match(r'\.\\" block: (\S+)$', line):
                name = match[1]
            elif line.startswith(".Bd -literal"):
                lines = []
            elif line == ".Ed":
                yield name, "".join(each + "\n" for each in lines)
                name, lines = "-", None
            elif lines is not None:
                lines.append(re.sub(r"\\(e|-|&|\(dq)", lambda m: {"e": "\\", "-": "-", "&": "", "(dq": '"'}[m[1]], line))


def commands(text):
    """Pairs of command and what it prints."""
    found, goes_on = [], False
    for line in text.splitlines():
        if goes_on:
            found[-1][0] += "\n" + line
        elif line.startswith("$ "):
            found.append([line[2:], ""])
        else:
            found[-1][1] += line + "\n"
        goes_on = (goes_on or line.startswith("$ ")) and line.endswith("\\")
    return found


def changed(text, changes):
    for old, new in (each.rsplit("=", 1) for each in changes):
        if old not in text:
            sys.exit(f"no {old} in it")
        text = text.replace(old, new)
    return text


def run(text):
    bad = 0
    pairs = commands(text)
    script = "".join(f"{command}\necho '{END}'$?\n" for command, _ in pairs)
    done = subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=TIMEOUT_SECONDS)
    said = re.split(re.escape(END) + r"(\d+)\n", done.stdout.decode("utf-8", "replace"))
    for i, (command, want) in enumerate(pairs):
        got, status = (said[2 * i], said[2 * i + 1]) if 2 * i + 1 < len(said) else ("nothing: it did not come to it", "-")
        if status != "0" or not re.fullmatch(".*".join(map(re.escape, want.split("..."))), got, re.S):
            print(f"$ {command}\nstatus: {status}\nwant: {want!r}\ngot:  {got!r}")
            bad = 1
    return bad or not pairs


def main():
    verb, page = sys.argv[1:3]
    if verb == "list":
        print(*(name for name, _ in blocks(page)), sep="\n")
        return 0
    text = "".join(text for name, text in blocks(page) if name == sys.argv[3])
    if not text:
        sys.exit(f"{page} has no block {sys.argv[3]}")
    text = changed(text, sys.argv[4:])
    if verb == "show":
        print(text, end="")
        return 0
    return run(text)


sys.exit(main())
