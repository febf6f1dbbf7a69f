#!/usr/bin/env python3
"""Writes the seed inputs of fuzz_record and fuzz_segment beside itself. Usage: corpus.py"""
import os
import struct

here = os.path.dirname(os.path.abspath(__file__))


def text(value):
    return struct.pack("<H", len(value)) + value


def payload(body=b"From: x\r\n\r\nhello\r\n", recipients=1, flags=0, ordinal=0, version=1):
    out = bytes(range(14)) + struct.pack(">H", ordinal)
    out += struct.pack("<qQIHBB", 1700000000000000, len(body), len(body), recipients, flags, 0)
    for value in (b"192.0.2.1", b"mail.example.com", b"ESMTP", b"", b"a@example.org"):
        out += text(value)
    for _ in range(recipients):
        out += bytes([2, 1, 1, 0]) if version == 1 else struct.pack("<4BI", 0, 2, 1, 1, 20000)
        for value in (b"b1@bounces.example.test", b"bounces.example.test", b"main", b"", b""):
            out += text(value)
        for value in (b"b1ba@bounces.example.test", b"aaaaaaaaaaaaa", b"", b"m1") * (version > 1):
            out += text(value)
    return out + body


def frame(content):
    out = b"\x1cBMr" + struct.pack("<IQQ", len(content), 0, 0) + content
    return out + bytes(-len(out) % 8)


def segment(*parts, how=15):
    page = bytearray(4096)
    page[32:48] = b"headseedpaysseed"
    return bytes(page) + b"".join(parts) + bytes(7) + bytes([how])


def write(folder, name, content):
    os.makedirs(os.path.join(here, folder), exist_ok=True)
    with open(os.path.join(here, folder, name), "wb") as f:
        f.write(content)


good = payload()
write("corpus_record", "plain", good)
write("corpus_record", "truncated-flag", payload(flags=1))
write("corpus_record", "many-recipients", payload(recipients=5))
write("corpus_record", "no-body", payload(body=b""))
write("corpus_record", "no-recipient", payload(recipients=0))
write("corpus_record", "ordinal", payload(ordinal=1))
write("corpus_record", "cut", good[:-3])
write("corpus_record", "version-2", payload(version=2))
write("corpus_record", "version-2-many", payload(version=2, recipients=7))
write("corpus_record", "version-2-cut", payload(version=2)[:-30])
write("corpus_record", "frame", frame(good))
write("corpus_record", "empty", b"")

write("corpus_segment", "three-records", segment(frame(good), frame(payload(body=b"")), frame(good)))
write("corpus_segment", "version-2", segment(*[frame(payload(version=2))] * 3, how=31))
write("corpus_segment", "payload-damaged", segment(frame(good), frame(good), how=7))
write("corpus_segment", "gap", segment(frame(good), b"garbage!" * 9, frame(good)))
write("corpus_segment", "torn", segment(frame(good), frame(good)[:64]))
write("corpus_segment", "too-long", segment(b"\x1cBMr" + struct.pack("<IQQ", 1 << 25, 0, 0)))
write("corpus_segment", "heads-only", segment(b"\x1cBMr\0\0\0\0" * 50))
write("corpus_segment", "bad-header", segment(frame(good), how=0))
write("corpus_segment", "zeros", bytes(8192))
write("corpus_segment", "short", b"bmxsegm\n")
