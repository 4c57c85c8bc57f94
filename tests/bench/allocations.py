# SPDX-License-Identifier: Apache-2.0
"""allocations.py PID COMMAND... -- runs the command and counts, by the library that called, what process PID asks of malloc and
its kin meanwhile, and its EVP_MD_fetch calls. By uprobes (perf, as root). Prints one JSON object (B16 of performance.md)."""
import json
import os
import re
import subprocess
import sys

LIBC = os.path.realpath("/lib/x86_64-linux-gnu/libc.so.6")
CRYPTO = os.path.realpath("/usr/lib/x86_64-linux-gnu/libcrypto.so.3")
PROBES = [(LIBC, f"hg_{f}={f} caller=+0(%sp):x64") for f in ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc")]
PROBES.append((CRYPTO, "hg_fetch=EVP_MD_fetch caller=+0(%sp):x64"))


def owners(pid):
    """(start, end, name) of the executable mappings."""
    out = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            fields = line.split()
            if "x" in fields[1] and len(fields) > 5:
                start, end = (int(x, 16) for x in fields[0].split("-"))
                out.append((start, end, os.path.basename(fields[5])))
    return out


def main():
    pid, command = sys.argv[1], sys.argv[2:]
    ranges = owners(pid)
    try:
        for library, probe in PROBES:
            subprocess.run(["perf", "probe", "-q", "-x", library, "--add", probe], check=True)
        perf = subprocess.Popen(["perf", "record", "-q", "-o", "perf.data", "-e", "probe_libc:hg_*",
                                 "-e", "probe_libcrypto:hg_*", "-p", pid], stderr=subprocess.DEVNULL)
        while not (os.path.exists("perf.data") and os.path.getsize("perf.data")):
            if perf.poll() is not None:
                sys.exit("allocations.py: perf can't record")
        load = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
        perf.send_signal(2)
        perf.wait()
        text = subprocess.run(["perf", "script", "-i", "perf.data", "-F", "event,trace"], stdout=subprocess.PIPE, check=True,
                              stderr=subprocess.DEVNULL, text=True).stdout
    finally:
        subprocess.run(["perf", "probe", "-q", "--del", "*:hg_*"], check=False)
    counts = {}
    for line in text.splitlines():
        found = re.search(r"hg_(\w+):.*caller=(?:0x)?([0-9a-f]+)", line)
        if not found:
            continue
        address = int(found.group(2), 16)
        owner = next((name for start, end, name in ranges if start <= address < end), "?")
        key = "EVP_MD_fetch" if found.group(1) == "fetch" else owner
        counts[key] = counts.get(key, 0) + 1
    print(json.dumps({"figure": "B16 allocations of a warmed worker, by the library that asks",
                      "answers": load["codes"], "calls": counts}))


if __name__ == "__main__":
    main()
