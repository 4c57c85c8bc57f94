# SPDX-License-Identifier: Apache-2.0
"""attack.py PID NAME -- tries to change the sealed memfd NAME of a process, in each way that the kernel has: a line each, `TRY ERRNO`.

As root, through the process's own descriptor or mapping. `done` in place of the error: it could be changed.
"""
import errno
import fcntl
import mmap
import os
import sys

F_ADD_SEALS, SEAL_FUTURE_WRITE = 1033, 16


def find(pid, name):
    for folder in (f"/proc/{pid}/fd", f"/proc/{pid}/map_files"):
        for entry in os.listdir(folder):
            path = f"{folder}/{entry}"
            if os.readlink(path).startswith(f"/memfd:{name}"):
                return path
    sys.exit(f"attack.py: {pid} has no {name}")


def shared_map(fd):
    mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)


def private_map(fd):
    """Not refused: only its own copy changes."""
    view = mmap.mmap(fd, os.fstat(fd).st_size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    before = os.pread(fd, 16, 0)
    view[:16] = b"x" * 16
    if os.pread(fd, 16, 0) == before:
        raise PermissionError(errno.EPERM, "a copy")


TRIES = {
    "write": lambda fd: os.pwrite(fd, b"x", 0),
    "append": lambda fd: os.pwrite(fd, b"x", os.fstat(fd).st_size),
    "shrink": lambda fd: os.ftruncate(fd, 0),
    "grow": lambda fd: os.ftruncate(fd, os.fstat(fd).st_size + 4096),
    "hole": lambda fd: os.posix_fallocate(fd, os.fstat(fd).st_size, 4096),
    "shared-map": shared_map,
    "private-map": private_map,
    "seal": lambda fd: fcntl.fcntl(fd, F_ADD_SEALS, SEAL_FUTURE_WRITE),
}


def main(pid, name):
    fd = os.open(find(pid, name), os.O_RDWR)
    before = os.pread(fd, os.fstat(fd).st_size, 0)
    for word, attack in TRIES.items():
        try:
            attack(fd)
            print(word, "done")
        except OSError as failure:
            print(word, errno.errorcode[failure.errno])
    print("unchanged" if os.pread(fd, os.fstat(fd).st_size, 0) == before else "changed")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
