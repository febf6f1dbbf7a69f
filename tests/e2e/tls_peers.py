#!/usr/bin/env python3
"""Real peers with TLS and without: swaks, smtp-source, `openssl s_client`, Python's smtplib (SMTPUTF8
too, where EHLO offers it), and a real Postfix that takes a message for a user it does not know, and
sends its own report of that to us over STARTTLS, which it insists on. Each record says how it came."""
import shutil
import smtplib
import ssl
import subprocess

import harness
import mail_server
import tls_pair
from harness import Skip, expect, wait_until
from smtp import DOMAIN, Ledger, bounce, digest, signed

HOST = "mx1.bounces.example.test"
LOCAL = "local.example.test"  # Postfix's own domain
SENT = 50


def need(program):
    if not shutil.which(program):
        raise Skip(f"{program} is not installed")
    return program


def run(setup, *argv, stdin=None):
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=120,
                          cwd=setup.box.run_directory)
    out = (done.stdout + done.stderr).decode("utf-8", "replace")
    expect(done.returncode == 0, f"{argv[0]}: exit {done.returncode}\n{out[-2000:]}")
    return out


class Arrived:
    """What was sent, and how its record has to say that it came."""

    def __init__(self, setup):
        self.setup = setup
        self.ledger = Ledger("peer")
        self.tls = {}  # address -> beginning of column tls; "": none was used

    def new(self, tls):
        address = self.ledger.new_address()
        self.tls[address] = tls
        return address

    def check(self):
        self.setup.wait_drained(self.ledger)
        rows = dict(self.setup.pg.sql(
            "select e.final_recipient, coalesce(m.tls, '') from bouncemx.event e "
            "join bouncemx.message m on m.id = bouncemx.message_of(e.id) "
            "where e.final_recipient like 'user-peer-%'"))
        for address, expected in self.tls.items():
            said = rows.get(address, "no row")
            good = said.startswith(expected) if expected else said == ""
            expect(good, f"{address} came by {said!r}, expected {expected or 'no TLS'!r}")
        self.setup.note(checked_for_tls=len(self.tls))


def swaks(setup, arrived):
    try:
        run(setup, "perl", "-MNet::SSLeay", "-e", "1")
    except harness.Failure:
        raise Skip("swaks has no TLS (libnet-ssleay-perl)") from None
    for tls, more in (("", ()), ("TLSv1.3", ("--tls",)),
                      ("TLSv1.2", ("--tls", "--tls-protocol", "tlsv1_2", "--pipeline"))):
        address = arrived.new(tls)
        out = run(setup, need("swaks"), "--server", "127.0.0.1", "--port", str(setup.port),
                  "--from", "<>", "--to", f"list@{DOMAIN}", "--helo", "swaks.example.test",
                  "--data", "@" + setup.box.write("swaks.eml", bounce(address)), *more)
        expect("250 2.0.0" in out, f"no 250 2.0.0 in:\n{out}")
        arrived.ledger.note("acked", address, None)


def smtp_source(setup, _):
    for more in ((), ("-d",)):
        run(setup, need("smtp-source"), "-4", "-m", str(SENT), "-s", "4", "-l", "4000",
            "-f", "source@example.org", "-t", f"list@{DOMAIN}", *more, f"127.0.0.1:{setup.port}")
    wait_until("smtp-source's messages", 60, lambda: setup.pg.count(
        "select count(*) from bouncemx.message where mail_from = 'source@example.org' "
        "and tls is null") == 2 * SENT)


def s_client(setup, arrived):
    """It wants the certificate to be ours, and sends the message line by line."""
    address = arrived.new("TLSv1.3")
    message = bounce(address)
    lines = [b"EHLO client.example.test", b"MAIL FROM:<>", b"RCPT TO:<list@%s>" % DOMAIN.encode(), b"DATA"]
    # Commands may be sent ahead (RFC 2920), so nothing has to be waited for. -quiet: "R" and "Q" at
    # the start of a line are text, and it stays until the server closes.
    said = run(setup, need("openssl"), "s_client", "-connect", f"127.0.0.1:{setup.port}", "-starttls",
               "smtp", "-quiet", "-verify_return_error", "-CAfile", setup.box.path("certificate.pem"),
               "-verify_hostname", HOST,
               stdin=b"\r\n".join(lines) + b"\r\n" + message + b".\r\nQUIT\r\n")
    expect("250 2.0.0" in said, f"openssl s_client was not told 250 2.0.0:\n{said}")
    arrived.ledger.note("acked", address, digest(message))


