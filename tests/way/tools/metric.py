# SPDX-License-Identifier: Apache-2.0
"""metric.py NAME ['{label="value",...}'] -- the sum of the samples of that name on standard input, which have these labels.

The name goes without the prefix headgate_. Prints 0 when there is none, for a series appears on first use; --must makes
that a failure. --list prints each matching line as it came.
"""
import re
import sys

LINE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: .*)?$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def labels_of(text):
    return dict(LABEL.findall(text or ""))


def main(arguments):
    must = "--must" in arguments
    show = "--list" in arguments
    words = [word for word in arguments if not word.startswith("--")]
    name = words[0] if words[0].startswith(("headgate_", "process_")) else "headgate_" + words[0]
    wanted = labels_of(words[1] if len(words) > 1 else "").items()
    total, found = 0.0, False
    for line in sys.stdin:
        match = LINE.match(line.rstrip("\n"))
        if match and match[1] == name and wanted <= labels_of(match[2]).items():
            total, found = total + float(match[3]), True
            if show:
                print(line, end="")
    if must and not found:
        sys.exit(f"metric.py: no sample of {name} {dict(wanted)}")
    if not show:
        print(int(total) if total == int(total) else total)


if __name__ == "__main__":
    main(sys.argv[1:])
