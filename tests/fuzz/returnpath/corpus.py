#!/usr/bin/env python3
"""Writes the seed inputs of this folder's targets beside itself; tokens are made here a second time,
by other code than the program's. Usage: corpus.py"""
import base64
import hashlib
import hmac
import os

here = os.path.dirname(os.path.abspath(__file__))
KEY, OLD = b"0123456789abcdef0123456789abcdef", b"fedcba9876543210fedcba9876543210"
TODAY = 20000
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def token(payload, purpose="b", key_id="k", day=TODAY, domain="b.example", key=KEY):
    days = "".join(ALPHABET[day >> shift & 31] for shift in (10, 5, 0))
    head = f"b1{purpose}{key_id}{days}{payload}"
    mac = hmac.new(key, f"{head}@{domain}".lower().encode(), hashlib.sha256).digest()[:10]
    return f"{head}-{base64.b32encode(mac).decode().lower()}"


def write(folder, name, content):
    os.makedirs(os.path.join(here, folder), exist_ok=True)
    with open(os.path.join(here, folder, name), "wb") as f:
        f.write(content.encode())


addresses = {
    "bare": "postmaster",
    "ezmlm": "l-return-12-u-v=example.com@A.example",
    "idn": "u@b\u00fc.example",
    "number": "b-1-22-u=x.example@b.example",
    "percent": "u%x.example@a.example",
    "plus": "b+u+t=example.com@b.example",
    "sympa": "bounce+u==a==example.com==list==w@b.example",
    "mautic": "n+bounce_5f2b1c3d4e5f6@b.example",
    "ses": "0100017a1b2c3d4e-5f6a7b8c-1234-5678-9abc-def012345678-000000@b.example",
    "sendgrid": "bounces+61689-10be-u=example.com@b.example",
    "mailgun": "bounce+0a1b2c.d3e4f5-u=example.com@b.example",
    "open": "FBL@c.example",
    "pattern-facts": "m123.t.s.c@b.example",
    "pattern-recipient": "ru.v@a.example",
    "pattern-parts": "x-u~example.com@a.example",
    "token": token("ann=example.com") + "@b.example",
    "token-stream": token("news=ann=example.com") + "@b.example",
    "token-opaque": token("abcdefghijklm") + "@b.example",
    "token-longest-id": token("a" * 26, purpose="u") + "@b.example",
    "token-complaint": token("ann=example.com", purpose="c", day=TODAY - 400) + "@b.example",
    "token-signed": token("ann=example.com", domain="c.example") + "@c.example",
    "token-forged": token("ann=example.com") + "@c.example",
    "token-early": token("ann=example.com", day=TODAY + 2) + "@b.example",
    "token-expired": token("ann=example.com", day=TODAY - 31) + "@b.example",
    "token-old-key": token("ann=example.com", key_id="o", key=OLD) + "@b.example",
    "token-unknown-key": token("ann=example.com", key_id="z") + "@b.example",
    "token-bad-payload": token("a=b=c=d") + "@b.example",
    "token-upper": (token("ann=example.com") + "@b.example").upper(),
    "batv": "prvs=0123abcdef=" + token("a=b.c") + "@b.example",
    "batv-slash": "prvs=" + token("a=b.c") + "/0123abcdef@b.example",
    "btv1": "btv1==0a1b2c==" + token("a=b.c") + "@b.example",
    "srs0": "SRS0=Cpi3=WK=b.example=" + token("ann=example.com") + "@a.example",
    "srs0-plus": "srs0+C/+3=WK=b.example=" + token("ann=example.com") + "@elsewhere.example",
    "srs1": "SRS1=abc=f.example==Cpi3=WK=b.example=" + token("a=b.c") + "@elsewhere.example",
    "nested": "prvs=0123abcdef=SRS1-abc=f.example=-Cpi3=WK=b.example=prvs=0123abcdef="
              + token("a=b.c") + "@a.example",
    "long": token("news=" + "a" * 64 + "=" + "b" * 60 + "." + "c" * 60 + ".example") + "@b.example",
}
for name, address in addresses.items():
    write("corpus_read", name, address)
    if name.startswith(("token", "batv", "btv1", "srs", "nested", "long")):
        write("corpus_inside", name, address)
write("corpus_read", "quoted", '"u\\"x@y"@a.example')
write("corpus_inside", "quoted", f'"{token("ann=example.com")}"@b.example')
write("corpus_inside", "no-at", "b1bk")
write("corpus_inside", "user-too-long", token("a" * 65 + "=om") + "@b.example")
write("corpus_inside", "recipient-too-long",
      token("a" * 64 + "=" + ".".join(["b" * 60] * 3 + ["cccccccc"])) + "@b.example")

patterns = {
    "recipient": "r\\+(?<recipient>.+)\nr+ann@example.com",
    "parts": "b-(?<campaign>\\d+)-(?<user>[^=]+)=(?<domain>.+)\nb-12-ann=example.com",
    "tenant": "(?<tenant>t\\d)\\.(?<stream>[a-z]+)\\.(?<message_id>.*)\nt1.news.0a1b",
    "exponential": "(?<tenant>(a+)+)$b\n" + "a" * 64,
    "recursion": "(?<tenant>(?:a(?1)?b|\\((?R)*\\))+)\n" + "(" * 32 + ")" * 32,
    "look-behind-k": "(?<tenant>a(?<=\\Ka))\naa",
    "duplicate": "(?J)(?<user>a)|(?<user>b)\nab",
    "reset": "(?|(?<user>a)|(?<user>b))(?<domain>.*)\nax.example",
    "unknown-group": "(?<who>.*)\na",
    "callout": "(?C1)(?<tenant>a)(*COMMIT)(?C'x')\na",
    "verbs": "(*LIMIT_MATCH=1)(*UTF)(?<tenant>.)\na",
    "unset": "(?<user>a)?(?<domain>b.c)?x\nx",
    "open": "(\na",
    "class": "[[:alpha:]\\x{ff}\\p{L}](?<tenant>\\X)\nab",
    "big": "(?<tenant>(?:(?:a{1,200}){1,200}){1,200})\n" + "a" * 64,
    "case": "(?<tenant>A)\na",
}
for name, text in patterns.items():
    write("corpus_pattern", name, text)
