# SPDX-License-Identifier: Apache-2.0
"""events.py COUNT BYTES TOPIC MODEL BODY -- a data model of fourteen columns and a body of COUNT events of it, BYTES each, for B5c."""
import json
import random
import sys


def column(name, kind, required=True):
    return {"name": name, "data_type": kind, "required": required}


def model(topic):
    place = {"name": "Place", "columns": [column("country", "String"), column("city", "String"), column("lat", "Float64"),
                                          column("lon", "Float64")]}
    return {"name": "Event", "topic": topic, "allow_extra_fields": True, "columns": [
        column("event_id", "UUID"), column("timestamp", "DateTime"), column("kind", "String"), column("user_id", "UInt64"),
        column("session", "String"), column("url", "String"), column("status", "UInt16"), column("duration_ms", "Float64"),
        column("mobile", "Boolean"), column("client", "IPv4"), column("place", place),
        column("tags", {"elementType": "String", "elementNullable": False}), column("referrer", "String", False),
        column("text", "String", False)]}


def event(rng, size):
    out = {"event_id": "%08x-%04x-%04x-%04x-%012x" % tuple(rng.getrandbits(n) for n in (32, 16, 16, 16, 48)),
           "timestamp": "2026-11-25T%02d:%02d:%02d.%03dZ" % (rng.randrange(24), rng.randrange(60), rng.randrange(60), rng.randrange(1000)),
           "kind": rng.choice(["page_view", "click", "purchase"]), "user_id": rng.getrandbits(40), "session": "%032x" % rng.getrandbits(128),
           "url": "https://shop.example/articles/%d?from=%d" % (rng.randrange(10**6), rng.randrange(10**6)),
           "status": rng.choice([200, 302, 404]), "duration_ms": round(rng.random() * 1000, 3), "mobile": rng.random() < 0.5,
           "client": "192.0.2.%d" % rng.randrange(256),
           "place": {"country": "CH", "city": "Z\u00fcrich", "lat": round(47 + rng.random(), 6), "lon": round(8 + rng.random(), 6)},
           "tags": ["tag-%d" % rng.randrange(100) for _ in range(5)], "referrer": None, "campaign": "extra-%d" % rng.randrange(100)}
    words = ["alpha", "beta", "gamma", "delta", "\u00e9psilon"]
    out["text"] = ""
    while len(dump(out)) < size:
        out["text"] += rng.choice(words) + " "
    out["text"] = out["text"][:len(out["text"]) - max(0, len(dump(out)) - size)]
    return dump(out)


def dump(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def main():
    count, size, topic, model_file, body_file = sys.argv[1:]
    rng = random.Random(5)
    with open(model_file, "wb") as file:
        file.write(dump(model(topic)))
    with open(body_file, "wb") as file:
        file.write(b"[" + b",".join(event(rng, int(size)) for _ in range(int(count))) + b"]")


if __name__ == "__main__":
    main()
