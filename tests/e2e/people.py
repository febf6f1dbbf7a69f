#!/usr/bin/env python3
"""Mail that a person must see: into a Maildir exactly once, to a relay at least once.

While 200 messages come, deliverer and workers are killed at random. A relay is down, answers 4xx,
then takes what it is sent; another never answers, and bounces go on as ever."""
import email
import glob
import os
import re
import shutil
import socket
import threading
import time

import harness
import sandbox
import smtp
from harness import expect, wait_until
from sandbox import kill_pid
from smtp import Client, Ledger, stream

RELAYED, HANGING, PLAIN = "relayed.example.test", "hanging.example.test", "plain.example.test"
REPORTS, ROLE = "reports.example.test", "role.example.test"


def letter(mark, text="Please take me off your list.", lead=""):
    return (f"{lead}From: Anna <anna@remote.example.test>\r\nTo: someone\r\nSubject: {mark}\r\n"
            f"Message-Id: <{mark}@remote.example.test>\r\n\r\n{text}\r\n.dot\r\n").encode()


def subjects(*folders):
    """Subject -> how many files hold it."""
    found = {}
    for folder in folders:
        for path in glob.glob(os.path.join(folder, "new", "*")) + \
                glob.glob(os.path.join(folder, "cur", "*")):
            with open(path, "rb") as f:
                message = email.message_from_binary_file(f)
            found[message["Subject"]] = found.get(message["Subject"], 0) + 1
    return found


def kinds(setup):
    """domains[].people: reports takes aggregates as well, role nothing but role addresses."""
    with open(os.path.join(harness.ROOT, "tests", "golden", "aggregate-dmarc.eml"), "rb") as f:
        aggregate = f.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    subject = email.message_from_bytes(aggregate)["Subject"]
    client = Client(setup.port)
    everybody = [f"dmarc@{d}" for d in (REPORTS, ROLE, smtp.DOMAIN)]
    client.send("reports@remote.example.test", everybody, aggregate)
    client.send("anna@remote.example.test", everybody[:2], letter("to-all"))
    client.send("anna@remote.example.test", [f"abuse@{ROLE}"], letter("to-abuse"))
    client.quit()
    folders = {d: os.path.join(setup.spool, "mail", d) for d in (REPORTS, ROLE)}
    wait_until("the report", 30, lambda: subjects(folders[REPORTS]) == {subject: 1, "to-all": 1})
    wait_until("role mail", 30, lambda: subjects(folders[ROLE]) == {"to-abuse": 1})
    wait_sent_on(setup)
    expect(subjects(folders[ROLE]) == {"to-abuse": 1}, f"role: {subjects(folders[ROLE])}")
    expect(subject not in subjects(setup.box.path("postmaster")), "an aggregate report as other")


class Sink:
    """A mail server that does what it is told: "take", "later", "refuse", or never answers."""

    def __init__(self, how="take", port=0):
        self.how, self.mail, self.silent = how, [], 0
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            if self.how == "silent":
                self.silent += 1
            else:
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        f = connection.makefile("rwb")
        sender = None

        def say(line):
            f.write(line.encode() + b"\r\n")
            f.flush()
        try:
            say("220 sink.example.test")
            for line in iter(f.readline, b""):
                word = line.split()[0].upper() if line.split() else b""
                if word == b"MAIL":
                    sender, self.to = line.decode().split("<")[1].split(">")[0], []
                    say({"take": "250 ok", "later": "451 4.7.1 come later",
                         "refuse": "550 5.7.1 not this"}[self.how])
                elif word == b"RCPT":
                    to = line.decode().split("<")[1].split(">")[0]
                    say("250 ok")
                elif word == b"DATA":
                    say("354 go on")
                    body = b""
                    while not body.endswith(b"\r\n.\r\n"):
                        body += f.readline()
                    self.mail.append((sender, to, body[:-3].replace(b"\r\n..", b"\r\n.")))
                    say("250 taken")
                elif word == b"QUIT":
                    say("221 bye")
                    break
                else:
                    say("250 sink.example.test")
        except (OSError, ValueError):
            pass
        connection.close()

    def close(self):
        self.listener.close()
        for connection in self.open:
            connection.close()


def status(setup):
    return setup.json_lines("status")[0]


def wait_sent_on(setup, seconds=60):
    wait_until("the outbox to be empty", seconds,
               lambda: status(setup)["people_waiting"] == 0, every=0.3)


