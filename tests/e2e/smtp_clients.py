#!/usr/bin/env python3
"""Real clients deliver: swaks, smtp-source, Python's smtplib, and a real Postfix whose genuine bounce
for an unknown local user becomes an event and a suppression."""
import email.message
import email.policy
import json
import shutil
import smtplib
import subprocess

import harness
import mail_server
from harness import Skip, expect, wait_until
from smtp import DOMAIN, Ledger, bounce, digest, signed

SENT = 200


def need(program):
    if not shutil.which(program):
        raise Skip(f"{program} is not installed")
    return program


def run(setup, *argv, stdin=None):
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=60,
                          cwd=setup.box.run_directory)
    out = (done.stdout + done.stderr).decode("utf-8", "replace")
    expect(done.returncode == 0, f"{argv[0]}: exit {done.returncode}\n{out[-2000:]}")
    return out


def swaks(setup, ledger):
    address = ledger.new_address()
    path = setup.box.write("swaks.eml", bounce(address))
    out = run(setup, need("swaks"), "--server", "127.0.0.1", "--port", str(setup.port),
              "--from", "<>", "--to", f"list@{DOMAIN}", "--helo", "swaks.example.test",
              "--data", "@" + path)
    expect(" 250 2.0.0 " in out or "250 2.0.0" in out, f"no 250 2.0.0 in:\n{out}")
    with ledger.lock:
        ledger.acked[address] = None  # swaks adds to the end: compared in part only
    return address


def by_smtplib(setup, ledger):
    with smtplib.SMTP("127.0.0.1", setup.port, timeout=30) as client:
        client.ehlo("smtplib.example.test")
        for feature in ("pipelining", "size", "8bitmime", "enhancedstatuscodes", "smtputf8",
                        "chunking", "limits"):
            expect(client.has_extn(feature), f"EHLO does not offer {feature.upper()}")
        for options in ([], ["BODY=8BITMIME"]):  # it adds size= by itself
            address = ledger.new_address()
            message = bounce(address)
            client.sendmail("", [f"list+user=example.org@{DOMAIN}"], message, mail_options=options)
            ledger.note("acked", address, digest(message))
        try:
            client.sendmail("", ["someone@elsewhere.example.test"], bounce("x@example.org"))
            raise harness.Failure("mail for a foreign domain was accepted")
        except smtplib.SMTPRecipientsRefused as e:
            code = list(e.recipients.values())[0][0]
            expect(code == 550, f"a foreign domain was refused with {code}, expected 550")


