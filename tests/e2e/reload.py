#!/usr/bin/env python3
"""SIGHUP under load: a new domain, new limits, new rules and another log level take effect without a
connection being dropped; a bad file changes nothing, and the log says why."""
import re
import signal
import threading
import time

import harness
from harness import Failure, expect, wait_until
from smtp import DOMAIN, Client, Ledger, Lost, Refused, bounce, signed

OTHER = "added.example.test"
RULE = """rule own-purple
  category {category}
  pattern purple elephants on the line
  source a test
  example 550 5.1.1 purple elephants on the line
"""


class Load:
    """Clients that send all the time, each message over a connection that stays; none may break."""

    def __init__(self, setup, ledger, clients=3):
        self.end = threading.Event()
        self.errors = []
        self.threads = [threading.Thread(target=self.one, args=(setup.port, ledger), daemon=True)
                        for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def one(self, port, ledger):
        try:
            client = Client(port)
            while not self.end.is_set():
                if not ledger.send(client):
                    raise Failure("a message was refused")
                time.sleep(0.02)
            client.quit()
        except (Lost, Refused, Failure, OSError) as e:
            self.errors.append(e)

    def stop(self):
        self.end.set()
        for thread in self.threads:
            thread.join(60)
            expect(not thread.is_alive(), "a client hangs")
        expect(not self.errors, f"a reload broke a connection: {self.errors[:1]}")


def log(setup):
    return setup.roles["serve"].log()


def hup(setup, *words):
    """SIGHUP to serve, and waits until each of these stands in the log behind it."""
    before = len(log(setup))
    setup.roles["serve"].kill(signal.SIGHUP)
    for word in words:
        wait_until(f"{word!r} in the log", 40, lambda w=word: re.search(w, log(setup)[before:]))
    return log(setup)[before:]


DONE = ("info receiver reloaded", "info processor reloaded")


def rcpt(setup, address):
    client = Client(setup.port)
    client.command("MAIL FROM:<>", 2)
    code = client.command(f"RCPT TO:<{address}>")[0]
    client.quit()
    return code


def domains(setup, names):
    return [{"name": name, "accept": "any", "tenant": "main", "stream": "default",
             "trust_unverified": True} for name in names]


def new_domain(setup):
    """Before 550, behind 250; a transaction that was open ends by what it began with."""
    expect(rcpt(setup, f"a@{OTHER}") == 550, "a domain that is not ours is taken")
    old = Client(setup.port)
    old.command("MAIL FROM:<>", 2)
    old.command(f"RCPT TO:<news@{DOMAIN}>", 2)
    setup.configure(domains=domains(setup, [OTHER]), hostname="mx2.example.test",
                    limits={"message_bytes": "64KiB", "recipients": 2})
    hup(setup, *DONE)
    expect(rcpt(setup, f"a@{OTHER}") == 250, "the new domain is not taken behind a reload")
    expect(rcpt(setup, f"a@{DOMAIN}") == 550, "the domain that was taken out is still taken")
    new = Client(setup.port)
    expect("mx2.example.test" in new.banner[1], f"greeting {new.banner}")
    expect("SIZE 65536" in new.features[1], f"EHLO says {new.features}")
    new.command("MAIL FROM:<>", 2)
    for n, code in ((1, 250), (2, 250), (3, 452)):
        expect(new.command(f"RCPT TO:<a{n}@{OTHER}>")[0] == code, "limits.recipients is not the new one")
    new.close()
    old.command("DATA", 3)
    old.write(b"Subject: of before\r\n\r\ntext\r\n.\r\n")
    old.reply("end", 2)
    old.quit()
    setup.configure(domains=domains(setup, [DOMAIN, OTHER]), limits={"message_bytes": None, "recipients": None})
    hup(setup, *DONE)


def bad_configuration(setup):
    """Kept, and told with file, line and what was expected."""
    with open(setup.config_path, encoding="utf-8") as f:
        good = f.read()
    for text, mistake in (
            (good + "limits:\n  recipients: many\n", r"bouncemx\.yaml:\d+:15: limits\.recipients: .*whole number"),
            (good.replace("hostname:", "hostnames:"), r"bouncemx\.yaml:\d+:1: hostnames: unknown key; did you mean hostname"),
            (good + "  - [\n", r"bouncemx\.yaml:\d+:\d+: not YAML")):
        setup.box.write("bouncemx.yaml", text)
        said = hup(setup, "error receiver reload_failed", "error processor reload_failed")
        expect(re.search(mistake, said), f"the mistake is not told:\n{said}")
        expect(rcpt(setup, f"a@{OTHER}") == 250, "a bad configuration took a domain away")
    setup.box.write("bouncemx.yaml", good)


def fixed_keys(setup):
    """What can't change is told by its name, the rest is taken."""
    setup.configure(node="mx9", receiver={"threads": 3}, processor={"workers": 3},
                    listen=[{"address": "127.0.0.1", "port": setup.port + 1}],
                    spool={"segment_bytes": "8MiB"}, hostname="mx3.example.test")
    said = hup(setup, *DONE)
    for key in ("node", "receiver.threads", "processor.workers", "listen", "spool.segment_bytes"):
        expect(re.search(rf"restart_needed key={re.escape(key)} ", said), f"{key} is not named:\n{said}")
    expect("restart_needed key=hostname" not in said and "restart_needed key=limits" not in said,
           f"too much is named:\n{said}")
    client = Client(setup.port)
    expect("mx3.example.test" in client.banner[1], f"greeting {client.banner}")
    client.quit()
    setup.configure(node="mx1", receiver={"threads": 2}, processor={"workers": 2},
                    listen=[{"address": "127.0.0.1", "port": setup.port}], spool={"segment_bytes": "4MiB"})
    expect("restart_needed" not in hup(setup, *DONE), "what is as it was is named")


def keys(setup):
    """Keys of return paths come and go; a bad one leaves those that there were."""
    address = signed("ann@remote.example")
    setup.configure(domains=[{"name": DOMAIN, "accept": "signed", "tenant": "main", "stream": "default"}])
    hup(setup, *DONE)
    expect(rcpt(setup, address) == 250, "what key a signed is refused")
    expect(rcpt(setup, f"a@{DOMAIN}") == 550, "an address that nobody signed is taken")
    path = setup.box.write("token-b.key", "short\n", 0o600)
    setup.configure(tokens={"keys": [{"id": "b", "file": path}]})
    said = hup(setup, "error receiver reload_failed", "error processor reload_failed")
    expect(re.search(r"bouncemx\.yaml:\d+:\d+: tokens\.keys\[\]\.file: .*token-b\.key: expected", said),
           f"the mistake is not told:\n{said}")
    expect(rcpt(setup, address) == 250, "a bad key took the old one away")
    old = Client(setup.port)
    setup.box.write("token-b.key", "5a" * 32 + "\n", 0o600)
    hup(setup, *DONE)
    expect(rcpt(setup, address) == 550, "what a key signed that was taken out is taken")
    old.command("MAIL FROM:<>", 2)
    old.command(f"RCPT TO:<{address}>", 2)
    old.close()
    setup.configure(tokens={"keys": [{"id": "a", "file": "token-a.key"}]}, domains=domains(setup, [DOMAIN, OTHER]))
    hup(setup, *DONE)


def category(setup, ledger):
    """What the rules make of a new message now."""
    address = ledger.new_address()
    client = Client(setup.port)
    ledger.attempt(client, bounce(address, words="550 5.1.1 <{0}>: purple elephants on the line"),
                   address)
    client.quit()
    rows = wait_until("its event", 30, lambda: setup.pg.sql(
        f"select category from bouncemx.event where final_recipient = '{address}'"))
    return rows[0][0]


def rules(setup, ledger):
    path = setup.box.write("own.rules", RULE.format(category="mailbox_full"))
    setup.configure(processor={"rules": [path]})
    hup(setup, *DONE)
    got = category(setup, ledger)
    expect(got == "mailbox_full", f"with the new rules file: {got}")
    setup.box.write("own.rules", RULE.format(category="spam_content"))
    hup(setup, *DONE)
    got = category(setup, ledger)
    expect(got == "spam_content", f"with the changed rule: {got}")
    setup.box.write("own.rules", RULE.format(category="purple"))
    said = hup(setup, "error processor reload_failed")
    expect(re.search(r"own\.rules:2: ", said), f"file and line are not told:\n{said}")
    got = category(setup, ledger)
    expect(got == "spam_content", f"with a broken rules file: {got}")
    setup.box.write("own.rules", RULE.format(category="mailbox_full"))
    hup(setup, *DONE)
    got = category(setup, ledger)
    expect(got == "mailbox_full", f"with the repaired rules file: {got}")


def log_level(setup):
    """error silences all roles; info lets them be heard again."""
    setup.configure(log={"level": "error"})
    count = reloads(setup)
    setup.roles["serve"].kill(signal.SIGHUP)
    wait_until("the reload", 40, lambda: reloads(setup) > count)
    before = len(log(setup))
    count = reloads(setup)
    setup.roles["serve"].kill(signal.SIGHUP)
    wait_until("the next reload", 40, lambda: reloads(setup) > count)
    said = log(setup)[before:]
    expect("receiver reloaded" not in said, f"level error, and the receiver says\n{said}")
    setup.configure(log={"level": "info"})
    hup(setup, *DONE)


def reloads(setup):
    return sum(line.get("reloads", 0) for line in setup.json_lines("status"))


def storm(setup):
    """Many signals at once are no harm."""
    for _ in range(20):
        setup.roles["serve"].kill(signal.SIGHUP)
        time.sleep(0.02)
    hup(setup, *DONE)


def test(setup):
    setup.configure(receiver={"threads": 2}, processor={"workers": 2})
    setup.database()
    setup.start("serve")
    ledger = Ledger("reload")
    load = Load(setup, ledger)
    for part in (new_domain, bad_configuration, fixed_keys, keys, log_level, storm):
        try:
            part(setup)
            expect(not load.errors, f"a connection of the load broke: {load.errors[:1]}")
        except Failure as e:
            raise Failure(f"{part.__name__}: {e}") from None
    rules(setup, ledger)
    load.stop()
    setup.wait_drained(ledger)
    counted = reloads(setup)
    expect(counted >= 8, f"`status` counts {counted} reloads")
    setup.stop("serve")
    setup.note(messages=len(ledger.acked), reloads=counted)


if __name__ == "__main__":
    harness.main("reload", test)
