# SPDX-License-Identifier: Apache-2.0
"""judge.py TENANT SERVED ADDRESS JOB [OWN] < RECORDS -- is what target.py served in the records, value by value, and nothing else?

RECORDS is what `topic read` prints of topics of remote_write; SERVED and ADDRESS what target.py wrote; JOB the label that the scraper
gave. OWN: what a Prometheus answers for the raw samples that it holds itself (/api/v1/query, one range selector). A JSON object:

records, series, samples, histograms, exemplars, metadata   counts of what is in the records
labels       series (as text) whose labels are not in the order of their bytes, or that have not the tenant as their one tenant_id
twice        samples and histograms that are there more than once: sent again, though they were accepted
missing      samples that were served, and are not in the records with that value and that time
alien        samples of the target's series that were never served
stale        how many series without a time of their own end with the stale marker
missing_exemplars, missing_histograms, missing_metadata, missing_own   the same of those; metadata by family, type and help

Lists hold at most five of their kind. A value is compared by its bits, NaN apart: a scraper has its own.
"""
import collections
import json
import math
import struct
import sys

import remote_write

STAMP = "tenant_id"


def key(labels):
    return tuple(sorted(labels.items()))


def value(bits):
    number = remote_write.double(bits)
    return "NaN" if math.isnan(number) and bits != remote_write.STALE else bits


def text_of(name):
    return "{" + ", ".join(f"{each}={text!r}" for each, text in name) + "}"


class Found:
    """All that is in the records, by series."""

    def __init__(self, tenant):
        self.tenant, self.counts, self.wrong = tenant, collections.Counter(), []
        self.samples = collections.defaultdict(list)
        self.histograms = collections.defaultdict(list)
        self.exemplars, self.metadata = set(), set()

    def add(self, record):
        series, metadata = remote_write.decode(remote_write.format_of(record), bytes.fromhex(record["value"]))
        self.counts.update(records=1, series=len(series), metadata=len(metadata))
        self.metadata.update(tuple(each) for each in metadata)
        for one in series:
            self.add_series(one)

    def add_series(self, one):
        names = [name for name, _ in one["labels"]]
        name = key(dict(one["labels"]))
        if names != sorted(set(names), key=str.encode) or dict(one["labels"]).get(STAMP) != self.tenant:
            self.wrong.append(text_of(tuple(map(tuple, one["labels"]))))
        self.counts.update(samples=len(one["samples"]), histograms=len(one["histograms"]), exemplars=len(one["exemplars"]))
        self.samples[name] += [(ms, value(bits)) for bits, ms in one["samples"]]
        self.histograms[name] += [(ms, what) for what, ms in one["histograms"]]
        self.exemplars.update((name, key(labels), value(bits), ms) for labels, bits, ms in one["exemplars"])
        if one["metadata"]:
            self.metadata.add((dict(name)["__name__"], *one["metadata"]))

    def twice(self):
        for series in (self.samples, self.histograms):
            for name, found in series.items():
                for each, count in collections.Counter(map(str, found)).items():
                    if count > 1:
                        yield f"{text_of(name)} {each}"


class Served:
    """All that the target told, by series as the scraper names it."""

    def __init__(self, lines, more):
        self.samples, self.untimed = collections.defaultdict(set), collections.defaultdict(list)
        self.exemplars, self.histograms, self.metadata = set(), [], set()
        for line in lines:
            one = json.loads(line)
            for labels, bits, ms in one["samples"]:
                name = key({**labels, **more})
                if ms is None:
                    self.untimed[name].append(value(bits))
                else:
                    self.samples[name].add((ms, value(bits)))
            self.exemplars.update((key({**labels, **more}), key(own), value(bits), ms) for labels, own, bits, ms in one["exemplars"])
            self.histograms += [(key({**labels, **more}), ms, what) for labels, what, ms in one["histograms"]]
            self.metadata.update(map(tuple, one["metadata"]))


def timed(found, served):
    """(missing, alien)"""
    missing = [f"{text_of(name)} {each}" for name, wanted in served.samples.items() for each in sorted(wanted - set(found.samples[name]))]
    alien = [f"{text_of(name)} {each}" for name, wanted in served.samples.items() for each in sorted(set(found.samples[name]) - wanted)
             if each[1] != remote_write.STALE]  # vmagent ends these series too, at the time of their last sample
    return missing, alien


def untimed(found, served):
    """(missing, stale): by the order of values, since the times are the scraper's."""
    missing, stale = [], 0
    for name, wanted in served.untimed.items():
        values = [bits for _, bits in sorted(found.samples[name])]
        stale += values[-1:] == [remote_write.STALE]
        values = [bits for bits in values if bits != remote_write.STALE]
        if values != wanted:
            missing.append(f"{text_of(name)} {values} instead of {wanted}")
    return missing, stale


def has_metadata(found, family, kind, words):
    """By the name of the family, with _total (protobuf, text), or (2.0) of any series of it."""
    return any(what[1:] == (kind, words) and what[0].startswith(family) for what in found.metadata)


def own_missing(found, answer, tenant):
    for series in answer["data"]["result"]:
        name = key({**series["metric"], STAMP: tenant})
        there = {ms: bits for ms, bits in found.samples[name]}
        for at, text in series.get("values", ()):	# native histograms: by what was served
            ms = round(at * 1000)
            if there.get(ms) != value(struct.pack(">d", float(text)).hex()):
                yield f"{text_of(name)} {ms} {text}"


def main(tenant, served_file, address, job, own=None):
    found = Found(tenant)
    for line in sys.stdin:
        found.add(json.loads(line))
    with open(served_file, encoding="utf-8") as lines:
        served = Served(lines, {STAMP: tenant, "job": job, "instance": address})
    missing, alien = timed(found, served)
    gone, stale = untimed(found, served)
    lists = {
        "labels": found.wrong, "twice": list(found.twice()), "missing": missing + gone, "alien": alien,
        "missing_exemplars": [str(each) for each in served.exemplars - found.exemplars],
        "missing_histograms": [str(each) for each in served.histograms if each[1:] not in found.histograms[each[0]]],
        "missing_metadata": [str(each) for each in served.metadata if not has_metadata(found, *each)],
    }
    if own:
        with open(own, encoding="utf-8") as answer:
            lists["missing_own"] = list(own_missing(found, json.load(answer), tenant))
    counts = {name: found.counts[name] for name in ("records", "series", "samples", "histograms", "exemplars", "metadata")}
    print(json.dumps({**counts, "stale": stale, **{name: each[:5] for name, each in lists.items()}}, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
