# SPDX-License-Identifier: Apache-2.0
"""rw.py DIR -- remote_write bodies by an encoder of its own, and what each is to become; for 34-remote-write.sh.

DIR/STATUS.VERSION.NAME is the snappy block (literals only), STATUS that which headgate owes it; beside those of 204: NAME.want the
record's value for the tenant acme, none if nothing is to be stored, NAME.written "samples histograms exemplars" (1.0: nothing) and
NAME.items, how many headgate is to count.
Standard library only.
"""
import pathlib
import struct
import sys

TENANT, NAME = "acme", "tenant_id"
STALE = 0x7FF0000000000002
TIME = 1_764_000_000_000


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def data(number, value):
    value = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def whole(number, value):
    return varint(number << 3) + varint(value)


def bits(number, value):
    return varint(number << 3 | 1) + (struct.pack("<d", value) if isinstance(value, float) else struct.pack("<Q", value))


def packed(number, values):
    return data(number, b"".join(varint(value) for value in values))


def zigzag(value):
    return value << 1 if value >= 0 else (-value << 1) - 1


def snappy(plain):
    out = varint(len(plain))
    for at in range(0, len(plain), 60):
        piece = plain[at:at + 60]
        out += bytes([(len(piece) - 1) << 2]) + piece
    return out


def label(name, value):
    return data(1, data(1, name) + data(2, value))


def sample(value=1.0, time=TIME):
    return data(2, bits(1, value) + whole(2, time))


UP = label("__name__", "up")
OURS = label(NAME, TENANT)
EXEMPLAR = data(3, label("trace ä", "€") + bits(2, 0.5) + whole(3, TIME))


def spans(*pairs):
    return [whole(1, zigzag(offset)) + whole(2, length) for offset, length in pairs]


def histogram(count=0, schema=0, zero=0, negative=(), positive=(), bounds=(), total=None, extra=b""):
    """Buckets of integers, all in one span that begins at 0."""
    out = whole(1, sum(negative) + sum(positive) + zero if total is None else total) + bits(3, 1.5) + whole(4, zigzag(schema))
    if zero:
        out += whole(6, zero)
    for side, number in ((negative, 8), (positive, 11)):
        if side:
            out += b"".join(data(number, span) for span in spans((0, len(side))))
            deltas = [side[0]] + [after - before for before, after in zip(side, side[1:])]
            out += packed(number + 1, [zigzag(delta) for delta in deltas])
    if bounds:
        out += data(16, b"".join(struct.pack("<d", bound) for bound in bounds))
    return out + whole(15, TIME) + extra


HISTOGRAMS = {
    "both": histogram(negative=(1, 2), positive=(3, 0, 1), zero=2),
    "positive": histogram(positive=(1, 2)),
    "negative": histogram(negative=(1, 2)),
    "zero": histogram(zero=5),
    "empty": histogram(),
    "custom": histogram(schema=-53, positive=(1, 2), bounds=(1.0, 2.0)),
    "nan-sum": histogram(positive=(1, 2), total=99) + bits(3, STALE),
    "float": bits(2, 4.0) + data(11, spans((0, 2))[0]) + data(13, struct.pack("<dd", 1.5, 2.5)),
}
BAD_HISTOGRAMS = {
    "count-99": histogram(positive=(1, 2), total=99),
    "schema": histogram(schema=53),
    "below-0": histogram(positive=(1, -1), total=0),
    "spans": histogram(extra=data(11, spans((0, 3))[0])),
    "bounds": histogram(schema=-53, bounds=(2.0, 1.0)),
    "bounds-elsewhere": histogram(bounds=(1.0,)),
}


def one(*parts):
    return data(1, b"".join(parts))


def metadata(kind, help_text="help"):
    return data(3, whole(1, kind) + data(2, f"family_{kind}") + (data(4, help_text) if help_text else b"") + data(5, ""))


