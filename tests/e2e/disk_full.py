#!/usr/bin/env python3
"""No room: spool.max_bytes reached, and a disk that is full (--tmpfs: a small tmpfs, needs root).

New mail gets 452, at MAIL once it is known; nothing acknowledged is lost; service resumes by
itself when there is space again."""
import os
import time

import harness
from harness import expect, wait_until
from sandbox import Failure
from smtp import Client, Ledger, Lost, Refused, bounce


def fill(setup, ledger, most, seconds=60):
    """Sends until refused, then smaller ones until even those are: the refusals."""
    refusals = []
    client = Client(setup.port)
    end = time.monotonic() + seconds
    size = 8000
    for _ in range(most):
        expect(time.monotonic() < end, "the spool never filled up")
        address = ledger.new_address()
        try:
            ledger.attempt(client, bounce(address, size), address)
        except Refused as e:
            refusals.append(e)
            if len(refusals) >= 4 and size < 8000:
                break
            size = 8000 if len(refusals) < 2 else 1000
            client.command("RSET", 2)
        except Lost as e:
            raise Failure(f"a full spool must be answered, not hung up on: {e}") from None
    expect(refusals, f"{most} messages of 8 kB were all accepted")
    client.quit()
    return refusals


def check_refusals(refusals, must_be_at_mail):
    for refusal in refusals:
        expect(refusal.code == 452, f"answered {refusal.text!r}, expected 452")
        expect(refusal.text.startswith("452 4.3.1"), f"{refusal.text!r} lacks 4.3.1")
    if must_be_at_mail:
        expect(refusals[-1].stage == "MAIL", f"still refused at {refusals[-1].stage}, not at MAIL")


def accepts_again(setup, ledger, seconds=30):
    def probe():
        try:
            client = Client(setup.port)
            good = ledger.send(client)
            client.quit()
            return good
        except (Lost, Refused):
            return False
    return wait_until("mail to be accepted again", seconds, probe, every=0.2)


def limit(setup):
    """spool.max_bytes, with the processor stopped and then started."""
    setup.configure(spool={"max_bytes": "3MiB", "segment_bytes": "512KiB", "keep_processed": "1ms"},
                    receiver={"threads": 1}, processor={"workers": 1})
    setup.database()
    setup.start("receive")
    ledger = Ledger("limit")
    refusals = fill(setup, ledger, 2000)
    check_refusals(refusals, must_be_at_mail=True)
    filled = len(ledger.acked)
    used = sum(os.path.getsize(os.path.join(d, f))
               for d, _, files in os.walk(setup.spool) for f in files)
    expect(used <= 4 << 20, f"the spool takes {used} bytes, its limit is 3 MiB")
    # A restart must find it full as well, and lose nothing.
    setup.kill("receive")
    setup.start("receive")
    setup.start("process")
    accepts_again(setup, ledger)
    setup.wait_drained(ledger)
    setup.check_exactly_once(ledger)
    setup.note(accepted_until_the_limit=filled, refused_with=refusals[-1].text,
               refused_at=" ".join(r.stage for r in refusals))


def tmpfs(setup):
    size = 12 << 20
    setup.configure(spool={"max_bytes": 0, "segment_bytes": "1MiB", "keep_processed": "1ms"},
                    receiver={"threads": 2}, processor={"workers": 1})
    setup.spool = setup.box.mount_tmpfs("small", size)
    setup.configure(spool={"directory": setup.spool})
    setup.database()
    setup.start("receive")
    ledger = Ledger("full")
    # Somebody else's file takes a third of the disk, and goes away again.
    stranger = os.path.join(setup.spool, "stranger")
    with open(stranger, "wb") as f:
        f.write(b"x" * (size // 3))
    first = fill(setup, ledger, 3000)
    check_refusals(first, must_be_at_mail=False)
    before = len(ledger.acked)
    os.unlink(stranger)
    accepts_again(setup, ledger)
    second = fill(setup, ledger, 3000)
    check_refusals(second, must_be_at_mail=False)
    expect(len(ledger.acked) > before, "the space that was given back was not used")
    # Killed with a full disk: the start must not need space to say so, or to go on.
    full = len(ledger.acked)
    setup.kill("receive")
    setup.start("process")
    setup.wait_drained(ledger)
    setup.start("receive")
    accepts_again(setup, ledger)
    setup.wait_drained(ledger)
    setup.check_exactly_once(ledger)
    setup.note(accepted_until_full=full, refused_with=first[-1].text,
               refused_at=" ".join(r.stage for r in first + second))


def test(setup):
    (tmpfs if setup.options.tmpfs else limit)(setup)
    setup.stop("receive")
    setup.stop("process")


def arguments(parser):
    parser.add_argument("--tmpfs", action="store_true", help="a real full disk, needs root")


if __name__ == "__main__":
    harness.main("disk_full", test, arguments)