def maildir(setup):
    """Role addresses and replies land in the Maildir; reports do not; nobody is asked twice."""
    box = setup.box.path("postmaster")
    kept = os.path.join(setup.spool, "mail", PLAIN)
    client = Client(setup.port)
    client.send("anna@remote.example.test", [f"postmaster@{smtp.DOMAIN}"], letter("role"))
    client.send("", [f"abuse@{smtp.DOMAIN}"], smtp.bounce("x@remote.example.test"))
    client.send("anna@remote.example.test", [f"news@{smtp.DOMAIN}", f"abuse@{smtp.DOMAIN}",
                                             f"news@{PLAIN}"], letter("reply"))
    client.send("", [f"news@{smtp.DOMAIN}"], smtp.bounce("y@remote.example.test"))
    client.send("", [f"news@{smtp.DOMAIN}"], letter("away", lead="Auto-Submitted: auto-replied\r\n"))
    client.send("a@remote.example.test", [f"postmaster@{smtp.DOMAIN}"],
                letter("long", "x" * 70 + ("\r\n" + "x" * 70) * 2000))
    client.quit()
    want = {"role": 1, "reply": 1, "long": 1, "Undelivered Mail Returned to Sender": 1}
    wait_until("three letters and a report in the Maildir", 60, lambda: subjects(box) == want)
    wait_until("the reply to the other domain", 30, lambda: subjects(kept) == {"reply": 1})
    wait_until("all rows", 30, lambda: setup.pg.count("select count(*) from bouncemx.message") == 6)
    wait_sent_on(setup)
    expect(subjects(box) == want, f"the Maildir holds {subjects(box)}")
    for path in glob.glob(os.path.join(box, "new", "*")):
        with open(path, "rb") as f:
            raw = f.read()
        message = email.message_from_bytes(raw)
        expect(os.stat(path).st_mode & 0o777 == 0o600, f"mode of {path}")
        expect(b"\r" not in raw, "line ends of a Maildir are LF")
        if message["Subject"] == "role":
            expect(message["Return-Path"] == "<anna@remote.example.test>", message["Return-Path"])
            expect(message["Delivered-To"] == f"postmaster@{smtp.DOMAIN}", message["Delivered-To"])
            expect(raw.endswith(b"\n\nPlease take me off your list.\n.dot\n"), f"ends {raw[-60:]}")
            setup.command("show", message["X-Bouncemx-Message"])
        if message["Subject"] == "long":
            expect(re.fullmatch(r"\d+ of \d+ octets were kept", message["X-Bouncemx-Truncated"]),
                   str(message["X-Bouncemx-Truncated"]))
    expect(status(setup)["people_kept"] == 1, "status does not count the Maildir in the spool")


def relay(setup, sink):
    """Down, 4xx, taken; 5xx and loops are kept here; a bounce of it can't come back as ours."""
    def send(mark, **kwargs):
        client = Client(setup.port)
        client.send(kwargs.pop("sender", "anna@remote.example.test"), [f"abuse@{RELAYED}"],
                    letter(mark, **kwargs))
        client.quit()
    send("first")
    wait_until("the failure to be shown", 30,
               lambda: "127.0.0.1" in status(setup).get("people_failure", ""), every=0.3)
    expect(status(setup)["people_waiting"] == 1, "it does not wait")
    setup.stop("process")
    setup.start("process")
    sink = Sink("later", sink)
    wait_until("the 4xx to be shown", 30,
               lambda: "451 4.7.1 come later" in status(setup).get("people_failure", ""), every=0.3)
    sink.how = "take"
    wait_sent_on(setup)
    expect([(s, t) for s, t, _ in sink.mail] ==
           [("anna@remote.example.test", "people@example.com")], f"relayed: {sink.mail}")
    expect(sink.mail[0][2].endswith(b"\r\n.dot\r\n"), f"relayed: {sink.mail[0][2][-60:]}")
    wait_until("no failure in status", 30, lambda: "people_failure" not in status(setup), every=0.3)
    send("null", sender="")
    send("ours", sender=f"news@{smtp.DOMAIN}")
    wait_until("two more", 30, lambda: len(sink.mail) == 3)
    expect([s for s, _, _ in sink.mail[1:]] == ["", ""], f"relayed from {sink.mail[1:]}")
    wait_sent_on(setup)
    sink.how = "refuse"
    send("refused")
    send("loop", lead=f"Delivered-To: abuse@{RELAYED}\r\n")
    kept = os.path.join(setup.spool, "mail", RELAYED)
    wait_until("what was refused, and the loop, to be kept", 30,
               lambda: subjects(kept) == {"refused": 1, "loop": 1})
    sink.close()


