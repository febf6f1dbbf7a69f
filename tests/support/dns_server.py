#!/usr/bin/env python3
"""A small DNS server on loopback, over UDP and TCP, that says what a test wants: also nothing.

    dns_server.py ZONE.json [--log FILE]      prints its port, serves until its input ends

A zone is {name: {type: [text, ...]}}, with types A AAAA PTR CNAME MX ("10 mx.example.com") TXT TLSA
("3 1 1 ab...") and, beside them, "ttl" (default 60) and "behave":

    servfail refused     that response code          silent       no answer at all
    slow:SECONDS         the answer, late            wrong_id     an answer to another question
    truncated            UDP says: ask over TCP      garbage      bytes that are no message

"*.example.com" is a wildcard; names that are not there do not exist. In Python: DnsServer(zone),
whose zone may be changed while it serves; asked is the list of (name, type) that came. With a
key (DnsServer(zone, signed="example.com")) what is there is signed with Ed25519 by the openssl
command; write_anchor(path) gives the anchor to follow it from. What is not there stays unproven.
"""
import base64
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "RRSIG": 46,
         "DNSKEY": 48, "TLSA": 52}
NAMES = {number: name for name, number in TYPES.items()}
NO_ERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
EDNS, IN, UDP_BYTES = 41, 1, 1232


def wire_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode("latin-1")
    return out + b"\0"


def rdata(kind, text):
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, text)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, text)
    if kind in ("PTR", "CNAME"):
        return wire_name(text)
    if kind == "MX":
        preference, host = text.split()
        return struct.pack(">H", int(preference)) + wire_name(host)
    if kind == "TXT":
        data = text.encode("latin-1")
        parts = [data[i:i + 255] for i in range(0, len(data), 255)] or [b""]
        return b"".join(bytes([len(p)]) + p for p in parts)
    if kind == "TLSA":
        usage, selector, matching, data = text.split()
        return bytes([int(usage), int(selector), int(matching)]) + bytes.fromhex(data)
    if kind == "RAW":
        return bytes.fromhex(text)
    raise ValueError(kind)


def question(message):
    """(name, type, where it ends) of the first question."""
    at, labels = 12, []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1").lower())
        at += 1 + message[at]
    kind = struct.unpack_from(">H", message, at + 1)[0]
    return ".".join(labels), kind, at + 5


class Signer:
    """One zone, one Ed25519 key (RFC 8080), made for this run."""

    def __init__(self, apex):
        self.apex = apex
        self.folder = tempfile.TemporaryDirectory(prefix="dns-key-")
        self.key = os.path.join(self.folder.name, "key.pem")
        self.made = {}
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key],
                       check=True, capture_output=True)
        der = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        self.public = der[-32:]
        self.dnskey = struct.pack(">HBB", 257, 3, 15) + self.public
        odd = sum(self.dnskey[1::2]) + sum(b << 8 for b in self.dnskey[0::2])
        self.tag = (odd + (odd >> 16 & 0xffff)) & 0xffff

    def anchor(self):
        return f"{self.apex}. IN DNSKEY 257 3 15 {base64.b64encode(self.public).decode()}\n"

    def sign(self, owner, kind, ttl, datas):
        """RDATA of the RRSIG over one set (RFC 4034 section 3.1.8.1)."""
        now = int(time.time())
        head = struct.pack(">HBBIIIH", kind, 15, len(owner.split(".")), ttl, now + 86400,
                           now - 3600, self.tag) + wire_name(self.apex)
        rows = b"".join(wire_name(owner) + struct.pack(">HHIH", kind, IN, ttl, len(d)) + d
                        for d in sorted(datas))
        what = (owner, kind, hashlib.sha256(rows).digest())
        if what not in self.made:
            with tempfile.NamedTemporaryFile(dir=self.folder.name) as f:
                f.write(head + rows)
                f.flush()
                self.made[what] = head + subprocess.run(
                    ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", f.name],
                    check=True, capture_output=True).stdout
        return self.made[what]


