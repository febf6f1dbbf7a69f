#!/usr/bin/env python3
"""PostgreSQL is lost, and restored from a base backup and archived WAL to a moment in the past, while
mail goes on coming: the journal feeds again what is missing, exactly once.

--long: 10,000 messages more before and after the moment."""
import os
import shutil
import time

import feeds
import harness
from flow import Flow
from harness import expect, wait_until
from smtp import Ledger


def archive_of(setup):
    """A folder that the server's user can write, for its WAL."""
    path = setup.box.path("archive")
    os.mkdir(path)
    owner = os.stat(os.path.join(setup.pg.directory, "data"))
    os.chown(path, owner.st_uid, owner.st_gid)
    # As docs/operations.md has it.
    setup.pg.set(archive_command=f"test ! -f {path}/%f && cp %p {path}/.%f && mv {path}/.%f {path}/%f",
                 archive_timeout="2s")
    return path


def archived(pg):
    """Until all that is written by now lies in the archive."""
    name = pg.value("select pg_walfile_name(pg_switch_wal())")
    wait_until(f"{name} to be archived", 30, lambda: pg.count(
        f"select count(*) from pg_stat_archiver where last_archived_wal >= '{name}'") == 1)


def counts(pg):
    return (pg.count("select count(*) from bouncemx.message"),
            pg.count("select count(*) from bouncemx.suppression"))


def test(setup):
    more = 10000 if setup.options.long else 300
    setup.configure(spool={"segment_bytes": "256KiB"}, database={"batch_events": 50})
    pg = setup.database(options=("archive_mode=on",))
    archive = archive_of(setup)
    setup.start("serve")
    ledger = Ledger("restore")
    flow = Flow(ledger, setup.port, pause=0 if setup.options.long else 0.01)
    flow.wait(200)
    base = os.path.join(archive, "base")
    pg.backup(base)
    flow.wait(more, 300)
    then = counts(pg)
    moment = pg.value("select clock_timestamp()")
    # The mistake that makes somebody restore.
    pg.sql("delete from bouncemx.suppression")
    flow.wait(more, 300)
    wait_until("rows of after the moment", 60,
               lambda: counts(pg)[0] >= then[0] + more // 2, every=0.2)
    archived(pg)
    flow.wait(50)
    cursor = feeds.cursor(pg)
    before = counts(pg)
    pg.kill()
    flow.wait(50)  # mail is taken
    began = time.monotonic()
    pg.restore(base, (f"restore_command=cp {archive}/%f %p", f"recovery_target_time={moment}",
                      "recovery_target_action=pause"))
    pg.start()
    wait_until("the recovery to reach the moment", 60, lambda: pg.value(
        "select pg_get_wal_replay_pause_state()") == "paused")
    # Nobody can write yet: time to look whether it is the right moment.
    at = counts(pg)
    expect(then[0] <= at[0] < before[0] and at[1] >= then[1],
           f"{at} at the moment; {then} stood shortly before it, {before} when it was lost")
    pg.sql("select pg_wal_replay_resume()")
    wait_until("the end of the recovery", 60,
               lambda: pg.value("select pg_is_in_recovery()") == "f")
    restored = time.monotonic() - began
    timeline = pg.value("select left(pg_walfile_name(pg_current_wal_lsn()), 8)")
    expect(timeline != "00000001", "no new timeline")
    flow.wait(50)
    flow.stop()
    setup.wait_drained(ledger, 120)
    fed = time.monotonic() - began - restored
    feed = feeds.check_refused(pg, cursor)
    setup.stop("serve")
    setup.check_exactly_once(ledger)
    held = pg.count("select count(*) from bouncemx.suppression")
    expect(held >= len(ledger.acked), f"{held} suppressions for {len(ledger.acked)} hard bounces: "
           "the mistake was restored too")
    setup.note(messages_at_the_moment=at[0], messages_when_it_was_lost=before[0],
               restored_in=f"{restored:.1f} s", fed_again_in=f"{fed:.1f} s", feed=feed)
    shutil.rmtree(base)


def arguments(parser):
    parser.add_argument("--long", action="store_true", help="10,000 messages before and after")


if __name__ == "__main__":
    harness.main("restore", test, arguments)