def killed(setup):
    box = setup.box.path("postmaster")
    before = set(subjects(box))

    def send():
        client = Client(setup.port)
        for i in range(200):
            client.send("anna@remote.example.test", [f"abuse@{smtp.DOMAIN}"], letter(f"k{i}"))
            time.sleep(0.005)
        client.quit()
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    kills = 0
    end = time.monotonic() + 20
    while (sender.is_alive() or kills < 12) and time.monotonic() < end:
        children = setup.workers()
        kills += bool(children and kill_pid(setup.random.choice(children)))
        for path in glob.glob(os.path.join(box, "new", "*"))[:2]:
            # As a mail reader would.
            shutil.move(path, os.path.join(box, "cur", os.path.basename(path) + ":2,S"))
        time.sleep(setup.random.uniform(0.02, 0.3))
    sender.join(60)
    want = {f"k{i}": 1 for i in range(200)}

    def got():
        return {s: n for s, n in subjects(box).items() if s not in before}
    wait_until("200 letters", 60, lambda: len(got()) >= 200, every=0.3)
    wait_sent_on(setup)
    expect(got() == want, f"twice: {[s for s, n in got().items() if n > 1]}")
    # The database goes back in time: all is read again, nothing is delivered again.
    setup.stop("process")
    for path in glob.glob(os.path.join(box, "*", "*")):
        os.unlink(path)
    setup.pg.sql("truncate bouncemx.message, bouncemx.event, bouncemx.evidence, "
                 "bouncemx.lane_position cascade")
    setup.start("process")
    wait_until("all rows again", 60, lambda: setup.pg.count(
        "select count(*) from bouncemx.message where mail_from = 'anna@remote.example.test'") >= 200)
    wait_sent_on(setup)
    expect(not subjects(box), f"delivered again: {subjects(box)}")
    setup.note(kills=kills)


def hanging(setup, silent):
    """A relay that never answers slows nothing but its own mail."""
    client = Client(setup.port)
    for i in range(3):
        client.send("anna@remote.example.test", [f"abuse@{HANGING}"], letter(f"h{i}"))
    client.quit()
    wait_until("the relay to be asked", 30, lambda: silent.silent > 0)
    ledger = Ledger("beside")
    stream(setup.port, ledger, 100, connections=2)
    setup.wait_drained(ledger, 60)
    expect(status(setup)["people_waiting"] == 3, "they do not wait")
    done = setup.command("drain", "--timeout", "1s", code=1)
    expect("3 messages for people wait" in done.errors, done.errors)


def full(setup):
    """Over people.max_bytes: set aside, and delivered by the retry."""
    setup.stop("process")
    setup.configure(people={"max_bytes": "64KiB"})
    setup.start("receive")
    client = Client(setup.port)
    for i in range(3):
        client.send("anna@remote.example.test", [f"abuse@{HANGING}"],
                    letter(f"f{i}", ("x" * 70 + "\r\n") * 500))
    client.quit()
    setup.start("process")
    wait_until("two to be set aside", 60,
               lambda: len(setup.json_lines("set-aside", "list")) == 2, every=0.3)
    row = setup.json_lines("set-aside", "list")[0]
    expect("people.max_bytes" in row["reason"], str(row))
    setup.configure(people={"max_bytes": "1GiB"})
    before = status(setup)["people_waiting"]
    setup.command("set-aside", "retry", row["id"])
    expect(status(setup)["people_waiting"] == before + 1, "the retry put nothing into the outbox")


def test(setup):
    silent = Sink("silent")
    later = sandbox.free_port()
    setup.configure(domains=[
        {"name": smtp.DOMAIN, "maildir": setup.box.path("postmaster")},
        {"name": PLAIN},
        {"name": REPORTS, "people": "reports"},
        {"name": ROLE, "people": "role"},
        {"name": RELAYED, "relay": f"127.0.0.1:{later}", "relay_to": "people@example.com"},
        {"name": HANGING, "relay": f"127.0.0.1:{silent.port}", "relay_to": "people@example.com"},
    ], people={"retry_min": "100ms", "retry_max": "500ms", "timeout": "20s"})
    setup.database()
    setup.start("receive")
    setup.start("process")
    for part, argument in ((maildir, ()), (kinds, ()), (relay, (later,)), (killed, ()), (hanging, (silent,)),
                           (full, ())):
        began = time.monotonic()
        part(setup, *argument)
        setup.note(**{f"{part.__name__}_took": f"{time.monotonic() - began:.1f} s"})
    setup.stop("receive")
    setup.stop("process")
    silent.close()


if __name__ == "__main__":
    harness.main("people", test)
