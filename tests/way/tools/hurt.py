# SPDX-License-Identifier: Apache-2.0
"""hurt.py READY SIGNAL PID [SPARED]... -- sends the signal to each worker of PID that is there or comes, but to those that are spared.

The file READY is made once it watches. Ends with PID.
"""
import os
import signal
import sys
import time


def main(ready, name, pid, *spared):
    number, spared, hurt = getattr(signal, f"SIG{name}"), {int(word) for word in spared}, set()
    with open(ready, "w", encoding="ascii"):
        pass
    while True:
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                children = {int(word) for word in file.read().split()}
        except FileNotFoundError:
            return
        for child in children - spared - hurt:
            try:
                # Between fork and exec it is none yet; a sanitizer's own child never is.
                if os.path.basename(os.readlink(f"/proc/{child}/exe")).startswith("headgate-worker"):
                    hurt.add(child)
                    os.kill(child, number)
            except (FileNotFoundError, ProcessLookupError):
                pass
        time.sleep(0.001)


if __name__ == "__main__":
    main(*sys.argv[1:])
