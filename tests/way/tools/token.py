# SPDX-License-Identifier: Apache-2.0
"""token.py [ID [SECRET]] -- prints a token of headgate's own form, hgt_<id>_<secret><crc>, random where nothing is given.

token.py --hash prints the SHA-256 of the token on standard input, in hex.
"""
import hashlib
import secrets
import string
import sys
import zlib

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def base62(number, width):
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits.rjust(width, "0")


def word(length):
    return "".join(secrets.choice(BASE62) for _ in range(length))


def token(public_id, secret):
    head = f"hgt_{public_id}_{secret}"
    return head + base62(zlib.crc32(head.encode()), 6)


def main(arguments):
    if arguments == ["--hash"]:
        print(hashlib.sha256(sys.stdin.buffer.read().rstrip(b"\n")).hexdigest())
        return
    public_id, secret = (arguments + [None, None])[:2]
    print(token(public_id or word(8), secret or word(30)))


if __name__ == "__main__":
    main(sys.argv[1:])
