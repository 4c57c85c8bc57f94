# SPDX-License-Identifier: Apache-2.0
"""figure.py -- one figure: the subjects measured interleaved (A B C A B C ...), CPU of whole process trees, ratios first.

A subject is NAME=URL,PID[,PID...]; the first one named is the peer that ratios are taken to. Prints one JSON object. The
median is over rounds; a spread (max - min over median) above 15 % marks the figure as refused (performance.md 5). Every answer
must be the expected one, else the figure is void: speed bought with errors is none.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    total = 0.0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except FileNotFoundError:
            sys.exit(f"figure.py: process {pid} has ended")
        total += (int(fields[11]) + int(fields[12])) / TICK
    return total


def run_once(args, subject):
    command = ["taskset", "-c", args.load_cpu, args.hgload, "-u", subject["url"], "-c", str(args.connections),
               "-d", str(args.seconds)]
    for body in args.body:
        command += ["-b", body]
    for header in args.header:
        command += ["-H", header]
    if args.rate:
        command += ["-r", str(args.rate)]
    if args.tokens:
        command += ["-t", args.tokens]
    before = cpu_seconds(subject["pids"])
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    used = cpu_seconds(subject["pids"]) - before
    result = json.loads(run.stdout)
    good = sum(n for code, n in result["codes"].items() if code.startswith("2"))
    return {"us": used * 1e6 / max(good, 1), "per_s": result["per_s"], "good": good, "cores": used / result["seconds"],
            "bad": result["done"] - good + result["broken"] + result["unanswered"],
            "p50_ms": result["p50_ms"], "p99_ms": result["p99_ms"], "p999_ms": result["p999_ms"]}


def summary(rounds, body_bytes):
    us = [r["us"] for r in rounds]
    median = statistics.median(us)
    out = {"us_per_2xx": round(median, 2), "min": round(min(us), 2), "max": round(max(us), 2),
           "spread": round((max(us) - min(us)) / median, 3) if median else None,
           "per_s": round(statistics.median(r["per_s"] for r in rounds)),
           "cores": round(statistics.median(r["cores"] for r in rounds), 2),
           "s_per_gb": round(median / body_bytes * 1e3, 3), "not_2xx": sum(r["bad"] for r in rounds)}
    for key in ("p50_ms", "p99_ms", "p999_ms"):
        out[key] = round(statistics.median(r[key] for r in rounds), 3)
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--name", required=True)
    p.add_argument("--hgload", required=True)
    p.add_argument("--subject", action="append", required=True, metavar="NAME=URL,PID,...")
    p.add_argument("--body", action="append", required=True)
    p.add_argument("--items", type=int, help="of one body (samples): also us per item")
    p.add_argument("--decoded-bytes", type=int, help="of one body, for s/GB; default: the file's size")
    p.add_argument("--header", action="append", default=[])
    p.add_argument("--tokens")
    p.add_argument("--connections", type=int, default=256)
    p.add_argument("--rate", type=float, default=0)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--warm", type=float, default=1.5, help="seconds of each before the first round; a broker just started wants more")
    p.add_argument("--load-cpu", default="1")
    args = p.parse_args()
    subjects = []
    for text in args.subject:
        name, _, rest = text.partition("=")
        url, *pids = rest.split(",")
        subjects.append({"name": name, "url": url, "pids": pids, "rounds": []})
    body_bytes = args.decoded_bytes or os.path.getsize(args.body[0])
    warm = argparse.Namespace(**{**vars(args), "seconds": args.warm})
    for s in subjects:
        run_once(warm, s)
    for _ in range(args.rounds):
        for s in subjects:
            s["rounds"].append(run_once(args, s))
    result = {"figure": args.name, "connections": args.connections, "rate": args.rate, "seconds": args.seconds,
              "rounds": args.rounds, "body_bytes": body_bytes, "subjects": {}}
    peer = None
    for s in subjects:
        one = summary(s["rounds"], body_bytes)
        peer = peer or one["us_per_2xx"]
        if args.items:
            one["us_per_item"] = round(one["us_per_2xx"] / args.items, 4)
        one["ratio"] = round(one["us_per_2xx"] / peer, 2)
        one["verdict"] = "void: not all 2xx" if one["not_2xx"] else "refused: spread" if one["spread"] > 0.15 else "ok"
        result["subjects"][s["name"]] = one
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