class DnsServer:
    def __init__(self, zone, signed=None, log=None):
        self.zone = zone
        self.asked = []
        self.log = open(log, "a", buffering=1, encoding="ascii") if log else None
        self.signer = Signer(signed) if signed else None
        self.lock = threading.Lock()
        while True:
            self.tcp = socket.create_server(("127.0.0.1", 0))
            self.port = self.tcp.getsockname()[1]
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.udp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.address = f"127.0.0.1@{self.port}"
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def write_anchor(self, path):
        with open(path, "w", encoding="ascii") as f:
            f.write(self.signer.anchor())

    def count(self, name, kind=None):
        with self.lock:
            return sum(n == name and kind in (None, k) for n, k in self.asked)

    def entry(self, name):
        """What stands at a name, by itself or by a wildcard; None: the name does not exist."""
        if name in self.zone:
            return self.zone[name]
        if any(n.endswith("." + name) for n in self.zone):
            return {}
        labels = name.split(".")
        for i in range(1, len(labels)):
            wild = "*." + ".".join(labels[i:])
            if wild in self.zone:
                return self.zone[wild]
        return None

    def rows(self, owner, kind, ttl, texts):
        number = TYPES[kind]
        datas = [rdata("RAW", t[1]) if isinstance(t, list) else rdata(kind, t) for t in texts]
        out = [(owner, number, ttl, d) for d in datas]
        if self.signer and (owner + ".").endswith(self.signer.apex + "."):
            out.append((owner, TYPES["RRSIG"], ttl, self.signer.sign(owner, number, ttl, datas)))
        return out

    def look_up(self, name, kind):
        """(response code, rows of the answer)"""
        rows = []
        for _ in range(8):
            if self.signer and name == self.signer.apex and kind == "DNSKEY":
                sign = self.signer.sign(name, TYPES[kind], 60, [self.signer.dnskey])
                return NO_ERROR, [(name, TYPES[kind], 60, self.signer.dnskey),
                                  (name, TYPES["RRSIG"], 60, sign)]
            entry = self.entry(name)
            if entry is None:
                return (NO_ERROR if rows else NXDOMAIN), rows
            ttl = entry.get("ttl", 60)
            if entry.get(kind):
                return NO_ERROR, rows + self.rows(name, kind, ttl, entry[kind])
            if not entry.get("CNAME"):
                return NO_ERROR, rows
            rows += self.rows(name, "CNAME", ttl, entry["CNAME"])
            name = entry["CNAME"][0].rstrip(".").lower()
        return SERVFAIL, []

    def answer(self, message, over_tcp):
        """The bytes to send and how many seconds to wait before; None: nothing."""
        try:
            name, number, end = question(message)
        except (IndexError, struct.error):
            return None
        kind = NAMES.get(number, str(number))
        with self.lock:
            self.asked.append((name, kind))
            if self.log:
                self.log.write(f"{name} {kind}\n")
        behave = (self.entry(name) or {}).get("behave", "")
        wait = float(behave[5:]) if behave.startswith("slow:") else 0
        if behave == "silent":
            return None
        if behave == "garbage":
            return b"\x00\x01\x02", wait
        code, rows = {"servfail": (SERVFAIL, []), "refused": (REFUSED, [])}.get(
            behave) or self.look_up(name, kind)
        authority = b""
        if not rows and code in (NO_ERROR, NXDOMAIN):
            apex = ".".join(name.split(".")[-2:])
            soa = wire_name("ns." + apex) + wire_name("host." + apex) + struct.pack(
                ">IIIII", 1, 60, 60, 60, 60)
            authority = wire_name(apex) + struct.pack(">HHIH", TYPES["SOA"], IN, 60,
                                                      len(soa)) + soa
        body = b"".join(wire_name(o) + struct.pack(">HHIH", k, IN, ttl, len(d)) + d
                        for o, k, ttl, d in rows)
        edns = b"\0" + struct.pack(">HHIH", EDNS, UDP_BYTES, 0x8000 if self.signer else 0, 0)
        flags, count = 0x8580 | code, len(rows)
        if not over_tcp and (behave == "truncated" or len(body) + end + 60 > UDP_BYTES):
            flags, count, body, authority = flags | 0x0200, 0, b"", b""
        ident = struct.unpack_from(">H", message)[0] ^ (0x5555 if behave == "wrong_id" else 0)
        head = struct.pack(">HHHHHH", ident, flags, 1, count, 1 if authority else 0, 1)
        return head + message[12:end] + body + authority + edns, wait

    def later(self, send, reply):
        if reply is None:
            return
        data, wait = reply

        def now():
            try:
                send(data)
            except OSError:
                pass
        if wait:
            timer = threading.Timer(wait, now)
            timer.daemon = True
            timer.start()
        else:
            now()

    def serve_udp(self):
        while True:
            try:
                message, peer = self.udp.recvfrom(65535)
            except OSError:
                return
            self.later(lambda data, to=peer: self.udp.sendto(data, to),
                       self.answer(message, False))

    def serve_tcp(self):
        while True:
            try:
                peer, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.converse, args=(peer,), daemon=True).start()

    def converse(self, peer):
        with peer, peer.makefile("rb") as wire:
            while len(head := wire.read(2)) == 2:
                message = wire.read(struct.unpack(">H", head)[0])
                self.later(lambda data: peer.sendall(struct.pack(">H", len(data)) + data),
                           self.answer(message, True))


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        zone = json.load(f)
    log = sys.argv[3] if sys.argv[2:3] == ["--log"] else None
    with DnsServer(zone, log=log) as server:
        print(server.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
