#!/usr/bin/env python3
"""Exactly once, whatever is killed when.

Streams 2,000 messages over 8 connections while receiver, processor (worker and parent) and
PostgreSQL are killed with SIGKILL at random moments (at least 30 kills; --long: at least 300).
Then every message answered 250 must have its rows exactly once, with the bytes that were sent; one
without an answer at most once; and nothing may have been set aside, since all mail is good.
"""
import threading
import time

import harness
from harness import expect, wait_until
from sandbox import TIME_SCALE, kill_pid
from smtp import Client, Ledger, Lost, Refused

CONNECTIONS = 8


class Stream:
    """Clients that send while there is allowance, and come back when the connection dies."""

    def __init__(self, setup, ledger, goal):
        self.setup, self.ledger, self.goal = setup, ledger, goal
        self.allowance = threading.Semaphore(0)
        self.stopping = False
        self.reconnects = 0
        self.threads = [threading.Thread(target=self.client, args=(i,), daemon=True)
                        for i in range(CONNECTIONS)]
        for thread in self.threads:
            thread.start()

    def client(self, number):
        connection = None
        while not self.stopping:
            if not self.allowance.acquire(timeout=0.2):
                continue
            while not self.stopping:
                try:
                    if connection is None:
                        connection = Client(self.setup.port, pipelining=number % 2 == 0)
                    if self.ledger.send(connection, 1000 + 700 * number):
                        break
                    connection.command("RSET", 2)
                    time.sleep(0.02)
                except (Lost, Refused):
                    if connection:
                        connection.close()
                    connection = None
                    self.reconnects += 1
                    time.sleep(0.02)
        if connection:
            connection.close()

    def allow(self, count):
        if count > 0:
            self.allowance.release(count)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(30 * TIME_SCALE)
            expect(not thread.is_alive(), "a client hangs")


class Killer:
    def __init__(self, setup):
        self.setup = setup
        self.kills = {"receiver": 0, "worker": 0, "processor": 0, "postgres": 0}
        self.rows_before_kill = []

    def receiver(self):
        self.setup.kill("receive")
        self.setup.start("receive", wait=False)

    def processor(self):
        # Only the parent: its workers must notice, and not write beside those of the next one.
        self.setup.kill("process")
        self.setup.start("process")

    def worker(self):
        workers = self.setup.workers()
        if not workers or not kill_pid(self.setup.random.choice(workers)):
            return False
        return True

    def postgres(self):
        self.setup.pg.kill()
        time.sleep(self.setup.random.uniform(0, 0.5))
        self.setup.pg.start(wait=False)

    def kill(self):
        names = self.setup.random.choices(list(self.kills), weights=[3, 4, 2, 2])
        if getattr(self, names[0])() is not False:
            self.kills[names[0]] += 1

    def total(self):
        return sum(self.kills.values())


def test(setup):
    messages, kills = (20000, 300) if setup.options.long else (2000, 32)
    setup.configure(spool={"segment_bytes": "256KiB"}, database={"batch_events": 50})
    setup.database()
    setup.start("receive")
    setup.start("process")
    ledger = Ledger("once")
    stream = Stream(setup, ledger, messages)
    killer = Killer(setup)
    allowed = 0
    end = time.monotonic() + (1500 if setup.options.long else 150) * TIME_SCALE
    while killer.total() < kills:
        expect(time.monotonic() < end, f"only {killer.total()} kills in time")
        # Let some through, and strike while they are on their way.
        share = min(messages - allowed, setup.random.randint(1, messages * 3 // (2 * kills)))
        stream.allow(share)
        allowed += share
        time.sleep(setup.random.uniform(0.02, 0.6) * min(TIME_SCALE, 2))
        for role in ("receive", "process"):
            if not setup.roles[role].running():
                # Only we kill; a role that ended otherwise is a finding.
                raise harness.Failure(f"{role} ended by itself with "
                                      f"{setup.roles[role].popen.returncode}:\n"
                                      f"{setup.roles[role].log()[-3000:]}")
        killer.kill()
    stream.allow(messages - allowed)
    wait_until(f"{messages} messages to be answered 250", 60,
               lambda: len(ledger.acked) >= messages, every=0.1)
    stream.stop()
    setup.pg.wait_ready()
    drain_started = time.monotonic()
    setup.wait_drained(ledger, 90)
    setup.note(seed=setup.options.seed, **{f"kills_of_{k}": n for k, n in killer.kills.items()},
               kills=killer.total(), reconnects=stream.reconnects,
               refused_4xx=len(ledger.refused),
               drained_after=f"{time.monotonic() - drain_started:.1f} s")
    setup.stop("receive")
    setup.stop("process")
    setup.check_exactly_once(ledger)
    suppressed = setup.pg.count("select count(*) from bouncemx.suppression")
    expect(suppressed >= len(ledger.acked), f"{suppressed} suppressions for {len(ledger.acked)} "
           "hard bounces of as many addresses")


def arguments(parser):
    parser.add_argument("--long", action="store_true", help="20,000 messages, at least 300 kills")


if __name__ == "__main__":
    harness.main("exactly_once", test, arguments)
