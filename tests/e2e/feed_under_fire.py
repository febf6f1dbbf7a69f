#!/usr/bin/env python3
"""The feed under fire: four writers commit in random order, with delays and rollbacks, while three
readers follow through the program and are killed and resumed, and the keeper is killed or stopped and
another takes over. Each reader sees every change exactly in order, none missing, none twice. --seconds 60 for long."""
import shutil
import signal
import time

import harness
from feed_readers import CHANGES, Reader, start_keeper, wait_numbered
from harness import expect, wait_until

WRITERS = 4
READERS = 3
ADDRESSES = 300

# Keys are locked in one order, so that writers wait for each other but never lock up.
WRITE = """
do $w$
declare
    until timestamptz := clock_timestamp() + interval '{seconds} s';
    keys text[];
begin
    while clock_timestamp() < until loop
        select array_agg(format('a%s@x.test', (random() * {addresses})::int)) into keys
          from generate_series(1, 1 + (random() * 5)::int);
        perform put_rows(keys, '{writer} ' || clock_timestamp());
        perform pg_sleep(random() * random() * 0.05);
        if random() < 0.4 then
            delete from bouncemx.suppression where address_key = any (keys);
        end if;
        if random() < 0.1 then rollback; else commit; end if;
    end loop;
end $w$;
"""


def writer(setup, name):
    text = WRITE.format(writer=name, seconds=setup.options.seconds, addresses=ADDRESSES)
    return setup.box.start(name, ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d",
                                  setup.pg.admin(), "-c", text])


def keeper_is_there(setup):
    return setup.pg.value("select is_there from bouncemx.maintenance_shown() where task = 'keeper'") == "t"


def disturb(setup, readers, keepers):
    """Kills readers and keepers until the writers are done; returns how often a keeper was."""
    end = time.monotonic() + setup.options.seconds
    next_kill = time.monotonic() + 2
    taken = 0
    while time.monotonic() < end:
        time.sleep(0.2 + setup.random.random() * 0.4)
        reader = setup.random.choice(readers)
        reader.check_alive()
        reader.cut(setup.random.choice([signal.SIGKILL, signal.SIGTERM]))
        if time.monotonic() > next_kill and keeper_is_there(setup):
            name = setup.pg.value("select node from bouncemx.maintenance where task = 'keeper'")
            # One that hangs is as bad as one that is dead.
            keepers[name].kill(signal.SIGSTOP if taken % 2 else signal.SIGKILL)
            wait_until("another keeper to take over", 10,
                       lambda n=name: keeper_is_there(setup) and setup.pg.value(
                           "select node from bouncemx.maintenance where task = 'keeper'") != n)
            if taken % 2:
                keepers[name].kill(signal.SIGCONT)
            else:
                keepers[name].wait(10)
                keepers[name] = start_keeper(setup, name, setup.box.path(f"{name}.yaml"))
            taken += 1
            next_kill = time.monotonic() + 2
    return taken


def check(setup, readers):
    changes = setup.pg.count("select count(*) from bouncemx.suppression_change")
    wanted = list(range(1, changes + 1))
    for reader in readers:
        got = reader.numbers()
        expect(got == wanted, f"{reader.name}: {len(got)} entries of {changes}, "
               f"{len(set(wanted) - set(got))} missing, {len(got) - len(set(got))} twice, "
               f"in order: {got == sorted(got)}")
    out_of_order = setup.pg.count(
        "select count(*) from (select f.change_id < lag(f.change_id) over (partition by c.address_hash, "
        "c.tenant, c.scope, c.stream order by f.number) as wrong from bouncemx.feed f "
        "join bouncemx.suppression_change c on c.id = f.change_id) x where wrong")
    expect(out_of_order == 0, f"{out_of_order} changes stand before an earlier one of their row")
    late = setup.pg.count("select count(*) from (select f.change_id < max(f.change_id) over (order by "
                          "f.number) as late from bouncemx.feed f) x where late")
    expect(late > 0, "no change committed behind one with a higher id: the test tests nothing")
    rows = [tuple(r) for r in setup.pg.sql("select address, reason from bouncemx.suppression")]
    for reader in readers:
        expect(reader.rows() == sorted(rows), f"{reader.name} has another list than the database")
    return changes, late


def latencies(setup, readers):
    committed = {int(n): float(t) for n, t in setup.pg.sql(
        "select f.number, extract(epoch from pg_xact_commit_timestamp((c.xid::text::bigint % 4294967296)"
        "::text::xid)) from bouncemx.feed f join bouncemx.suppression_change c on c.id = f.change_id")}
    waits = sorted(when - committed[int(entry["cursor"].split(".")[1])]
                   for reader in readers for entry, when in reader.lines)
    return [waits[int(len(waits) * part)] * 1000 for part in (0.5, 0.95, 0.99)] + [waits[-1] * 1000]


def arguments(parser):
    parser.add_argument("--seconds", type=int, default=12)


def test(setup):
    setup.database(options=("track_commit_timestamp=on",))
    setup.pg.sql(CHANGES)
    keepers = {}
    for node in ("mx1", "mx2"):
        setup.configure(node=node, keeper={"feed": "20ms", "batch": 20, "silence": "500ms"})
        shutil.copy(setup.config_path, setup.box.path(f"{node}.yaml"))
        keepers[node] = start_keeper(setup, node, setup.box.path(f"{node}.yaml"))
        wait_until("a keeper", 10, lambda: keeper_is_there(setup))
    readers = [Reader(setup, f"reader{i}", "1.0") for i in range(READERS)]
    writers = [writer(setup, f"writer{i}") for i in range(WRITERS)]
    for reader in readers:
        reader.start()
    taken = disturb(setup, readers, keepers)
    for process in writers:
        expect(process.wait(20) == 0, f"{process.name} failed: {process.log()[-1000:]}")
    wait_numbered(setup)
    last = setup.pg.value("select bouncemx.feed_cursor()")
    for reader in readers:
        wait_until(f"{reader.name} to have all", 20, lambda r=reader: r.check_alive() or r.cursor == last)
        reader.finish()
    changes, late = check(setup, readers)
    for name, process in keepers.items():
        expect(process.stop() == 0, f"keeper {name} did not end well: {process.log()[-1000:]}")
    half, most, nearly, worst = latencies(setup, readers)
    setup.note(changes=changes, rate=f"{changes / setup.options.seconds:.0f}/s",
               committed_behind_a_higher_id=late, keepers_killed_or_stopped=taken,
               readers_cut_off=sum(len(r.ends) - 1 for r in readers),
               commit_to_reader=f"{half:.0f} ms median, {most:.0f} ms 95 %, {nearly:.0f} ms 99 %, "
                                f"{worst:.0f} ms worst (while no keeper or no reader ran)")


if __name__ == "__main__":
    harness.main("feed_under_fire", test, arguments)
