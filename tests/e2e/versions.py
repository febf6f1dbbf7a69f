#!/usr/bin/env python3
"""Program and schema of neighbouring versions: mail flows on the version before, while `migrate` runs,
after one that was killed half way, and on the version after; the one after that is refused.

Also what `migrate` says about roles that are not there, and that it makes them where it may."""
import json
import os
import re
import subprocess
import time

import harness
from flow import Flow
from harness import expect, wait_until
from sandbox import kill_pid
from smtp import Ledger

ROLES = ("bouncemx_writer", "bouncemx_reader", "bouncemx_admin")


def drop_roles(pg):
    for role in ROLES:
        pg.sql(f"drop owned by {role}; drop role {role}")


def roles_there(pg):
    return pg.count("select count(*) from pg_roles where rolname in "
                    "('bouncemx_writer', 'bouncemx_reader', 'bouncemx_admin')")


def steps(pg):
    return pg.count("select max(number) from bouncemx.schema_migration")


def version_is(pg, version):
    pg.sql("create or replace function bouncemx.schema_version() returns integer language sql "
           f"immutable parallel safe return {version}")


def schema_version(setup):
    """As status tells it, whatever else it can't tell on an older schema."""
    return json.loads(setup.command("status", "--json", code=None).out)["schema_version"]


def flows(flow, setup):
    """Mail that comes from now on gets its rows."""
    with flow.ledger.lock:
        before = set(flow.ledger.acked)
    flow.wait(60)
    with flow.ledger.lock:
        wanted = set(list(flow.ledger.acked)[len(before):len(before) + 60])
    wait_until("new mail to have its rows", 30,
               lambda: not wanted - setup.addresses().keys(), every=0.2)


def killed_half_way(setup):
    """migrate waits for a table that somebody reads, and is killed there."""
    path = setup.box.path("migrate.out")
    holder = subprocess.Popen(
        ["psql", "-X", "-q", "-d", setup.pg.admin()], stdin=subprocess.PIPE, text=True,
        cwd=setup.box.run_directory)
    holder.stdin.write("begin; lock table bouncemx.suppression in access share mode;\n")
    holder.stdin.flush()
    wait_until("the reader's lock", 20, lambda: setup.pg.count(
        "select count(*) from pg_locks where relation = 'bouncemx.suppression'::regclass "
        "and mode = 'AccessShareLock' and granted") >= 1)
    with open(path, "wb") as out:
        migrate = subprocess.Popen(
            [setup.program, "migrate", "--config", setup.config_path], stdout=out, stderr=out,
            cwd=setup.box.run_directory)
    wait_until("migrate to wait for it", 20, lambda: setup.pg.count(
        "select count(*) from pg_locks where relation = 'bouncemx.suppression'::regclass "
        "and mode = 'AccessExclusiveLock' and not granted") >= 1)
    kill_pid(migrate.pid)
    migrate.wait(20)
    holder.stdin.write("commit;\n")
    holder.stdin.close()
    holder.wait(20)
    wait_until("what it began to be undone", 30, lambda: setup.pg.count(
        "select count(*) from pg_stat_activity where usename = 'bouncemx' "
        "and query ilike '%alter table%' and state <> 'idle'") == 0)
    expect(steps(setup.pg) > 10, "nothing was migrated before the kill")
    expect(not setup.pg.value("select to_regprocedure('bouncemx.schema_version()')"),
           "the kill came after the whole migration")
    setup.note(killed_after_step=steps(setup.pg))


def version_one(setup, flow):
    done = setup.command("migrate", "--check", code=1)
    expect("version 1" in done.errors, done.errors)
    flows(flow, setup)
    expect(schema_version(setup) == 1, "status on version 1")
    # As a command that needs what is not there yet.
    setup.pg.sql("alter function bouncemx.set_aside_list(bigint) rename to later")
    done = setup.command("set-aside", "list", code=1)
    expect("needs schema version 2" in done.errors and "bouncemx migrate" in done.errors,
           done.errors)
    setup.pg.sql("alter function bouncemx.later(bigint) rename to set_aside_list")


def migrated(setup, flow):
    killed_half_way(setup)
    flows(flow, setup)
    began = time.monotonic()
    done = setup.command("migrate")
    setup.note(migrated_under_load_in=f"{time.monotonic() - began:.1f} s")
    expect("at version 2" in done.out, done.out)
    statements = re.findall(r"^ +(CREATE ROLE \w+ NOLOGIN;)$", done.out, re.M)
    expect(len(statements) == 3 and "superuser" in done.out, f"roles that are missing: {done.out}")
    flows(flow, setup)
    expect(schema_version(setup) == 2, "status on version 2")
    setup.pg.sql("\n".join(statements))
    done = setup.command("migrate")
    expect("CREATE ROLE" not in done.out, f"roles that are there: {done.out}")
    granted = "select has_table_privilege('bouncemx_reader', 'bouncemx.suppression', 'SELECT')"
    expect(setup.pg.value(granted) == "t", "the roles made by hand have no rights")
    drop_roles(setup.pg)
    setup.pg.sql("alter role bouncemx createrole")
    setup.command("migrate")
    expect(roles_there(setup.pg) == 3 and setup.pg.value(granted) == "t",
           "migrate did not make the roles though it may")


def version_three(setup, flow):
    version_is(setup.pg, 3)
    number = steps(setup.pg) + 1
    setup.pg.sql(f"insert into bouncemx.schema_migration values ({number}, 'later', 'x')")
    setup.stop("serve")
    setup.start("serve")
    flows(flow, setup)
    expect("newer" in setup.command("migrate").out, "migrate on a newer schema")


def version_four(setup, flow):
    version_is(setup.pg, 4)
    for command in (("status",), ("migrate",), ("suppression", "list")):
        done = setup.command(*command, code=1)
        said = done.out + done.errors
        expect("version 4" in said and "runs on 1 to 3" in said and "newer bouncemx" in said,
               f"{command} on version 4: {said}")
    # It runs, and stops writing; what comes waits in the journal.
    wait_until("the workers to refuse version 4", 40, lambda: setup.roles["serve"].log().count(
        "database_away why=\"the schema is of version 4") >= 2)
    time.sleep(0.5)
    before = len(setup.addresses())
    flow.wait(60)
    expect(len(setup.addresses()) == before, "rows are written into a schema of version 4")
    version_is(setup.pg, 2)
    flows(flow, setup)


def test(setup):
    setup.configure(database={"batch_events": 20})
    setup.database(migrate=False)
    drop_roles(setup.pg)
    done = setup.command("migrate", "--to-version", "1")
    expect("at version 1" in done.out and "CREATE ROLE" not in done.out, done.out)
    expect(steps(setup.pg) == 10, f"version 1 has {steps(setup.pg)} steps")
    setup.start("serve")
    ledger = Ledger("version")
    flow = Flow(ledger, setup.port)
    for part in (version_one, migrated, version_three, version_four):
        try:
            part(setup, flow)
        except harness.Failure as e:
            raise harness.Failure(f"{part.__name__}: {e}") from None
    flow.stop()
    setup.wait_drained(ledger, 60)
    setup.stop("serve")
    setup.check_exactly_once(ledger)
    log = os.path.join(setup.box.logs, "serve.log")
    with open(log, encoding="utf-8", errors="replace") as f:
        setup.note(lost_connections=f.read().count(" database_away "))


if __name__ == "__main__":
    harness.main("versions", test)
