#!/usr/bin/env python3
"""Senders' own logs: each rejection an event through classifier, policy and list; again changes
nothing; deliveries are told once; what can't be read is named by its line."""
import json
import os
import subprocess
import sys
import time
from datetime import date

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import expect, wait_until  # noqa: E402
from sandbox import TIME_SCALE  # noqa: E402
from smtp import signed  # noqa: E402

LOGS = os.path.join(harness.ROOT, "tests", "golden", "logs")
EVENTS = """select address, kind, source, verification, class, category, coalesce(effect::text, '-'),
    to_char(received_at, 'YYYY-MM-DD HH24:MI:SS'), coalesce(campaign, '-'), tenant, stream
    from bouncemx.event order by address, received_at"""


def ingest(setup, *argv, code=0, stdin=None):
    done = setup.command("ingest", "--json", *argv, code=code, stdin=stdin)
    return json.loads(done.out), done.errors


def state(setup):
    tables = ("message", "event", "evidence", "suppression", "suppression_change", "breaker_hour",
              "address_score", "log_told")
    return {t: setup.pg.sql(f"select t::text from bouncemx.{t} t order by 1") for t in tables}


def events(setup):
    return {row[0]: row[1:] for row in setup.pg.sql(EVENTS)}


def clear(setup):
    setup.pg.sql("truncate bouncemx.message, bouncemx.event, bouncemx.evidence, bouncemx.log_told, "
                 "bouncemx.suppression, bouncemx.address_score, bouncemx.content_seen, "
                 "bouncemx.strike, bouncemx.struck, bouncemx.breaker_hour")


def postfix(setup):
    path = os.path.join(LOGS, "postfix.log")
    argv = ("--from", "postfix-log", "--year", "2023", "--timezone", "+01:00", path)
    got, errors = ingest(setup, *argv, code=1)
    expect(errors.count("postfix.log:") == 2, errors)
    expect("postfix.log:2: \"garbage\": expected a time" in errors, errors)
    found = events(setup)
    expect(found["gone@shop.example"] ==
           ["bounce", "log", "log", "hard", "bad_mailbox", "suppressed", "2023-12-31 22:59:58", "-",
            "main", "default"], found)
    # An alias led to another address: the one on the list is meant, with less confidence.
    expect(found["list@shop.example"][4:6] == ["bad_mailbox", "strike"], found)
    expect("moved@other.example" not in found, found)
    # Expired: the reason is that of its last deferral.
    expect(found["slow@far.example"][0] == "bounce", found)
    expect(found["slow@far.example"][6] == "2024-01-05 00:10:00", found)
    expect((got["bounced"], got["expired"], got["deferred"], got["delivered"], got["written"]) ==
           (3, 1, 1, 2, 4), got)
    row = setup.pg.sql("select m.mail_from, m.reader, e.original_message_id, e.remote_mta, "
                       "e.reply_code, e.status, convert_from(v.raw, 'UTF8') from bouncemx.event e "
                       "join bouncemx.message m on m.id = bouncemx.message_of(e.id) "
                       "join bouncemx.evidence v on v.id = m.id "
                       "where e.address = 'gone@shop.example'")[0]
    expect(row[:6] == ["news@bounces.example.test", "postfix-log", "m1@bounces.example.test",
                       "mx.shop.example", "550", "5.1.1"], row)
    expect("status=bounced (host mx.shop.example[192.0.2.1] said: 550" in row[6], row)
    check = setup.command("suppression", "check", "gone@shop.example")
    expect("suppressed: bad_mailbox" in check.out, check.out)

    # The same again, and a log that overlaps with it: nothing changes but what is new.
    before = state(setup)
    again, _ = ingest(setup, *argv, code=1)
    expect((again["written"], again["known"], again["told"]) == (0, 4, 0), again)
    expect(state(setup) == before, "reading it again changed rows")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    late = text.splitlines()[-1].replace("4f1", "9f9").replace("ann@", "zoe@")
    grown, _ = ingest(setup, *argv[:-1], setup.box.write("grown.log", text + late + "\n"), code=1)
    expect((grown["written"], grown["told"]) == (0, 1), grown)
    told = setup.pg.sql("select told from bouncemx.log_told")
    expect(told == [["3"]], told)
    clear(setup)
    delays, _ = ingest(setup, *argv, "--delays", "--no-delivered", code=1)
    expect((delays["written"], delays["told"]) == (5, 0), delays)
    kinds = setup.pg.sql("select kind, count(*) from bouncemx.event group by 1 order by 1")
    expect(sorted(map(tuple, kinds)) == [("bounce", "4"), ("delayed", "1")], kinds)
    clear(setup)


