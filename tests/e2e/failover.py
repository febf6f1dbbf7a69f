#!/usr/bin/env python3
"""A failover pair: the primary is killed under load, its streaming standby is promoted.

--synchronous: what the primary committed stands on the standby. Else the standby is held back, so
that committed rows are lost: lanes go back, and the journal feeds again what is missing. Either way
no acknowledged message is lost, none counted twice, and feed cursors of before are refused. At the end a dead primary comes back, and is written to by mistake.
--long: several failovers, back and forth; the dead primary is made a standby of the new one. Of the
first the primary does not die but hangs; with --synchronous the standby dies before.
"""
import random
import signal
import time

import feeds
import harness
import postgres
from flow import Flow
from harness import expect, wait_until
from sandbox import kill_pid
from smtp import Ledger


def conninfo(*servers):
    hosts = ",".join(f"{s.directory}/socket" for s in servers)
    ports = ",".join("5432" for _ in servers)
    return (f"host={hosts} port={ports} user=bouncemx dbname=bouncemx connect_timeout=2 "
            "target_session_attrs=read-write")


def follow(primary, standby, synchronous):
    """Until the standby streams; then commits wait for it, if they shall."""
    names = standby.name if synchronous else ""
    primary.set(synchronous_standby_names=names)
    wait_until("the standby to stream", 30, lambda: primary.value(
        "select sync_state from pg_stat_replication where state = 'streaming'")
        == ("sync" if synchronous else "async"))


def messages_of(server):
    return {row[0] for row in server.sql("select id from bouncemx.message")}


def positions_of(server):
    return {(journal, lane): (int(segment), int(offset)) for journal, lane, segment, offset in
            server.sql("select journal, lane, segment, byte_offset from bouncemx.lane_position")}


def replayed(server):
    """Has it no more to replay? What it received may end within a record, so it is asked twice."""
    before = server.value("select pg_last_wal_replay_lsn()")
    time.sleep(0.2)
    return before == server.value("select pg_last_wal_replay_lsn()")


class Lost:
    """What a failover took from PostgreSQL."""

    def __init__(self, primary, standby):
        self.primary, self.standby = primary, standby
        self.seen = self.positions = None

    def before(self):
        self.positions = positions_of(self.primary)
        self.seen = messages_of(self.primary)

    def after(self):
        """Rows that were committed before, and lanes that stand further back now."""
        wait_until("the standby to replay what it has", 30, lambda: replayed(self.standby))
        now = positions_of(self.standby)
        back = [lane for lane, at in self.positions.items() if now.get(lane, (0, 0)) < at]
        return len(self.seen - messages_of(self.standby)), len(back)


def read_standby(setup, flow, pair, standby):
    """The command line reads a standby as any server."""
    flow.wait(20)
    wait_until("rows on the standby", 30, lambda: messages_of(standby))
    setup.configure(database={"conninfo": standby.conninfo})
    setup.command("suppression", "list", "--limit", "1")
    expect(setup.json_lines("events", "--limit", "1"), "no events on the standby")
    setup.configure(database={"conninfo": pair})


def hang(server):
    """Nothing of it answers or closes a connection, as a host that is cut off."""
    for pid in server.pids():
        kill_pid(pid, signal.SIGSTOP)


def standby_dies(setup, flow, ledger, primary, standby):
    """Commits wait for it, longer than a worker waits for an answer; somebody lets them go on."""
    standby.kill()
    flow.wait(100)
    time.sleep(70)
    primary.set(synchronous_standby_names="")
    setup.wait_drained(ledger, 120)
    standby.start()
    follow(primary, standby, True)


def fail_over(setup, flow, primary, standby, synchronous, hung):
    """Kills primary under load, promotes standby; returns how many messages PostgreSQL lost, and
    how long after the promotion the next one was written."""
    cursor = feeds.cursor(primary)
    flow.wait(150)
    lost = Lost(primary, standby)
    if not synchronous:
        sender = int(primary.value("select pid from pg_stat_replication"))
        kill_pid(sender, signal.SIGSTOP)
        flow.wait(150)
        wait_until("rows that the standby has not", 30, lambda: len(
            messages_of(primary) - messages_of(standby)) >= 50, every=0.2)
    lost.before()
    for pid in random.Random(setup.options.seed).sample(setup.served("worker"), 1):
        kill_pid(pid)
    if hung:
        hang(primary)
    else:
        primary.kill()
    rows, lanes = lost.after()
    flow.wait(30)  # mail is taken while there is no server
    standby.promote()
    promoted = time.monotonic()
    setup.pg = standby
    before = standby.count("select count(*) from bouncemx.message")
    wait_until("rows in the new primary", 150 if hung else 30, lambda: standby.count(
        "select count(*) from bouncemx.message") > before, every=0.02)
    seconds = time.monotonic() - promoted
    primary.kill()  # before it wakes up: docs/operations.md
    if synchronous:
        expect(rows == 0, f"{rows} committed messages are not on the synchronous standby")
    else:
        expect(rows >= 50 and lanes > 0, f"{rows} messages lost, {lanes} lanes went back: the test "
               "did not make the standby lag")
    setup.note(feed=feeds.check_refused(standby, cursor))
    return rows, seconds


def wrong_server(setup, flow, primary, dead, synchronous):
    """The dead primary comes back as if nothing had happened, and this host goes to it. A synchronous
    one can commit nothing without its standby; from the other the mail comes once more."""
    setup.stop("serve")
    setup.configure(database={"conninfo": conninfo(dead, primary)})
    dead.start()
    before = len(messages_of(dead))
    setup.start("serve")
    flow.wait(50)
    if synchronous:
        time.sleep(2)
        expect(len(messages_of(dead)) == before, "committed without the standby")
    else:
        wait_until("rows in the wrong server", 30, lambda: len(messages_of(dead)) > before + 30)
    setup.note(written_to_the_wrong_server=len(messages_of(dead)) - before)
    dead.kill()


def test(setup):
    synchronous, rounds = setup.options.synchronous, 10 if setup.options.long else 2
    setup.configure(spool={"segment_bytes": "256KiB"}, database={"batch_events": 50})
    primary = setup.database()
    standby = postgres.Postgres(setup.box, name="pg2", copy_of=primary)
    pair = conninfo(primary, standby)
    setup.configure(database={"conninfo": pair})
    follow(primary, standby, synchronous)
    setup.start("serve")
    ledger = Ledger("fail")
    flow = Flow(ledger, setup.port)
    read_standby(setup, flow, pair, standby)
    if synchronous and setup.options.long:
        standby_dies(setup, flow, ledger, primary, standby)
    lost, after = [], []
    for i in range(rounds):
        hung = i == 0 and setup.options.long
        rows, seconds = fail_over(setup, flow, primary, standby, synchronous, hung)
        lost.append(rows)
        after.append(seconds)
        primary, standby = standby, primary
        if i + 1 < rounds:
            standby.copy(primary)
            standby.start()
            follow(primary, standby, synchronous)
    wrong_server(setup, flow, primary, standby, synchronous)
    flow.wait(100)
    flow.stop()
    setup.wait_drained(ledger, 60)
    setup.stop("serve")
    setup.check_exactly_once(ledger)
    setup.note(failovers=rounds, committed_rows_lost=lost,
               writing_again_after=[f"{s:.2f} s" for s in after], reconnects=flow.reconnects)


def arguments(parser):
    parser.add_argument("--synchronous", action="store_true", help="commits wait for the standby")
    parser.add_argument("--long", action="store_true", help="ten failovers, back and forth")


if __name__ == "__main__":
    harness.main("failover", test, arguments)