def bodies_1():
    """NAME -> (body, value)"""
    plain = one(UP, label("job", "node"), sample())
    yield "plain", plain, one(UP, label("job", "node"), OURS, sample())
    yield "unsorted", one(label("zone", "a"), label("job", "node"), UP, sample()), one(UP, label("job", "node"), OURS, label("zone", "a"), sample())
    yield "forged", one(UP, label(NAME, "evil"), label("zone", ""), sample()), one(UP, OURS, label("zone", ""), sample())
    yield ("forged-by-repetition", one(UP, data(1, data(1, "zone") + data(2, "evil") + data(1, NAME)), sample()), one(UP, OURS, sample()))
    yield "private-fields", whole(2, 1) + plain + whole(1000, 1) + whole(1001, 1), one(UP, label("job", "node"), OURS, sample())
    odd = (label("a.b c", "one\ntwo"), label("ä", "€" * 100), label("z", "x" * 300))
    yield ("odd-text", one(UP, *odd, EXEMPLAR, data(3, bits(2, 1.0)), sample()),
           one(UP, odd[0], OURS, odd[2], odd[1], EXEMPLAR, data(3, bits(2, 1.0)), sample()))
    numbers = [STALE, 0x7FF8000000000001, 0xFFFFFFFFFFFFFFFF, float("inf"), float("-inf"), 0.0, -0.0]
    yield ("values", one(UP, *(sample(number, TIME + i) for i, number in enumerate(numbers))),
           one(UP, OURS, *(sample(number, TIME + i) for i, number in enumerate(numbers))))
    all_types = b"".join(metadata(kind, "help" if kind % 2 else "") for kind in range(8))
    yield "metadata", all_types, all_types
    for name, value in HISTOGRAMS.items():
        yield f"histogram-{name}", one(UP, data(4, value)), one(UP, OURS, data(4, value))
    unknown = data(100, "?") + whole(101, 7) + bits(102, 1.0)
    yield "unknown-below", one(UP, unknown, sample()), one(UP, OURS, unknown, sample())
    many = [(label("job", f"n{i}"), sample(float(i))) for i in range(2000)]
    yield "2000", b"".join(one(UP, job, at) for job, at in many), b"".join(one(UP, job, OURS, at) for job, at in many)
    yield "nothing", b"", None
    yield "no-items", one(UP), None


def bad_1():
    yield "no-name", one(label("job", "x"), sample())
    yield "empty-name", one(label("__name__", ""), sample())
    yield "no-labels", one(sample(), EXEMPLAR) + metadata(1)
    yield "empty-label-name", one(UP, label("", "x"), sample())
    yield "twice", one(UP, label("job", "a"), label("job", "a"), sample())
    yield "one-of-four", one(UP, sample()) * 2 + one(label("job", "x"), sample()) + one(UP, sample())
    yield "one-of-2000", one(UP, sample()) * 1999 + one(label("job", "x\x1b[31m\n"), label("job", "b"), sample())
    yield "body-of-2", symbols() + series((1, 2), sample())
    yield "utf8", one(UP, label("a", "caf\udcc3"), sample())
    yield "group", one(UP, sample(), b"\x2b\x2c")
    yield "cut", one(UP, sample())[:-3]
    yield "noise", bytes(range(255, 200, -1))
    for name, value in BAD_HISTOGRAMS.items():
        yield f"histogram-{name}", one(UP, data(4, value))


WORDS = ["", "__name__", "up", "job", "node", "zone"]


def symbols(*more):
    return b"".join(data(4, word) for word in [*WORDS, *more])


def series(refs, *parts):
    return data(5, packed(1, refs) + b"".join(parts))


def exemplar(*refs):
    return data(4, packed(1, refs) + bits(2, 0.5) + whole(3, TIME))