def soft_scores(setup):
    """A delivery in a log lets soft bounces before it count no more."""
    line = ("2023-11-{:02}T10:00:00Z mta postfix/smtp[7]: 4aaa{:02}: to=<full@shop.example>, "
            "relay=mx.shop.example[192.0.2.1]:25, delay=1, delays=0/0/1/0, dsn={}, status={} ({})\n")
    said = "host mx.shop.example[192.0.2.1] said: 552 5.2.2 mailbox full (in reply to RCPT TO command)"
    bounces = "".join(line.format(d, d, "5.2.2", "bounced", said) for d in range(1, 4))
    ingest(setup, "--from", "postfix-log", "-", stdin=bounces.encode())
    score = "select max(score) from bouncemx.address_score"
    expect(float(setup.pg.sql(score)[0][0]) > 0, setup.pg.sql(score))
    sent = line.format(4, 99, "2.0.0", "sent", "250 2.0.0 OK")
    got, _ = ingest(setup, "--from", "postfix-log", "-", stdin=sent.encode())
    expect(got["told"] == 1, got)
    expect(float(setup.pg.sql(score)[0][0]) == 0, setup.pg.sql(score))
    clear(setup)


def owners(setup):
    """Two tenants: the sender's domain tells, else --tenant must."""
    setup.configure(domains=[
        {"name": "bounces.example.test", "accept": "any", "tenant": "main", "stream": "default"},
        {"name": "other.example.test", "accept": "any", "tenant": "second", "stream": "letters"}])
    line = ("2023-11-20T10:00:00Z mta postfix/{}: 4bbb{}: {}\n")

    def bounce(n, sender):
        return line.format("qmgr[1]", n, f"from=<{sender}>, size=9, nrcpt=1 (queue active)") + \
            line.format("smtp[2]", n, f"to=<u{n}@shop.example>, relay=none, delay=0, dsn=5.1.1, "
                                      "status=bounced (550 5.1.1 user unknown)")
    log = (bounce(1, "x@other.example.test") + bounce(2, "x@unknown.example")).encode()
    got, errors = ingest(setup, "--from", "postfix-log", "-", code=1, stdin=log)
    expect(got["unowned"] == 1 and "expected --tenant" in errors, (got, errors))
    expect(events(setup)["u1@shop.example"][8:] == ["second", "letters"], events(setup))
    ingest(setup, "--from", "postfix-log", "--tenant", "second", "--stream", "s", "-", stdin=log)
    expect(events(setup)["u2@shop.example"][8:] == ["second", "s"], events(setup))
    setup.configure(domains=[
        {"name": "bounces.example.test", "accept": "any", "tenant": "main", "stream": "default"}])
    clear(setup)


def other_formats(setup):
    """KumoMTA and PowerMTA: the same facts out of other records."""
    for name, wrong, counts in (
            ("kumomta-json:kumomta.jsonl", (10, 11), (3, 1, 1, 1, 4)),
            ("powermta-csv:powermta.csv", (8, 9), (2, 0, 2, 1, 2))):
        form, name = name.split(":")
        argv = ("--from", form, os.path.join(LOGS, name))
        got, errors = ingest(setup, *argv, code=1)
        for line in wrong:
            expect(f"{name}:{line}: " in errors, errors)
        expect(errors.count("\n") == len(wrong), errors)
        expect((got["bounced"], got["expired"], got["deferred"], got["delivered"],
                got["written"]) == counts, got)
        found = events(setup)
        expect(found["gone@shop.example"] ==
               ["bounce", "log", "log", "hard", "bad_mailbox", "suppressed", "2023-11-14 22:13:30",
                "spring", "main", "default"], found)
        row = setup.pg.sql("select m.reader, e.original_message_id, e.remote_mta, e.reply_code, "
                           "e.status from bouncemx.event e join bouncemx.message m "
                           "on m.id = bouncemx.message_of(e.id) where address = 'gone@shop.example'")
        expect(row[0][0] == form and row[0][1].endswith("1@bounces.example.test") and
               row[0][2:] == ["mx.shop.example", "550", "5.1.1"], row)
        before = state(setup)
        again, _ = ingest(setup, *argv, code=1)
        expect((again["written"], again["known"], again["told"]) == (0, counts[4], 0), again)
        expect(state(setup) == before, "reading it again changed rows")
        if form == "kumomta-json":
            expect(found["full@shop.example"][4] == found["FULL2@shop.example"][4] ==
                   "mailbox_full", found)
            # Expired: by the words of its last deferral.
            expect(found["later@shop.example"][4] == "greylisted", found)
        clear(setup)


