#!/usr/bin/env python3
"""The feed and the keeper from outside: what the commands answer, a server that goes and comes, a dump
that was restored, a second database that subscribes, retention that does not wait for readers."""
import json
import os
import signal
import subprocess
import time

import harness
from feed_readers import CHANGES, Reader, start_keeper, wait_numbered
from harness import expect, wait_until


def put(setup, *addresses, database="bouncemx"):
    setup.pg.sql(f"select put_rows(array[{','.join(repr(a) for a in addresses)}], 'test')",
                 database=database)


def feed(setup, *argv, code=0):
    return setup.command("feed", *argv, code=code)


def commands(setup):
    put(setup, "a@x.test", "b@x.test", "c@x.test")
    done = setup.command("maintain")
    expect("feed         3\n" in done.out, f"maintain says: {done.out}")
    entries = [json.loads(line) for line in feed(setup, "--after", "beginning").out.splitlines()]
    expect([e["address"] for e in entries] == ["a@x.test", "b@x.test", "c@x.test"], f"{entries}")
    first = entries[0]
    expect((first["cursor"], first["op"], first["change"], first["suppressed"], first["scope"],
            first["origin"], first["category"]) ==
           ("1.1", "upsert", "add", True, "tenant", "manual", None), f"{first}")
    expect(feed(setup, "--after", "0", "--limit", "2").out.count("\n") == 2, "--limit 2")
    expect(feed(setup, "--after", "1.2").out.count("\n") == 1, "one is left")
    expect(feed(setup, "--after", "1.3").out == "", "nothing is left")
    lines = feed(setup, "--after", "1.2", "--format", "csv").out.split("\r\n")
    expect(lines[0].startswith('"cursor","at","op","change","address"') and
           lines[1].startswith('"1.3",') and lines[2] == "", f"CSV: {lines}")
    expect("--after is needed" in feed(setup, code=2).errors, "no cursor")
    for wrong in ("1", "1.x", "-1.2", "1.2.3", "1.9999999999999999999", "end"):
        expect("expected EPOCH.NUMBER" in feed(setup, "--after", wrong, code=2).errors, wrong)
    for wrong, why in (("1.4", "behind the end"), ("2.1", "another epoch")):
        errors = feed(setup, "--after", wrong, code=1).errors
        expect(why in errors and "export again" in errors, f"{wrong}: {errors}")
    feed(setup, "--after", "1.1", "--format", "xml", code=2)


def pipes(setup):
    """A reader that does not read: SIGTERM ends the program all the same, behind a whole line. One that
    goes away ends it too."""
    setup.pg.sql("insert into bouncemx.suppression (address_key, tenant, scope, stream, address, event_stream, event_at, "
                 "kind, events, last_event_at, origin) select n || '@many.test', 'main', 'tenant', '', n || "
                 "'@many.test', '', now(), 'bounce', 0, now(), 'import' from generate_series(1, 2000) n")
    setup.command("maintain")
    argv = [setup.program, "feed", "--config", setup.config_path, "--after", "1.3", "--follow"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        expect(process.wait(10) == 0, f"exit {process.returncode} while nobody reads")
        text = process.stdout.read()
    expect(text.endswith(b"}\n") and 0 < text.count(b"\n") < 2000, f"{text.count(bytes([10]))} lines")
    for line in text.splitlines():
        json.loads(line)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for _ in range(2000):
            process.stdout.readline()
        process.stdout.close()
        process.wait(10)


def away(setup):
    """The server goes and comes back: reader and keeper go on by themselves."""
    keeper = start_keeper(setup, "keeper")
    reader = Reader(setup, "follower", "1.2003")
    reader.start()
    put(setup, "d@x.test")
    wait_until("the change to come", 10, lambda: reader.cursor == "1.2004")
    started = time.monotonic()
    put(setup, "e@x.test")
    wait_until("the bell to be heard", 10, lambda: reader.cursor == "1.2005", every=0.005)
    heard = time.monotonic() - started
    expect(heard < 1.5, f"heard after {heard:.1f} s: by looking now and then, not by the bell")
    setup.pg.stop()
    time.sleep(1)
    setup.pg.start()
    put(setup, "f@x.test")
    wait_until("the change behind the restart", 20, lambda: reader.check_alive() or reader.cursor == "1.2006")
    # Without the bell, too.
    setup.pg.sql("update bouncemx.suppression set reason = 'other' where address_key = 'f@x.test'")
    wait_numbered(setup)
    wait_until("one more", 10, lambda: reader.cursor == "1.2007")
    reader.finish()
    expect("trying again" in reader.log() and "going on after 1.2005" in reader.log(), reader.log())
    expect(reader.numbers() == [2004, 2005, 2006, 2007], f"{reader.numbers()}")
    expect(keeper.stop() == 0, "the keeper does not end well")
    return heard


def served(setup):
    """serve has a keeper, starts it again, and status tells of it."""
    serve = setup.start("serve")

    def keeper_pid():
        for pid in harness.sandbox.proc_children(serve.pid):
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if b"\0maintain\0" in f.read():
                    return pid
        return 0

    def status():
        return json.loads(setup.command("status", "--json").out)
    wait_until("serve to keep", 10, lambda: "mx1" in status().get("keeper", ""))
    before = keeper_pid()
    os.kill(before, signal.SIGKILL)
    wait_until("another keeper", 10, lambda: keeper_pid() not in (0, before))
    put(setup, "g@x.test")
    wait_numbered(setup)
    wait_until("its tasks", 10, lambda: "last_retention" in status())
    # What is over goes, and the feed says so.
    put(setup, "over@x.test")
    setup.pg.sql("update bouncemx.suppression set expires_at = now() where address_key = 'over@x.test'")
    wait_until("the row to expire", 10, lambda: feed(setup, "--after", "1.2008").out.count("\n") == 3)
    ops = [json.loads(line)["op"] for line in feed(setup, "--after", "1.2008").out.splitlines()]
    expect(ops == ["upsert", "upsert", "expire"], f"{ops}")
    facts = status()
    expect(facts["feed_cursor"] == "1.2011" and facts["feed_unnumbered"] == 0, f"{facts}")
    setup.roles["serve"].kill(signal.SIGHUP)
    wait_until("the keeper to reload", 10, lambda: " keeper reloaded" in serve.log())
    setup.stop("serve")
    expect("none" in status()["keeper"], "status names a keeper that is gone")


def restored(setup):
    """A dump in another database: old cursors are refused before and after the keeper saw it."""
    dump = subprocess.run(["pg_dump", "-d", setup.pg.admin()], capture_output=True, check=True)
    setup.pg.sql("create database copied owner bouncemx", database="postgres")
    subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", setup.pg.admin("copied")],
                   input=dump.stdout, capture_output=True, check=True)
    original = setup.pg.conninfo
    setup.configure(database={"conninfo": original.replace("dbname=bouncemx", "dbname=copied")})
    for _ in range(2):
        errors = feed(setup, "--after", "1.2011", code=1).errors
        expect("another epoch" in errors and "export again" in errors, errors)
        setup.command("maintain")
    put(setup, "h@x.test", database="copied")
    setup.command("maintain")
    entries = [json.loads(line) for line in feed(setup, "--after", "2.2011").out.splitlines()]
    expect([(e["cursor"], e["address"]) for e in entries] == [("2.2012", "h@x.test")], f"{entries}")
    setup.configure(database={"conninfo": original})
    expect(feed(setup, "--after", "1.2010").out.count("\n") == 1, "the original goes on in its epoch")


