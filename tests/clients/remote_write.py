# SPDX-License-Identifier: Apache-2.0
"""remote_write.py -- reads remote_write 1.0 and 2.0 messages, on its own: nothing of headgate, no library; for judge.py and replay.py.

A message becomes a list of series, each a dict: labels [[name, value], ...] in their order, samples [[bits, ms], ...], histograms
[[what target.py tells of one, ms], ...], exemplars [[{labels}, bits, ms], ...], metadata [type, help] or None; and a list of
metadata [family, type, help]. Bits are those of the double, in hex. It is strict: what the messages do not define is an error. Run by itself, it reads what `topic read` prints and prints a
JSON line for each series, its values as numbers: format, labels, samples, histograms, exemplars, metadata.
"""
import json
import struct
import sys

TYPES = ["unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"]
STALE = "7ff0000000000002"


def fields(body):
    """(field, wire type, value) of each field: an int, the bits of a double in hex, or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = body[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    while at < len(body):
        key = varint()
        wire = key & 7
        if wire == 0:
            value = varint()
        elif wire == 1:
            value = body[at:at + 8][::-1].hex()
            at += 8
        elif wire == 2:
            size = varint()
            value = body[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {wire}")
        if at > len(body):
            raise ValueError("cut short")
        yield key >> 3, wire, value


def packed(value, wire, one):
    """A repeated number, packed or not; `one` reads a list of field values."""
    if wire != 2:
        return [one(value)]
    if one is bits_of:
        return [value[i:i + 8][::-1].hex() for i in range(0, len(value), 8)]
    out, number, shift = [], 0, 0
    for byte in value:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(one(number))
            number = shift = 0
    return out


def plain(value):
    return value


def bits_of(value):
    return value


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def zigzag(value):
    return value >> 1 ^ -(value & 1)


def double(bits):
    return struct.unpack(">d", bytes.fromhex(bits))[0]


def unknown(where, field):
    raise ValueError(f"{where}: unknown field {field}")


def buckets_of(spans, counts):
    out, index, left = [], 0, list(counts)
    for offset, length in spans:
        index += offset
        for _ in range(length):
            out.append([index, left.pop(0)])
            index += 1
    if left:
        raise ValueError("more buckets than spans tell of")
    return out


def span(body):
    offset = length = 0
    for field, _, value in fields(body):
        if field == 1:
            offset = zigzag(value)
        elif field == 2:
            length = value
        else:
            unknown("span", field)
    return offset, length


def histogram(body):
    ms = 0
    out = {"schema": 0, "zero_threshold": 0.0, "zero_count": 0, "count": 0, "sum": 0.0, "positive": [], "negative": []}
    spans, deltas, counts, custom = {8: [], 11: []}, {9: [], 12: []}, {10: [], 13: []}, []
    names = {1: "count", 2: "count", 3: "sum", 4: "schema", 5: "zero_threshold", 6: "zero_count", 7: "zero_count"}
    for field, wire, value in fields(body):
        if field in names:
            out[names[field]] = double(value) if wire == 1 else zigzag(value) if field == 4 else value
        elif field in spans:
            spans[field].append(span(value))
        elif field in deltas:
            deltas[field] += packed(value, wire, zigzag)
        elif field in counts:
            counts[field] += [double(each) for each in packed(value, wire, bits_of)]
        elif field == 15:
            ms = signed(value)
        elif field == 16:
            custom += [double(each) for each in packed(value, wire, bits_of)]
        elif field not in (14, 17):	# the hint of a reset; 2.0's time of the start
            unknown("histogram", field)
    for name, where, far, near in (("negative", 8, 9, 10), ("positive", 11, 12, 13)):
        total, whole = 0, []
        for delta in deltas[far]:
            total += delta
            whole.append(total)
        out[name] = buckets_of(spans[where], whole or counts[near])
    if custom:
        out["custom"] = custom
    return [out, ms]


def pairs(body):
    name = value = ""
    for field, _, text in fields(body):
        if field == 1:
            name = text.decode()
        elif field == 2:
            value = text.decode()
        else:
            unknown("label", field)
    return [name, value]


def sample(body):
    bits, ms = "0" * 16, 0
    for field, _, value in fields(body):
        if field == 1:
            bits = value
        elif field == 2:
            ms = signed(value)
        elif field != 3:	# 2.0's time of the start
            unknown("sample", field)
    return [bits, ms]


def looked_up(refs, symbols):
    if len(refs) % 2:
        raise ValueError("an odd number of references")
    return [[symbols[refs[i]], symbols[refs[i + 1]]] for i in range(0, len(refs), 2)]


def exemplar(body, symbols):
    labels, refs, bits, ms = [], [], "0" * 16, 0
    for field, wire, value in fields(body):
        if field == 1 and symbols is None:
            labels.append(pairs(value))
        elif field == 1:
            refs += packed(value, wire, plain)
        elif field == 2:
            bits = value
        elif field == 3:
            ms = signed(value)
        else:
            unknown("exemplar", field)
    return [dict(labels if symbols is None else looked_up(refs, symbols)), bits, ms]


def series_1(body):
    out = {"labels": [], "samples": [], "histograms": [], "exemplars": [], "metadata": None}
    for field, _, value in fields(body):
        if field == 1:
            out["labels"].append(pairs(value))
        elif field == 2:
            out["samples"].append(sample(value))
        elif field == 3:
            out["exemplars"].append(exemplar(value, None))
        elif field == 4:
            out["histograms"].append(histogram(value))
        else:
            unknown("series", field)
    return out


def metadata_1(body):
    kind, texts = 0, {2: "", 4: "", 5: ""}
    for field, _, value in fields(body):
        if field == 1:
            kind = value
        elif field in texts:
            texts[field] = value.decode()
        else:
            unknown("metadata", field)
    return [texts[2], TYPES[kind], texts[4]]


def metadata_2(body, symbols):
    numbers = {1: 0, 3: 0, 4: 0}
    for field, _, value in fields(body):
        if field not in numbers:
            unknown("metadata", field)
        numbers[field] = value
    return [TYPES[numbers[1]], symbols[numbers[3]]]


def series_2(body, symbols):
    out = {"labels": [], "samples": [], "histograms": [], "exemplars": [], "metadata": None}
    refs = []
    for field, wire, value in fields(body):
        if field == 1:
            refs += packed(value, wire, plain)
        elif field == 2:
            out["samples"].append(sample(value))
        elif field == 3:
            out["histograms"].append(histogram(value))
        elif field == 4:
            out["exemplars"].append(exemplar(value, symbols))
        elif field == 5:
            out["metadata"] = metadata_2(value, symbols)
        else:
            unknown("series", field)
    out["labels"] = looked_up(refs, symbols)
    return out


def decode(form, body):
    """form: prom_rw1 or prom_rw2, as the record's header says. (series, metadata)"""
    if form == "prom_rw1":
        series, metadata = [], []
        for field, _, value in fields(body):
            if field == 1:
                series.append(series_1(value))
            elif field == 3:
                metadata.append(metadata_1(value))
            else:
                unknown("message 1.0", field)
        return series, metadata
    if form != "prom_rw2":
        raise ValueError(f"no format of remote_write: {form}")
    symbols, found = [], []
    for field, _, value in fields(body):
        if field == 4:
            symbols.append(value.decode())
        elif field == 5:
            found.append(value)
        else:
            unknown("message 2.0", field)
    if symbols[:1] != [""]:
        raise ValueError("the first symbol is not empty")
    return [series_2(each, symbols) for each in found], []


def format_of(record):
    return next(bytes.fromhex(value).decode() for name, value in record["headers"] if name == "format")


def main():
    for line in sys.stdin:
        record = json.loads(line)
        series, _ = decode(format_of(record), bytes.fromhex(record["value"]))
        for one in series:
            one["samples"] = [[double(bits), ms] for bits, ms in one["samples"]]
            print(json.dumps({"format": format_of(record), **one}, ensure_ascii=False))


if __name__ == "__main__":
    main()