def by_chunks(setup, ledger):
    """smtplib has no BDAT: its socket is told what to say."""
    with smtplib.SMTP("127.0.0.1", setup.port, timeout=30) as client:
        client.ehlo("chunks.example.test")
        address = ledger.new_address()
        message = bounce(address)
        client.mail("", [f"size={len(message)}"])
        client.rcpt(f"list+user=example.org@{DOMAIN}")
        pieces = [message[at:at + 777] for at in range(0, len(message), 777)]
        for i, piece in enumerate(pieces):
            last = b" LAST" if i + 1 == len(pieces) else b""
            client.send(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
            code, text = client.getreply()
            expect(code == 250, f"BDAT was answered {code} {text}")
        ledger.note("acked", address, digest(message))


def by_smtputf8(setup):
    """Mailboxes beyond ASCII on both sides (RFC 6531), as they are in the row."""
    sender, recipient = "b\u00fccher@b\u00fccher.example.org", f"list+j\u00f6rg=example.org@{DOMAIN}"
    message = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    message["From"], message["To"], message["Subject"] = sender, recipient, "Gr\u00fc\u00dfe"
    message.set_content("Hello\r\n")
    with smtplib.SMTP("127.0.0.1", setup.port, timeout=30) as client:
        client.send_message(message, sender, [recipient])

    def arrived():
        return setup.pg.sql("select m.protocol, m.mail_from, m.rcpt_to from bouncemx.message m "
                            f"where m.mail_from = '{sender}'")
    rows = wait_until("the message with SMTPUTF8", 30, arrived)
    expect(len(rows) == 1 and rows[0][0] == "UTF8SMTP" and recipient in rows[0][2],
           f"rows of {sender}: {rows}")


def settings(setup, accept, recipients):
    """What the configuration says of bare line ends and of recipients of reports."""
    with smtplib.SMTP("127.0.0.1", setup.port, timeout=30) as client:
        client.ehlo("settings.example.test")
        client.mail("")
        for i in range(recipients):
            expect(client.rcpt(f"list{i}@{DOMAIN}")[0] == 250, f"recipient {i} was refused")
        code, text = client.rcpt(f"more@{DOMAIN}")
        expect((code, text[:5]) == (452, b"4.5.3"), f"recipient {recipients}: {code} {text}")
        client.send(b"BDAT 10 LAST\r\none\r\ntwo\n\n")
        code, text = client.getreply()
        expect(code == (250 if accept else 550), f"bare <LF>: {code} {text}")


def smtp_source(setup):
    """Messages of no kind: kept as "other"."""
    for more in ((), ("-d",)):
        run(setup, need("smtp-source"), "-4", "-m", str(SENT // 2), "-s", "4", "-l", "4000",
            "-f", "sender@example.org", "-t", f"list@{DOMAIN}", *more, f"127.0.0.1:{setup.port}")
    wait_until("smtp-source's messages", 30, lambda: setup.pg.count(
        "select count(*) from bouncemx.message where mail_from = 'sender@example.org'") == SENT)


def postfix(setup):
    server = mail_server.Postfix(setup.box, relay_port=setup.port)
    unknown = "nobody-of-that-name@local.example.test"
    return_path = signed(unknown)
    with smtplib.SMTP("127.0.0.1", server.port, timeout=30) as client:
        client.sendmail(return_path, [unknown], f"From: <{return_path}>\r\nTo: <{unknown}>\r\n"
                        "Subject: hello\r\nMessage-Id: <genuine@example.test>\r\n\r\nHello\r\n")

    def arrived():
        return setup.pg.sql("select e.id, e.kind, e.class, e.category, e.status, e.diagnostic, "
                            "e.original_message_id, m.mail_from from bouncemx.event e "
                            "join bouncemx.message m on m.id = bouncemx.message_of(e.id) "
                            f"where e.final_recipient = '{unknown}'")
    rows = wait_until("Postfix's report to become an event", 60, arrived)
    expect(len(rows) == 1, f"{len(rows)} events")
    ident, kind, klass, category, status, words, original, sender = rows[0]
    expect((kind, klass, category, status) == ("bounce", "hard", "bad_mailbox", "5.1.1"),
           f"understood as {rows[0]}")
    expect("unknown user" in words, f"diagnostic: {words!r}")
    expect(original == "genuine@example.test", f"original message id: {original!r}")
    expect(sender == "", f"envelope sender of a report: {sender!r}")
    # The bounce stands where senders look for it, with the event that caused it.
    listed = [row for row in setup.json_lines("suppression", "list") if row["address"] == unknown]
    expect(len(listed) == 1, f"`suppression list` has {len(listed)} rows of {unknown}")
    expect(listed[0]["event_id"] == ident, f"made by {listed[0]['event_id']}, expected {ident}")
    setup.command("suppression", "check", unknown)
    setup.command("suppression", "check", "somebody.else@example.org", code=1)
    text = setup.command("suppression", "get", unknown).out
    expect("unknown user" in text, f"`suppression get` does not show the words:\n{text}")
    shown = setup.command("show", ident).out
    expect("Reporting-MTA: dns; relay.example.test" in shown, f"`show` lacks the mail:\n{shown[:800]}")
    from_its_log(setup, server.log, unknown)
    return words


def from_its_log(setup, log, unknown):
    """Postfix's own log tells the same: once, however often it is read; its report is no mail."""
    for written in (1, 0):
        done = json.loads(setup.command("ingest", "--from", "postfix-log", "--json", log).out)
        expect((done["bounced"], done["written"], done["known"]) == (1, written, 1 - written), done)
        expect((done["delivered"], done["reports"], done["unreadable"]) == (0, 1, 0), done)
    rows = setup.pg.sql("select e.source, e.verification, e.class, e.category, e.status, "
                        "e.original_message_id from bouncemx.event e where "
                        f"e.address_key = '{unknown}' and source = 'log'")
    expect(rows == [["log", "log", "hard", "bad_mailbox", "5.1.1", "genuine@example.test"]], rows)


def test(setup):
    setup.database()
    setup.start("receive")
    setup.start("process")
    ledger = Ledger("client")
    skipped = []
    for name, step in (("swaks", lambda: swaks(setup, ledger)),
                       ("smtplib", lambda: by_smtplib(setup, ledger)),
                       ("chunks", lambda: by_chunks(setup, ledger)),
                       ("smtputf8", lambda: by_smtputf8(setup)),
                       ("settings", lambda: settings(setup, False, 100)),
                       ("smtp-source", lambda: smtp_source(setup)),
                       ("postfix", lambda: setup.note(postfix_said=postfix(setup)))):
        try:
            step()
            setup.note(**{name: "delivered"})
        except Skip as e:
            skipped.append(f"{name} ({e})")
        except harness.Failure as e:
            raise harness.Failure(f"{name}: {e}") from None
    setup.stop("receive")
    setup.configure(receiver={"bare_newlines": "accept"}, limits={"null_sender_recipients": 2})
    setup.start("receive")
    settings(setup, True, 2)
    setup.wait_drained(ledger)
    setup.stop("receive")
    setup.stop("process")
    if skipped:
        raise Skip("; ".join(skipped))


if __name__ == "__main__":
    harness.main("smtp_clients", test)
