#!/usr/bin/env python3
"""A poisoned message: one that aborts whoever reads it, and one that hangs.

The receiver never notices; each is set aside after two tries; the ones behind it are processed;
`set-aside list|show|retry|drop` work on them. Then workers are killed at random while good mail
flows: nothing of it is set aside."""
import threading
import time

import harness
from harness import expect, wait_until
from sandbox import kill_pid
from smtp import Client, Ledger, bounce, stream


def poisoned(how):
    def make(address, size):
        return f"X-First: 1\r\nX-Poison: {how}\r\n".encode() + bounce(address, size)
    return make


def set_aside(setup):
    return setup.json_lines("set-aside", "list")


def poison(setup, ledger, env, log):
    receiver = setup.roles["receive"].pid
    bad = Ledger("poison")
    client = Client(setup.port)
    for how in ("abort", "hang", "abort"):
        for _ in range(15):
            expect(ledger.send(client), "refused")
        expect(bad.send(client, make=poisoned(how)), "refused")
        for _ in range(15):
            expect(ledger.send(client), "refused")
    client.quit()
    setup.start("process", env=env)
    wait_until("three messages to be set aside", 60, lambda: len(set_aside(setup)) == 3, every=0.3)
    setup.wait_drained(ledger, 60)
    # It goes on: what comes now is processed as ever.
    stream(setup.port, ledger, 40, connections=2)
    setup.wait_drained(ledger, 30)
    expect(setup.roles["receive"].running() and setup.roles["receive"].pid == receiver,
           "the receiver ended")
    expect(setup.roles["process"].running(), "the processor's parent ended")
    setup.check_exactly_once(ledger, set_aside=3)
    with open(log, encoding="ascii") as f:
        tries = f.read().split()
    # The first death may have been in company, which does not count; then two alone.
    for how, messages in (("abort", 2), ("hang", 1)):
        n = tries.count(how)
        expect(2 * messages <= n <= 3 * messages, f"{n} readings of {messages} message(s) that {how}")
    setup.note(readings_until_set_aside=f"{tries.count('abort')} for two that abort, "
               f"{tries.count('hang')} for one that hangs")
    return bad


def commands(setup, bad):
    rows = set_aside(setup)
    ids = [row["id"] for row in rows]
    text = setup.command("set-aside", "list").out
    for ident in ids:
        expect(ident in text, f"`set-aside list` does not show {ident}:\n{text}")
    shown = {}
    for ident in ids:
        out = setup.command("set-aside", "show", ident).out
        address = [a for a in bad.acked if a in out]
        expect(len(address) == 1, f"`set-aside show` does not print the mail of {ident}:\n{out[:500]}")
        shown[ident] = address[0]
    expect(sorted(shown.values()) == sorted(bad.acked), f"shown: {shown}")
    # The command does not have the shim: the message is harmless now, as after an upgrade.
    setup.command("set-aside", "retry", ids[0])
    expect(setup.addresses().get(shown[ids[0]]) == 1, "`set-aside retry` made no rows")
    expect([r["id"] for r in set_aside(setup)] == [i for i in ids if i != ids[0]],
           "after a retry it still stands aside")
    setup.command("set-aside", "drop", ids[1])
    expect(len(set_aside(setup)) == 1, "`set-aside drop` dropped nothing")
    expect(shown[ids[1]] not in setup.addresses(), "a dropped message has rows")
    for sub in ("show", "retry", "drop"):
        done = setup.command("set-aside", sub, ids[1], code=1)
        expect(done.errors.strip(), f"`set-aside {sub}` of what is gone says nothing")
        done = setup.command("set-aside", sub, "no-such-id", code=None)
        expect(done.returncode in (1, 2) and done.errors.strip(),
               f"`set-aside {sub} no-such-id`: exit {done.returncode}, {done.errors!r}")
    setup.command("set-aside", "drop", ids[2])
    expect(not set_aside(setup), "the list is not empty")
    return shown[ids[0]]


def random_kills(setup, ledger):
    before = len(ledger.acked)
    sender = threading.Thread(target=stream, args=(setup.port, ledger, 600),
                              kwargs={"connections": 4}, daemon=True)
    sender.start()
    kills = 0
    end = time.monotonic() + 60
    while kills < 20 and time.monotonic() < end:
        workers = setup.workers()
        if workers and kill_pid(setup.random.choice(workers)):
            kills += 1
        time.sleep(setup.random.uniform(0.01, 0.25))
    sender.join(60)
    expect(kills == 20, f"only {kills} kills")
    expect(len(ledger.acked) == before + 600, "not all were answered 250")
    setup.wait_drained(ledger, 60)
    setup.note(random_kills_of_workers=kills)


def test(setup):
    log = setup.box.path("poison.log")
    env = harness.preload(setup, harness.find_shim("libpoison_shim.so"))
    env["BOUNCEMX_POISON_LOG"] = log
    setup.configure(processor={"watchdog": "1500ms", "workers": 1}, receiver={"threads": 1})
    setup.database()
    setup.start("receive")
    ledger = Ledger("good")
    bad = poison(setup, ledger, env, log)
    retried = commands(setup, bad)
    with ledger.lock:
        ledger.acked[retried] = bad.acked[retried]
    random_kills(setup, ledger)
    setup.check_exactly_once(ledger)
    setup.stop("receive")
    setup.stop("process")


if __name__ == "__main__":
    harness.main("poison", test)
