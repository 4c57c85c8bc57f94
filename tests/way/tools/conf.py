# SPDX-License-Identifier: Apache-2.0
"""conf.py FILE -- prints the YAML tree that the lines of FILE make, one `path=value` each, a later line beating an earlier.

A path is made of dots; a whole number in it is a place in a list (listeners.0.name). The value is written as it is, so it
may be a flow list or map; `path=` without a value takes the path, and what is below it, away.
"""
import sys


def put(tree, path, value):
    *above, last = path
    for key in above:
        if not isinstance(tree.get(key), dict):
            tree[key] = {}
        tree = tree[key]
    if value == "":
        tree.pop(last, None)
    else:
        tree[last] = value


def is_list(tree):
    return isinstance(tree, dict) and tree and all(key.isdigit() for key in tree)


def lines_of(tree, indent):
    for key, value in sorted(tree.items(), key=lambda item: int(item[0])) if is_list(tree) else tree.items():
        lead = indent + ("-" if is_list(tree) else f"{key}:")
        if isinstance(value, dict) and value:
            yield lead
            yield from lines_of(value, indent + "  ")
        elif not isinstance(value, dict):
            yield f"{lead} {value}"


def main(path):
    tree = {}
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            name, equals, value = line.rstrip("\n").partition("=")
            if not equals:
                sys.exit(f"conf.py: not path=value: {line}")
            put(tree, name.split("."), value)
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    for line in lines_of(tree, ""):
        print(line)


if __name__ == "__main__":
    main(sys.argv[1])
