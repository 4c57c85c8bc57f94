# SPDX-License-Identifier: Apache-2.0
"""seals.py PID -- the memfds that a process has open or mapped: a line each, `fd|map NAME MODE SEALS`.

MODE is that of the descriptor (r, rw) or of the mapping (r--p ...); SEALS are those of F_GET_SEALS, by commas. As root, for mappings.
"""
import fcntl
import os
import sys

F_GET_SEALS = 1034
SEALS = {1: "seal", 2: "shrink", 4: "grow", 8: "write", 16: "future_write"}
PREFIX = "/memfd:"


def seals_of(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        bits = fcntl.fcntl(fd, F_GET_SEALS)
    finally:
        os.close(fd)
    return ",".join(name for bit, name in SEALS.items() if bits & bit) or "none"


def name_of(target):
    return target[len(PREFIX):].removesuffix(" (deleted)")


def main(pid):
    base = f"/proc/{pid}"
    for fd in sorted(os.listdir(f"{base}/fd"), key=int):
        try:
            target = os.readlink(f"{base}/fd/{fd}")
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith(PREFIX):
            with open(f"{base}/fdinfo/{fd}", encoding="ascii") as info:
                flags = int(next(line for line in info if line.startswith("flags:")).split()[1], 8)
            print("fd", name_of(target), "rw" if flags & os.O_ACCMODE == os.O_RDWR else "r", seals_of(f"{base}/fd/{fd}"))
    with open(f"{base}/maps", encoding="utf-8") as maps:
        for line in maps:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) == 6 and fields[5].startswith(PREFIX):
                print("map", name_of(fields[5]), fields[1], seals_of(f"{base}/map_files/{fields[0]}"))


if __name__ == "__main__":
    main(int(sys.argv[1]))
