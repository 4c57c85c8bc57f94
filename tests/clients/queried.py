# SPDX-License-Identifier: Apache-2.0
"""queried.py TENANT SERVED ADDRESS JOB < ANSWER -- does a Prometheus that got the records answer with what target.py served?

ANSWER is that of /api/v1/query to a range selector, the rest as for judge.py. Prints the counts samples and histograms of what was
found right, and the list wrong (at most five) of what is not there with its value and its time, or is there and was never served.
"""
import json
import math
import struct
import sys

import judge


def number(text):
    return judge.value(struct.pack(">d", float(text)).hex())


def shape(histogram):
    """[count, sum, [[left bound, count], ...] from the lowest] of a native histogram as target.py tells it."""
    base = 2 ** 2 ** -histogram["schema"]
    buckets = [[-(base ** index), count] for index, count in histogram["negative"]]
    buckets.append([-histogram["zero_threshold"], histogram["zero_count"]])
    buckets += [[base ** (index - 1), count] for index, count in histogram["positive"]]
    return [histogram["count"], histogram["sum"], sorted(buckets)]


def answered(histogram):
    return [float(histogram["count"]), float(histogram["sum"]), sorted([float(left), float(count)] for _, left, _, count in histogram["buckets"])]


def alike(one, other):
    if isinstance(one, list):
        return len(one) == len(other) and all(alike(*each) for each in zip(one, other))
    return math.isclose(one, other, rel_tol=1e-12)


def main(tenant, served_file, address, job):
    with open(served_file, encoding="utf-8") as lines:
        served = judge.Served(lines, {judge.STAMP: tenant, "job": job, "instance": address})
    found = {judge.key(series["metric"]): series for series in json.load(sys.stdin)["data"]["result"]}
    wrong, samples, histograms = [], 0, 0
    for name, wanted in served.samples.items():
        there = {(round(at * 1000), number(text)) for at, text in found.get(name, {}).get("values", ())}
        samples += len(wanted & there)
        wrong += [f"{judge.text_of(name)} {each}" for each in wanted ^ there]
    for name, wanted in served.untimed.items():
        there = [number(text) for _, text in found.get(name, {}).get("values", ())]
        samples += len(there)
        if there != wanted:
            wrong.append(f"{judge.text_of(name)} {there} instead of {wanted}")
    for name, ms, what in served.histograms:
        there = {round(at * 1000): answered(each) for at, each in found.get(name, {}).get("histograms", ())}
        if ms in there and alike(shape(what), there[ms]):
            histograms += 1
        else:
            wrong.append(f"{judge.text_of(name)} {ms} {there.get(ms)} instead of {shape(what)}")
    print(json.dumps({"samples": samples, "histograms": histograms, "wrong": wrong[:5]}, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
