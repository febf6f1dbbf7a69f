#!/usr/bin/env python3
"""fdatasync fails: the messages that waited for it get 451, nothing acknowledged is lost, and the
service goes on in a new segment. The failure comes from a preloaded shim (tests/fault)."""
import glob
import os
import time

import harness
from harness import expect
from smtp import Client, Ledger, Lost, Refused, bounce


def segments(setup):
    return {os.path.relpath(p, setup.spool)
            for p in glob.glob(os.path.join(setup.spool, "lane-*", "*.seg"))}


def attempt(setup, ledger):
    """(code, text) of one message."""
    address = ledger.new_address()
    client = Client(setup.port)
    try:
        ledger.attempt(client, bounce(address), address)
        return 250, ""
    except Refused as e:
        return e.code, e.text
    finally:
        client.close()


def test(setup):
    shim = harness.find_shim("libfsync_shim.so")
    control = setup.box.path("fail-fdatasync")
    env = harness.preload(setup, shim)
    env["BOUNCEMX_FSYNC_CONTROL"] = control
    setup.configure(receiver={"threads": 1}, processor={"workers": 1})
    setup.database()
    setup.start("receive", env=env)
    setup.start("process")
    ledger = Ledger("fsync")
    client = Client(setup.port)
    for _ in range(20):
        expect(ledger.send(client), f"refused: {ledger.refused}")
    client.quit()
    before = segments(setup)
    refused = 0
    for round_number in range(5):
        # The shim fails the next call (its errno in the file) and takes the file away.
        with open(control + ".new", "w", encoding="ascii") as f:
            f.write("EIO" if round_number % 2 == 0 else "ENOSPC")
        os.rename(control + ".new", control)
        code, text = attempt(setup, ledger)
        expect(not os.path.exists(control), "the shim was not asked: is fdatasync what the journal "
               "calls?")
        want = 451 if round_number % 2 == 0 else 452
        expect(code in (451, want), f"answered {code} {text!r} although fdatasync failed")
        refused += 1
        deadline = time.monotonic() + 20
        while True:  # after ENOSPC it may refuse a moment longer
            code, text = attempt(setup, ledger)
            if code == 250:
                break
            expect(time.monotonic() < deadline, f"service does not resume: {text!r}")
            time.sleep(0.1)
        client = Client(setup.port)
        for _ in range(10):
            expect(ledger.send(client), f"refused after the failure: {list(ledger.refused)[-1]}")
        client.quit()
    made = segments(setup) - before
    expect(made, "no new segment after a failed fdatasync")

    # Many at once: those in one group commit all learn of it, and no connection is dropped.
    with open(control + ".new", "w", encoding="ascii") as f:
        f.write("EIO 3")
    os.rename(control + ".new", control)
    clients = [Client(setup.port) for _ in range(20)]
    addresses = [ledger.new_address() for _ in clients]
    codes = []
    messages = [bounce(a) for a in addresses]
    for c in clients:
        c.envelope("", ["news@bounces.example.test"])
    for c, message in zip(clients, messages):
        c.write(harness.smtp.stuffed(message) + b".\r\n")
    for c, message, address in zip(clients, messages, addresses):
        try:
            code, text = c.reply("end")
        except Lost as e:
            raise harness.Failure(f"connection lost after a failed fdatasync: {e}") from None
        codes.append(code)
        if code == 250:
            ledger.note("acked", address, harness.smtp.digest(message))
        else:
            ledger.note("refused", address, text)
        c.close()
    expect(451 in codes, f"answers: {codes}")
    setup.wait_drained(ledger)
    setup.check_exactly_once(ledger)
    setup.stop("receive")
    setup.stop("process")
    setup.note(failures=refused, answers_in_a_crowd=f"{codes.count(250)} × 250, "
               f"{codes.count(451)} × 451", new_segments=len(made))


if __name__ == "__main__":
    harness.main("fsync_fails", test)