def pipe(setup):
    """What a pipe brings is written though it stays open; a line of no end harms nothing."""
    process = subprocess.Popen([setup.program, "ingest", "--from", "postfix-log", "-", "--config",
                                setup.config_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        process.stdin.write(b"x" * 200000 + b"\n")
        process.stdin.write(b"2023-11-20T10:00:00Z mta postfix/smtp[2]: 4ccc1: to=<p@shop.example>, "
                            b"relay=none, dsn=5.1.1, status=bounced (550 5.1.1 user unknown)\n")
        process.stdin.flush()
        since = time.monotonic()
        wait_until("the row", 20, lambda: "p@shop.example" in events(setup), every=0.1)
        setup.note(pipe_seconds=round(time.monotonic() - since, 2))
        process.terminate()
        out, errors = process.communicate(timeout=20 * TIME_SCALE)
        expect(b"-:1: a line of over 65536 bytes" in errors, errors)
        expect(b"bounced" in out, out)
    finally:
        process.kill()
    clear(setup)


def mail(setup):
    """Stored mail by the path of mail on port 25: the envelope and the time out of its headers."""
    dsn = """\
Return-Path: <>
Delivered-To: {to}
Received: from relay.example by mx.example.test with ESMTP id 1; Fri, 24 Nov 2023 01:00:00 +0100
\t(CET)
Received: from x by y; Mon, 23 Nov 2023 01:00:00 +0000
Date: Sun, 22 Nov 2023 00:00:00 GMT
From: MAILER-DAEMON@relay.example
To: {to}
Subject: Undelivered mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=edge

--edge
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; {who}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <{who}>: user unknown

--edge--
"""
    token = signed("t@shop.example", day=(date(2023, 11, 20) - date(1970, 1, 1)).days)
    one = dsn.format(to=token, who="t@shop.example")
    two = dsn.format(to="news@bounces.example.test", who="u@shop.example")
    stray = dsn.format(to="someone@unknown.example", who="v@shop.example")
    box = "".join(f"From x Tue Nov 24 01:00:00 2023\n{m}\n" for m in (one, two, stray))
    path = setup.box.write("box", box)
    got, errors = ingest(setup, path, code=1)
    expect((got["messages"], got["written"], got["unowned"]) == (3, 2, 1), got)
    expect("box:3: it names no recipient of a configured domain" in errors, errors)
    found = events(setup)
    expect(found["t@shop.example"][1:7] ==
           ["token", "token", "hard", "bad_mailbox", "suppressed", "2023-11-24 00:00:00"], found)
    expect(found["u@shop.example"][2] == "unsigned" and found["u@shop.example"][5] != "suppressed",
           found)
    before = state(setup)
    again, _ = ingest(setup, path, code=1)
    expect((again["written"], again["known"]) == (0, 2), again)
    # A Maildir with the same message changes nothing either.
    for folder in ("cur", "new", "tmp"):
        os.makedirs(setup.box.path(os.path.join("maildir", folder)))
    setup.box.write("maildir/new/1.x", one)
    ingest(setup, setup.box.path("maildir"))
    expect(state(setup) == before, "reading it again changed rows")
    got, _ = ingest(setup, "--rcpt", "news@bounces.example.test", "-", stdin=stray.encode())
    expect(got["written"] == 1 and "v@shop.example" in events(setup), got)
    timeless = "\n".join(line for line in stray.split("\n")
                         if not line.startswith(("Received:", "\t", "Date:")))
    argv = ("--rcpt", "news@bounces.example.test", "-")
    _, errors = ingest(setup, *argv, code=1, stdin=timeless.encode())
    expect("-: neither Received nor Date tell when it came: expected --received" in errors, errors)
    ingest(setup, "--received", "2023-11-01", *argv, stdin=timeless.encode())
    times = setup.pg.sql("select received_at::date from bouncemx.message order by 1 limit 1")
    expect(times == [["2023-11-01"]], times)
    clear(setup)


def wrong(setup):
    for argv, words in ((("--from", "exim", "x"), "--from: exim: expected postfix-log"),
                        (("--from", "postfix-log", "--timezone", "../x", "x"), "expected UTC"),
                        (("--from", "postfix-log", "--year", "1", "x"), "--year: 1: expected"),
                        (("--from", "postfix-log", "--rcpt", "a@b", "x"), "--rcpt is for stored"),
                        (("--year", "2025", "x"), "--year is for logs"),
                        (("--received", "soon", "x"), "--received: soon: expected a day")):
        done = setup.command("ingest", *argv, code=2)
        expect(words in done.errors, done.errors)
    done = setup.command("ingest", "--from", "postfix-log", "/none", code=1)
    expect("/none" in done.errors, done.errors)


def test(setup):
    setup.database()
    postfix(setup)
    soft_scores(setup)
    owners(setup)
    other_formats(setup)
    pipe(setup)
    mail(setup)
    wrong(setup)
    setup.check_logs()


if __name__ == "__main__":
    harness.main("ingest", test)
