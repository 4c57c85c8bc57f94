# SPDX-License-Identifier: Apache-2.0
"""conserved.py RESULTS... < RECORDS -- is what load.py was told the truth? RECORDS is what `topic read` prints, of all its topics.

Prints, as JSON, how many bodies had which fate, and fails if one that was accepted (2xx) is in no record, or one that was refused
for good (4xx) is in any:
  sent, accepted, refused (4xx), unavailable (5xx), unknown (no answer)
  lost              accepted, in no record
  refused_kept      refused, in a record
  twice             accepted, in more than one record (at least once is the promise)
  unavailable_kept  answered 5xx, in a record all the same
  unknown_kept      no answer, in a record
  strange           records without a marker, or with one that was never sent
"""
import collections
import json
import re
import sys

MARKER = re.compile(rb"\n\x06marker\x12(.)\n(.)", re.DOTALL)  # the attribute, up to the text and its length (below 126)


def marker_of(value):
    match = MARKER.search(value)
    return value[match.end():match.end() + match[2][0]].decode("ascii") if match else None


def main(names):
    told = {}
    for name in names:
        with open(name, encoding="ascii") as lines:
            for line in lines:
                marker, status = line.split()[:2]
                if marker in told:
                    sys.exit(f"conserved.py: {marker} was sent twice: give each load a --prefix")
                told[marker] = status[0]
    kept = collections.Counter(marker_of(bytes.fromhex(json.loads(line)["value"] or "")) for line in sys.stdin)
    fates = {"2": "accepted", "4": "refused", "5": "unavailable", "0": "unknown"}
    out = {"sent": len(told)}
    out.update({fate: sum(1 for status in told.values() if status == digit) for digit, fate in fates.items()})
    lost = [marker for marker, status in told.items() if status == "2" and not kept[marker]]
    wrong = [marker for marker, status in told.items() if status == "4" and kept[marker]]
    out.update(lost=len(lost), refused_kept=len(wrong),
               twice=sum(1 for marker, status in told.items() if status == "2" and kept[marker] > 1),
               unavailable_kept=sum(1 for marker, status in told.items() if status == "5" and kept[marker]),
               unknown_kept=sum(1 for marker, status in told.items() if status == "0" and kept[marker]),
               strange=sum(count for marker, count in kept.items() if marker not in told))
    print(json.dumps(out))
    for what, markers in (("lost", lost), ("refused, but kept", wrong)):
        if markers:
            print(f"conserved.py: {what}: {' '.join(markers[:20])}", file=sys.stderr)
    sys.exit(1 if lost or wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
