#!/usr/bin/env python3
"""Every report as table, NDJSON and CSV, over mail that came through the program."""
import csv
import io
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import expect, wait_until  # noqa: E402
from smtp import DOMAIN, Client, bounce, signed  # noqa: E402

# Name: columns that are numbers or true and false, and rows that the mail below makes.
REPORTS = {
    "operator": ("bounces hard soft transient block other suppressed", 1),
    "campaigns": ("bounces hard soft transient block other complaints suppressed", 1),
    "reasons": ("events verified suppressed", 3),
    "spikes": ("events days", 2),
    "blocks": ("count verified", 1),
    "diagnostics": ("events share verified fingerprint", 3),
    "unclassified": ("events share verified fingerprint", 0),
    "latency": ("events p50 p90 p99", 0),
    "rates": ("sent bounces bounce_rate complaints complaint_rate", 1),
    "flow": ("count", 1),
    "soft": ("score threshold", 0),
    "forged": ("count", 1),
    "rules": ("events verified suppressed share", 3),
    "unmatched": ("complaints unmatched percent alarm", 1),
    "held": ("turned usual waiting", 0),
}
SOME = 12
COMPLAINT = f"""\
From: Complaints <fbl@reporter.example>
To: fbl@{DOMAIN}
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b

A complaint.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Test/1.0
Version: 1

--b
Content-Type: text/rfc822-headers

From: News <news@sender.example>
Subject: The news

--b--
""".replace("\n", "\r\n").encode()


def send(setup):
    client = Client(setup.port)
    for i in range(SOME):
        address = f"user{i}@shop.example"
        client.send("", [signed(address)], bounce(address))
        address = f"full{i}@shop.example"
        client.send("", [signed(address)], bounce(address, status="4.2.2", words="552 5.2.2 <{0}>: mailbox full"))
    address = "listed@shop.example"
    client.send("", [signed(address)], bounce(
        address, status="5.7.1", words="554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.9"))
    address = "victim@shop.example"
    token, domain = signed(address).rsplit("@", 1)
    client.send("", [f"{token[:-4]}{'aaaa' if token[-4:] != 'aaaa' else 'bbbb'}@{domain}"], bounce(address))
    client.send("fbl@reporter.example", [f"fbl@{DOMAIN}"], COMPLAINT)
    client.quit()


def one(setup, name, numbers, want):
    since = ["--since", "3d"]
    answers = setup.json_lines("report", name, *since)
    text = setup.command("report", name, "--csv", *since).out
    expect(text.endswith("\r\n"), f"{name}: CSV without an end of line: {text[-50:]!r}")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    table = setup.command("report", name, *since).out.splitlines()
    expect(len(answers) == len(rows) >= want and (want or not rows) and len(table) == len(rows) + bool(rows),
           f"{name}: {len(answers)}, {len(rows)}, {len(table)} rows, expected {want}:\n{answers}")
    for answer, row in zip(answers, rows):
        expect(list(answer) == list(row), f"{name}: {list(answer)} and {list(row)}")
        for key, value in answer.items():
            expect((value is None) == (row[key] == ""), f"{name}: {key}: {value!r}, as CSV {row[key]!r}")
            if key in numbers.split():
                expect(value is None or isinstance(value, (int, float)), f"{name}: {key}: {value!r} is no number")
            if isinstance(value, str):
                expect(row[key] == value, f"{name}: {key}: {value!r}, as CSV {row[key]!r}")
    return answers


def test(setup):
    setup.database()
    setup.start("receive")
    setup.start("process")
    send(setup)
    wait_until("the events", 60, lambda: setup.pg.count("select count(*) from bouncemx.event") == 2 * SOME + 3)
    day = setup.pg.value("select min(received_at at time zone 'UTC')::date from bouncemx.event")
    stream, tenant = setup.pg.sql("select stream, tenant from bouncemx.event limit 1")[0]
    path = setup.box.write("volume.csv", f"day,tenant,stream,operator,sent\n{day},{tenant},{stream},,400\n")
    setup.command("volume", "import", path, "--apply")

    got = {name: one(setup, name, *words) for name, words in REPORTS.items()}
    rate = got["rates"][0]
    bounces = setup.pg.count("select count(*) from bouncemx.event where kind = 'bounce' and "
                             f"(received_at at time zone 'UTC')::date = '{day}' and stream = '{stream}'")
    expect(rate["sent"] == 400 and rate["bounces"] == bounces and rate["bounce_rate"] == bounces / 4 and rate["mx_operator"] is None,
           f"rates: {rate}")
    expect(rate["bounce_level"] == "red", f"rates: {rate}")
    expect(got["blocks"][0]["listed_address"] == "192.0.2.9", f"blocks: {got['blocks']}")
    expect(got["unmatched"][0]["alarm"] is False and got["unmatched"][0]["percent"] == 100, f"{got['unmatched']}")
    expect(got["spikes"][0]["z"] is None and got["spikes"][0]["days"] == 0, f"spikes: {got['spikes']}")
    expect("user unknown" in got["diagnostics"][0]["sample"].lower() or "full" in got["diagnostics"][0]["sample"], f"{got['diagnostics']}")
    expect(sum(r["events"] for r in got["reasons"]) == 2 * SOME + 3, f"reasons: {got['reasons']}")
    for name in REPORTS:
        left = [] if name == "held" else setup.json_lines("report", name, "--stream", "no-such-stream")
        expect(left == [], f"{name} of no stream: {left}")
        gone = setup.json_lines("report", name, "--since", "2020-01-01", "--until", "2020-02-01")
        expect(gone == [], f"{name} of another time: {gone}")
    held = setup.command("report", "rates").out
    expect(" - " in held, f"what is not known: {held}")


if __name__ == "__main__":
    harness.main("reports", test)
