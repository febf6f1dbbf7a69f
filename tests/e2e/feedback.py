#!/usr/bin/env python3
"""Complaints signed by a listed provider: verified, and suppress; all others stay unverified.

The DNS server counts: one key is asked for once, however many reports it signs. A server that is
silent costs a few waits, and nobody is suppressed by what could not be looked at."""
import os
import sys

import harness
from harness import expect, wait_until
from smtp import DOMAIN, Client

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "support"))
from dkim_sign import DkimKey  # noqa: E402
from dns_server import DnsServer  # noqa: E402

SOURCE = "arf.fbl.example"
REPORTS = 100


def report(address, sender=f"feedback@{SOURCE}"):
    return f"""\
From: Complaints <{sender}>
To: fbl@{DOMAIN}
Subject: complaint
Message-ID: <{address}.report>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b

A complaint.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Test/1.0
Version: 1
Original-Mail-From: <news@{DOMAIN}>
Original-Rcpt-To: <{address}>

--b
Content-Type: text/rfc822-headers

From: News <news@sender.example>
To: {address}
Subject: The news
Message-ID: <{address}.news>

--b--
""".replace("\n", "\r\n").encode()


def send(setup, messages):
    client = Client(setup.port)
    for message in messages:
        client.send("feedback@fbl.example", [f"fbl@{DOMAIN}"], message)
    client.quit()


def verifications(setup, like):
    """{verification: events} of the addresses like that."""
    rows = setup.pg.sql("select verification, count(*) from bouncemx.event "
                        f"where address like '{like}' group by 1")
    return {verification: int(n) for verification, n in rows}


def arrive(setup, like, want):
    wait_until(f"{like} to be {want}", 60, lambda: verifications(setup, like) == want, every=0.2)


def test(setup):
    good, other = DkimKey(SOURCE, "s1"), DkimKey("other.example", "s1")
    gone, failing, late = (DkimKey(SOURCE, s) for s in ("gone", "failing", "late"))
    zone = {good.name: {"TXT": [good.record]}, other.name: {"TXT": [other.record]},
            failing.name: {"TXT": [failing.record], "behave": "servfail"},
            late.name: {"TXT": [late.record], "behave": "silent"}}
    with DnsServer(zone) as dns:
        setup.configure(processor={"workers": 1}, feedback={
            "sources": [{"domain": SOURCE}], "resolvers": [dns.address], "timeout": "10s"},
                        domains=[{"name": DOMAIN, "accept": "any", "trust_unverified": False}])
        setup.database()
        setup.start("receive")
        setup.start("process")

        send(setup, (good.sign(report(f"user{i}@good.example")) for i in range(REPORTS)))
        arrive(setup, "%@good.example", {"dkim": REPORTS})
        expect(dns.count(good.name) == 1, f"the key was asked for {dns.count(good.name)} times")

        signed = good.sign(report("a@bad.example"))
        send(setup, [
            report("plain@bad.example"),
            other.sign(report("unlisted@bad.example")),
            good.sign(report("from@bad.example", sender="feedback@elsewhere.example")),
            gone.sign(report("gone@bad.example")),
            failing.sign(report("failing@bad.example")),
            signed.replace(b"a@bad.example", b"changed@bad.example"),
        ])
        arrive(setup, "%@bad.example", {"unsigned": 6})
        held = setup.pg.count("select count(*) from bouncemx.suppression "
                              "where address_key like '%@bad.example'")
        expect(held == 0, f"{held} suppressions by complaints that nobody vouches for")
        kept = setup.pg.count("select count(*) from bouncemx.suppression "
                              "where address_key like '%@good.example'")
        expect(kept == REPORTS, f"{kept} suppressions by {REPORTS} signed complaints")

        # Silence: each of the first few waits, then none is asked any more; mail goes on.
        setup.stop("process")
        setup.configure(feedback={"timeout": "100ms"})
        setup.start("process")
        send(setup, [late.sign(report(f"user{i}@late.example")) for i in range(20)])
        arrive(setup, "%@late.example", {"unsigned": 20})
        setup.stop("receive")
        setup.stop("process")
    setup.note(signed=REPORTS, key_questions=dns.count(good.name), silent=20)


if __name__ == "__main__":
    harness.main("feedback", test)
