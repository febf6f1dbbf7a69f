#!/usr/bin/env python3
"""PostgreSQL away: 5,000 messages are accepted, all answered 250; after its start all rows stand.

The processor waits for it with bounded memory, and comes back by itself."""
import time

import harness
from harness import expect, wait_until
from sandbox import proc_descendants, proc_memory
from smtp import Ledger, stream

MESSAGES = 5000
SIZE = 16000
GROWTH = 40 << 20  # of any process of the processor, over what it had before: half the journal


def test(setup):
    setup.database()
    receive = setup.start("receive")
    # ASan keeps what was freed for a while; that is not the program's.
    process = setup.start("process", env={"ASAN_OPTIONS": "quarantine_size_mb=4"})
    ledger = Ledger("away")
    stream(setup.port, ledger, 50)
    setup.wait_drained(ledger)

    def family():
        return [process.pid] + proc_descendants(process.pid)

    before = max(proc_memory(pid) for pid in family())
    setup.pg.stop()
    started = time.monotonic()
    stream(setup.port, ledger, MESSAGES, size=SIZE)
    accepted = time.monotonic() - started
    expect(not ledger.refused, f"refused while PostgreSQL was away: {list(ledger.refused.items())[:2]}")
    expect(len(ledger.acked) == MESSAGES + 50, f"{len(ledger.acked)} answered 250")
    time.sleep(2)  # some rounds of its back-off
    expect(process.running(), f"the processor ended:\n{process.log()[-2000:]}")
    expect(receive.running(), "the receiver ended")
    waiting = max(proc_memory(pid) for pid in family())
    tries = process.log().count("\n")

    setup.pg.start()
    started = time.monotonic()
    peak = waiting

    def drained():
        nonlocal peak
        peak = max([peak] + [proc_memory(pid) for pid in family()])
        return setup.pg.count("select count(*) from bouncemx.message") >= MESSAGES + 50
    wait_until("the journal to drain", 120, drained, every=0.2)
    drained_in = time.monotonic() - started
    setup.check_exactly_once(ledger)
    expect(peak - before <= GROWTH, f"the processor grew from {before} to {peak} bytes")
    expect(tries < 400, f"{tries} log lines while PostgreSQL was away: it does not back off")
    setup.stop("receive")
    setup.stop("process")
    setup.note(accepted_while_away=MESSAGES, accept_rate=f"{MESSAGES / accepted:.0f}/s",
               drain_rate=f"{MESSAGES / drained_in:.0f}/s (with the reconnect)",
               processor_rss=f"{before >> 20} MiB before, {waiting >> 20} waiting, {peak >> 20} peak")


if __name__ == "__main__":
    harness.main("postgres_away", test)