def by_smtplib(setup, arrived):
    context = ssl.create_default_context(cafile=setup.box.path("certificate.pem"))
    context.check_hostname = False  # smtplib names the address it connects to
    for tls in ("", "TLSv1.3"):
        with smtplib.SMTP("127.0.0.1", setup.port, timeout=60) as client:
            if tls:
                client.starttls(context=context)
            address = arrived.new(tls)
            message = bounce(address)
            client.sendmail("", [f"list@{DOMAIN}"], message, mail_options=["BODY=8BITMIME"])
            arrived.ledger.note("acked", address, digest(message))


def smtputf8(setup, arrived):
    """RFC 6531: addresses and headers in UTF-8, by a client that uses the extension by itself."""
    del arrived
    context = ssl.create_default_context(cafile=setup.box.path("certificate.pem"))
    context.check_hostname = False
    sender = "jürgen@bücher.example.org"
    with smtplib.SMTP("127.0.0.1", setup.port, timeout=60) as client:
        client.starttls(context=context)
        client.ehlo()
        if not client.has_extn("smtputf8"):
            raise Skip("EHLO does not offer SMTPUTF8")
        client.sendmail(sender, [f"žluťoučký@{DOMAIN}"],
                        "Subject: příliš žluťoučký kůň\r\n\r\núpěl ďábelské ódy\r\n".encode(),
                        mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    rows = wait_until("the message in UTF-8", 60, lambda: setup.pg.sql(
        f"select rcpt_to, protocol, tls from bouncemx.message where mail_from = '{sender}'"))
    expect(len(rows) == 1 and "žluťoučký@" in rows[0][0], f"recorded as {rows}")
    expect(rows[0][1] == "UTF8SMTPS", f"protocol {rows[0][1]!r}, expected UTF8SMTPS (RFC 6531 4.3)")
    expect(rows[0][2].startswith("TLSv1."), f"came by {rows[0][2]!r}")


def postfix(setup, _):
    unknown = f"nobody-of-this-name@{LOCAL}"
    return_path = signed(unknown)
    server = mail_server.Postfix(setup.box, destination=LOCAL, settings={
        "default_transport": "error:5.4.4 this server relays to one domain only",
        "transport_maps": f"inline:{{{{{DOMAIN} = smtp:[127.0.0.1]:{setup.port}}}}}",
        "smtp_tls_security_level": "encrypt"})
    with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
        # Accepted, queued, and only then found to be nobody's.
        client.sendmail(return_path, [unknown], f"From: <{return_path}>\r\nTo: <{unknown}>\r\n"
                        "Subject: hello\r\nMessage-Id: <secured@example.test>\r\n\r\nHello\r\n")
    rows = wait_until("Postfix's report to become an event", 120, lambda: setup.pg.sql(
        "select e.kind, e.class, e.category, e.status, e.address, e.diagnostic, "
        "e.original_message_id, m.mail_from, m.rcpt_to, m.protocol, coalesce(m.tls, '') "
        "from bouncemx.event e join bouncemx.message m on m.id = bouncemx.message_of(e.id) "
        f"where e.final_recipient = '{unknown}'"))
    expect(len(rows) == 1, f"{len(rows)} events")
    kind, klass, category, status, address, words, original, sender, to, protocol, tls = rows[0]
    expect((kind, klass, category, status, address) ==
           ("bounce", "hard", "bad_mailbox", "5.1.1", unknown), f"understood as {rows[0]}")
    expect("unknown user" in words, f"diagnostic: {words!r}")
    expect(original == "secured@example.test", f"original message id: {original!r}")
    expect((sender, return_path in to) == ("", True), f"from {sender!r} to {to!r}")
    expect(protocol == "ESMTPS" and tls.startswith("TLSv1.3 "), f"came by {protocol!r}, {tls!r}")
    setup.command("suppression", "check", unknown)
    setup.note(postfix_said=words, postfix_by=tls)


def test(setup):
    setup.database()
    setup.configure(
        listen=[{"address": "127.0.0.1", "port": setup.port, "tls": "starttls"}],
        tls={"certificates": [tls_pair.make(setup.box, HOST)]})
    setup.start("receive")
    setup.start("process")
    arrived = Arrived(setup)
    skipped = []
    for step in (swaks, smtp_source, s_client, by_smtplib, smtputf8, postfix):
        try:
            step(setup, arrived)
            setup.note(**{step.__name__: "delivered"})
        except Skip as e:
            skipped.append(f"{step.__name__} ({e})")
        except harness.Failure as e:
            raise harness.Failure(f"{step.__name__}: {e}") from None
    arrived.check()
    setup.stop("receive")
    setup.stop("process")
    if skipped:
        raise Skip("; ".join(skipped))


if __name__ == "__main__":
    harness.main("tls_peers", test)