def bodies_2():
    """NAME -> (body, value, written)"""
    ours = (6, 7)  # behind WORDS
    both = symbols(NAME, TENANT)
    meta = data(5, whole(1, 2) + whole(3, 4) + whole(4, 0))
    yield "plain", symbols() + series((1, 2, 3, 4, 5, 0), sample(), meta), both + series((1, 2, 3, 4, *ours, 5, 0), sample(), meta), (1, 0, 0)
    yield "symbols-behind", series((1, 2), sample()) + symbols(), series((1, 2, *ours), sample()) + both, (1, 0, 0)
    yield "forged", symbols(NAME, "evil") + series((1, 2, 6, 7), sample()), symbols(NAME, "evil", TENANT) + series((1, 2, 6, 8), sample()), (1, 0, 0)
    single = b"".join(whole(1, ref) for ref in (1, 2, 3, 4))
    yield ("refs-mixed", symbols() + data(5, single + sample()) + data(5, packed(1, (1,)) + whole(1, 2) + packed(1, (3, 4)) + sample()),
           both + data(5, single + packed(1, ours) + sample()) + data(5, packed(1, (1,)) + whole(1, 2) + packed(1, (3, 4, *ours)) + sample()), (2, 0, 0))
    pairs = [(sample(float(i)), exemplar(3, 4)) for i in range(50)]
    yield ("50-50", symbols() + b"".join(series((1, 2), *pair) for pair in pairs), both + b"".join(series((1, 2, *ours), *pair) for pair in pairs), (50, 0, 50))
    all_of_them = b"".join(data(3, value) for value in HISTOGRAMS.values())
    yield ("histograms", symbols() + series((1, 2), all_of_them), both + series((1, 2, *ours), all_of_them), (0, len(HISTOGRAMS), 0))
    yield ("unknown", whole(100, 1) + symbols() + series((1, 2), sample(STALE), whole(6, TIME), data(100, "?")),
           whole(100, 1) + both + series((1, 2, *ours), sample(STALE), whole(6, TIME), data(100, "?")), (1, 0, 0))
    yield "2000", symbols() + series((1, 2, 3, 4), sample()) * 2000, both + series((1, 2, 3, 4, *ours), sample()) * 2000, (2000, 0, 0)
    yield "nothing", b"", None, (0, 0, 0)


def bad_2():
    yield "body-of-1", one(UP, sample())
    yield "ref", symbols() + series((1, 2, 3, 6), sample())
    yield "ref-of-exemplar", symbols() + series((1, 2), sample(), exemplar(3, 6))
    yield "odd", symbols() + series((1, 2, 3), sample())
    yield "first-symbol", data(4, "x") + symbols() + series((1, 2), sample())
    yield "both", symbols() + series((1, 2), sample(), data(3, HISTOGRAMS["both"]))
    yield "neither", symbols() + series((1, 2))
    yield "no-name", symbols() + series((3, 4), sample())
    yield "no-labels", symbols() + series((), sample())
    yield "one-of-2000", symbols() + series((1, 2), sample()) * 1999 + series((1, 0), sample())
    yield "histogram", symbols() + series((1, 2), data(3, BAD_HISTOGRAMS["count-99"]))
    yield "cut", (symbols() + series((1, 2), sample()))[:-3]


def children(message):
    """(number, content) of each field of wire type 2; these bodies hold no broken ones."""
    at = 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = read()
        wire = key & 7
        size = {1: 8, 5: 4}[wire] if wire in (1, 5) else read()
        if wire == 0:
            continue
        yield key >> 3 if wire == 2 else 0, message[at:at + size]
        at += size


def items_1(body):
    """Samples, exemplars and histograms of each series, and metadata."""
    return sum(sum(inner in (2, 3, 4) for inner, _ in children(content)) if number == 1 else number == 3 for number, content in children(body))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir()
    for version, bodies, bad in (1, bodies_1, bad_1), (2, bodies_2, bad_2):
        for name, body, want, *written in bodies():
            path = folder / f"204.{version}.{name}"
            path.write_bytes(snappy(body))
            if want is not None:
                (folder / (path.name + ".want")).write_bytes(want)
            (folder / (path.name + ".items")).write_text(f"{sum(written[0]) if written else items_1(body)}\n")
            (folder / (path.name + ".written")).write_text(" ".join(map(str, written[0])) if written else "")
        for name, body in bad():
            (folder / f"400.{version}.{name}").write_bytes(snappy(body))


main()