SUBSCRIBER = """
create schema bouncemx;
create table bouncemx.suppression (address_key text, tenant text, scope text, stream text, address text, state text,
    origin text, kind text, class text, category text, confidence text, rule text, mx_operator text, status text,
    event_id uuid, event_at timestamptz, created_at timestamptz, expires_at timestamptz, times integer,
    primary key (address_key, tenant, scope, stream));
create subscription copy connection '{conninfo}' publication bouncemx_feed
    with (create_slot = false, slot_name = 'copy');
"""


def subscribed(setup):
    """A second database follows the list by logical replication."""
    pg = setup.pg
    subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", pg.conninfo, "-c",
                    "select bouncemx.feed_publish()"], check=True, capture_output=True)
    pg.sql("select pg_create_logical_replication_slot('copy', 'pgoutput')")
    pg.sql("create database sender", database="postgres")
    pg.sql(SUBSCRIBER.format(conninfo=pg.admin()), database="sender")
    put(setup, "i@x.test")
    pg.sql("update bouncemx.suppression set expires_at = '2099-01-01' where address_key = 'a@x.test';"
           "delete from bouncemx.suppression where address_key = 'b@x.test'")
    query = "select address_key, state, origin, expires_at from bouncemx.suppression order by 1"
    wait_until("the subscriber to have the same list", 20,
               lambda: pg.sql(query, database="sender") == pg.sql(query), every=0.2)
    pg.sql("drop subscription copy", database="sender")


def retention(setup):
    """What is old goes, and waits for nobody who reads it."""
    pg = setup.pg
    pg.sql("select bouncemx.ensure_partitions(now() - interval '60 days', now() - interval '40 days')")
    pg.sql("insert into bouncemx.evidence (id, received_at, raw) values "
           "(gen_random_uuid(), now() - interval '50 days', 'old'), (gen_random_uuid(), now(), 'new')")
    # pylint: disable=consider-using-with
    reader = subprocess.Popen(["psql", "-XAtq", "-d", pg.admin(), "-c",
                               "begin; select count(*) from bouncemx.evidence; select pg_sleep(60)"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until("a reader of old mail", 10, lambda: pg.count(
        "select count(*) from pg_locks where relation = 'bouncemx.evidence'::regclass"))
    started = time.monotonic()
    setup.command("maintain")
    waited = time.monotonic() - started
    expect(pg.count("select count(*) from bouncemx.evidence where raw = 'old'") == 1, "it was not locked?")
    expect(waited < 10, f"maintain waited {waited:.1f} s for a reader")
    pg.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()")
    reader.wait(10)
    setup.command("maintain")
    expect(pg.sql("select convert_from(raw, 'UTF8') from bouncemx.evidence") == [["new"]], "old mail stands")
    setup.configure(retention={"evidence": "1s", "events": 0, "feed": "1s"})
    time.sleep(1.1)
    setup.command("maintain")
    expect("too old" in feed(setup, "--after", "1.2003", code=1).errors, "an old cursor is good")
    last = pg.value("select bouncemx.feed_cursor()")
    expect(feed(setup, "--after", last).out == "" and feed(setup, "--after", "beginning").out == "",
           "something is left")
    expect(pg.count("select count(*) from bouncemx.suppression_change") == 0, "changes are left")


def test(setup):
    setup.database(options=("wal_level=logical",))
    setup.configure(keeper={"feed": "20ms", "list": "200ms", "partitions": "1s"})
    setup.pg.sql(CHANGES)
    commands(setup)
    pipes(setup)
    heard = away(setup)
    served(setup)
    restored(setup)
    subscribed(setup)
    retention(setup)
    setup.note(bell=f"{heard * 1000:.0f} ms from a change to its reader, psql's start included")


if __name__ == "__main__":
    harness.main("feed", test)
