#!/usr/bin/env python3
"""The main job, as a person would try it: serve, a bounce sent by swaks, a suppression got by the
command line, the mail shown byte for byte, status, drain, stop."""
import json
import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import Failure, Skip, expect, wait_until  # noqa: E402
from smtp import DOMAIN, signed  # noqa: E402

DSN = """\
From: MAILER-DAEMON@relay.example
To: news@bounces.example.test
Subject: Undelivered mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=edge

--edge
Content-Type: text/plain

Nobody of that name here.

--edge
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; Gone@Shop.Example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <Gone@Shop.Example>: user unknown

--edge--
"""


def forged(address):
    """As signed, by somebody without the key."""
    head, mac = signed(address).removesuffix("@" + DOMAIN).rsplit("-", 1)
    return f"{head}-{mac[::-1] if mac != mac[::-1] else 'a' * 16}@{DOMAIN}"


def send(setup, body, recipient):
    path = setup.box.write("mail.eml", body)
    done = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(setup.port), "--from", "<>",
         "--to", recipient, "--data", "@" + path, "--helo", "relay.example"],
        capture_output=True, text=True, timeout=60, check=False)
    expect(done.returncode == 0, f"swaks: {done.stdout}{done.stderr}")


def sql_mints(setup):
    """The keys go from their files into the database, and mint there what the command mints."""
    mint = "select bouncemx.mint('ann@shop.example', '{0}', 'complaint', 'news', '2026-11-23')"
    try:
        setup.pg.sql(mint.format(DOMAIN))
        raise Failure("SQL mints without a key")
    except Failure as e:
        expect("bouncemx token install" in str(e), f"mint without a key: {e}")
    done = setup.command("token", "install")
    expect("1 keys stand" in done.out, done.out)
    by_command = setup.command("token", "mint", "--purpose", "complaint", "--stream", "news",
                               "--day", "2026-11-23", "ann@shop.example").out.strip()
    for _ in range(2):
        got = setup.pg.sql(mint.format(DOMAIN))
        expect(got == [[by_command]], f"{got}, expected {by_command}")
        setup.command("token", "install")
    setup.pg.sql("select bouncemx.send('Ann@Shop.Example', 'x.example', stream => 'news')")
    expect(setup.pg.count("select count(*) from bouncemx.sent where stream = 'news'") == 1, "sent")


def test(setup):
    if not shutil.which("swaks"):
        raise Skip("swaks is not installed")
    setup.database(migrate=False)
    refused = setup.command("serve", code=1)
    expect("migrate" in refused.errors, f"serve without a schema: {refused.errors}")
    process = setup.box.start("serve", [setup.program, "serve", "--migrate", "--config",
                                        setup.config_path])
    setup.roles["serve"] = process
    setup.wait_port("serve", 60)
    wait_until("the schema to be made", 60,
               lambda: setup.command("migrate", "--check", code=None).returncode == 0)

    send(setup, DSN, signed("gone@shop.example"))
    # The envelope names the person: never another address that the report names.
    send(setup, DSN.replace("Gone@Shop.Example", "other@mail.example"),
         signed("third.user@list.example"))
    # Nothing proves these two: they are events and no more.
    send(setup, DSN.replace("Gone@Shop.Example", "plain@mail.example"),
         "news@bounces.example.test")
    send(setup, DSN.replace("Gone@Shop.Example", "victim@mail.example"),
         forged("victim@mail.example"))
    send(setup, DSN.replace("Gone@Shop.Example", "Verp.User@list.example"),
         signed("verp.user@list.example"))
    wait_until("the suppression", 60, lambda: setup.command(
        "suppression", "get", "gone@shop.example", code=None).returncode == 0)
    wait_until("the second", 60, lambda: setup.command(
        "suppression", "get", "verp.user@list.example", code=None).returncode == 0)

    row = json.loads(setup.command("suppression", "get", "GONE@shop.example", "--json").out)
    expect(row["address_key"] == "gone@shop.example" and row["class"] == "hard", f"{row}")
    expect(row["category"] == "bad_mailbox" and "user unknown" in row["diagnostic"], f"{row}")
    listed = [r["address_key"] for r in setup.json_lines("suppression", "list")]
    expect({"gone@shop.example", "verp.user@list.example"} <= set(listed), f"listed: {listed}")
    for address in ("other@mail.example", "plain@mail.example", "victim@mail.example"):
        setup.command("suppression", "get", address, code=1)
    setup.command("suppression", "check", "gone@shop.example")
    done = setup.command("suppression", "check", "other@mail.example", code=1)
    expect("not suppressed" in done.out, done.out)

    events = setup.json_lines("events")
    expect(len(events) == 5 and all(e["kind"] == "bounce" for e in events), f"{events}")
    shown = setup.command("show", row["event_id"])
    expect("user unknown" in shown.out and "Reporting-MTA" in shown.out, shown.out[:2000])
    raw = setup.command("show", row["event_id"], "--raw").out
    expect(DSN.replace("\n", "\r\n") in raw, raw)
    attempts = {row["attempt"]: row["count"] for row in setup.json_lines("report", "forged")}
    expect(attempts.get("forged") == 1, f"report forged: {attempts}")
    csv = setup.command("report", "unmatched", "--csv", "--since", "2026-01-01").out
    expect(csv.startswith('"day","reporter"'), csv)
    csv = setup.command("report", "blocks", "--csv").out
    expect(csv.startswith('"day","listed_address","blocklist","lookup_url"'), csv)
    facts = setup.json_lines("show", row["event_id"])[0]
    expect({"listed_address", "last_attempt", "envelope_id", "dkim_domain"} <= set(facts), f"{facts}")
    setup.command("report", "forged", "--since", "yesterday", code=2)
    setup.command("report", "forged", "--json", "--csv", code=2)

    status = json.loads(setup.command("status", "--json").out)
    expect(status["events"] == 5 and status["messages"] == 5 and status["set_aside"] == 0,
           f"{status}")
    expect("process" in status["receiver"], f"{status}")
    table = setup.command("suppression", "list").out.splitlines()
    expect(len(table) == 1 + len(listed) and table[0].startswith("ADDRESS"), f"{table}")

    sql_mints(setup)
    drained = setup.command("drain", "--timeout", "30s")
    expect("can be removed" in drained.out, drained.out + drained.errors)
    with socket.socket() as probe:
        expect(probe.connect_ex(("127.0.0.1", setup.port)) != 0, "the port is open after drain")
    expect(process.running(), "serve ended with the receiver that was drained")
    setup.stop("serve")


if __name__ == "__main__":
    harness.main("smoke", test)
