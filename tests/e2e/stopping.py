#!/usr/bin/env python3
"""SIGTERM: idle clients hear 421, a message in DATA may finish within stop_grace; a second signal, or
the end of the grace, leaves at once. What was answered 250 is there in each case."""
import time

import harness
from harness import expect, wait_until
from smtp import DOMAIN, Client, Ledger, Lost, bounce, digest, stuffed


def in_data(setup):
    client = Client(setup.port)
    client.envelope("", [f"news@{DOMAIN}"])
    client.write(b"Subject: half\r\n\r\n")
    return client


def ended(client):
    try:
        client.reply("end")
        return False
    except Lost:
        return True


def finishes(setup, ledger):
    """The message in DATA ends with 250, and its client then hears 421."""
    idle = Client(setup.port)
    address = ledger.new_address()
    busy = Client(setup.port)
    busy.envelope("", [f"news@{DOMAIN}"])
    message = bounce(address)
    busy.write(stuffed(message)[:1000])
    setup.roles["receive"].kill(harness.signal.SIGTERM)
    code, text = idle.reply("idle")
    expect(code == 421 and "4.3.2" in text, f"an idle client hears {text!r}")
    busy.write(stuffed(message)[1000:] + b".\r\n")
    code, text = busy.reply("end")
    expect(code == 250, f"a message in DATA is answered {text!r}")
    ledger.note("acked", address, digest(message))
    code, text = busy.reply("behind it")
    expect(code == 421, f"and then {text!r}")
    expect(setup.roles["receive"].wait(30) == 0, "its end")


def second_signal(setup):
    """With a grace of minutes the second signal is what ends it."""
    setup.start("receive")
    client = in_data(setup)
    setup.roles["receive"].kill(harness.signal.SIGTERM)
    wait_until("the stop", 30, lambda: "receiver stopping" in setup.roles["receive"].log())
    time.sleep(0.8)  # sooner, a second signal is taken for the same wish
    expect(setup.roles["receive"].running(), "it did not wait for the message")
    setup.roles["receive"].kill(harness.signal.SIGTERM)
    expect(setup.roles["receive"].wait(30) == 0, "its end")
    expect("stop_at_once" in setup.roles["receive"].log(), "it does not say so")
    expect(ended(client), "its client was not left")


def grace(setup):
    setup.configure(receiver={"stop_grace": "300ms"})
    setup.start("receive")
    client = in_data(setup)
    expect(setup.roles["receive"].stop(30) == 0, "its end")
    expect("stop_at_once" not in setup.roles["receive"].log(), "nobody asked for it")
    expect(ended(client), "its client was not left")


def by_serve(setup, ledger):
    """The same through the supervisor."""
    setup.configure(receiver={"stop_grace": "10m"})
    setup.start("serve")
    client = in_data(setup)
    setup.roles["serve"].kill(harness.signal.SIGTERM)
    wait_until("the stop", 30, lambda: "receiver stopping" in setup.roles["serve"].log())
    time.sleep(0.8)
    expect(setup.roles["serve"].running(), "it did not wait for the message")
    setup.roles["serve"].kill(harness.signal.SIGTERM)
    expect(setup.roles["serve"].wait(30) == 0, "its end")
    expect(ended(client), "its client was not left")
    left = [pid for pid in setup.box.own_processes() if pid not in setup.pg.pids()]
    expect(not left, f"{len(left)} processes are left")
    setup.start("serve")
    setup.wait_drained(ledger)
    setup.stop("serve")


def test(setup):
    setup.configure(receiver={"stop_grace": "10m"})
    setup.database()
    setup.start("receive")
    ledger = Ledger("stop")
    finishes(setup, ledger)
    second_signal(setup)
    grace(setup)
    by_serve(setup, ledger)


if __name__ == "__main__":
    harness.main("stopping", test)
