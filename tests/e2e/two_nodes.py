#!/usr/bin/env python3
"""Two MX hosts and one PostgreSQL: each has its spool, its name and a login that is only a member of
bouncemx_writer.

Mail comes to both while roles and workers are killed; then the same messages come to both at once.
Everything counts once. The login can do no more than what the service needs."""
import os
import threading
import time

import harness
from flow import Flow
from harness import expect, wait_until
from sandbox import kill_pid
from smtp import Client, Ledger, bounce, signed

TWICE = 60
# What a login of the service is refused, and what it can see.
REFUSED = (
    "select secret from bouncemx_private.token_key",
    "select bouncemx.mint('a@example.com', 'bounces.example.test')",
    "delete from bouncemx.suppression",
    "update bouncemx.suppression set expires_at = now()",
    "select * from bouncemx.suppressions(null, 10, null, now())",
    "update bouncemx.policy set strikes = 1",
    "insert into bouncemx.allowed (address_key) values ('a@example.com')",
    "delete from bouncemx.lane_position",
    "select raw from bouncemx.evidence",
    "select bouncemx.set_aside_take('01890000-0000-7000-8000-000000000001')",
    "create table bouncemx.mine (a integer)",
    "select bouncemx.grant_roles()",
    "select bouncemx.expire_suppressions(now() + interval '400 days', 1000)",
    "select bouncemx.forget_used(now() + interval '400 days')",
    "select * from bouncemx.forget_old(now() + interval '4000 days')",
)


def kill_some(nodes, dice, kills):
    """Kills one process of one node; its parent starts it again."""
    wanted = dice.choices(["worker", "process", "receive"], weights=[4, 2, 1])[0]
    found = dice.choice(nodes).served(wanted)
    if found and kill_pid(dice.choice(found)):
        kills[wanted] = kills.get(wanted, 0) + 1


def split(setup, nodes, ledger):
    """New mail to both, and kills on both."""
    kills = {}
    flow = Flow(ledger, *[n.port for n in nodes], connections=6)
    goal, wanted = (10000, 150) if setup.options.long else (600, 14)
    while sum(kills.values()) < wanted:
        time.sleep(setup.random.uniform(0.05, 0.5))
        kill_some(nodes, setup.random, kills)
        for node in nodes:
            expect(node.roles["serve"].running(), f"serve of {node.name} ended")
    wait_until(f"{goal} messages to be answered 250", 400, lambda: flow.acked() >= goal)
    flow.stop()
    setup.wait_drained(ledger, 60)
    setup.check_exactly_once(ledger)
    by_node = dict(setup.pg.sql("select node, count(*) from bouncemx.message group by 1"))
    expect(len(by_node) == 2, f"messages by node: {by_node}")
    setup.note(by_node=by_node, **{f"kills_of_{k}": n for k, n in kills.items()})


def same_to_both(setup, nodes):
    """One report, sent to both hosts at the same time, as by a sender that heard no answer."""
    addresses = [f"twice-{i}@remote.example.test" for i in range(TWICE)]
    barrier = threading.Barrier(len(nodes))
    errors = []

    def send(node):
        try:
            client = Client(node.port)
            for address in addresses:
                barrier.wait(30)
                client.send("", [signed(address)], bounce(address))
            client.quit()
        except Exception as e:  # pylint: disable=broad-except
            errors.append(e)
            barrier.abort()

    threads = [threading.Thread(target=send, args=(node,), daemon=True) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    expect(not errors, f"sending to both: {errors}")
    wait_until("both messages of each", 30, lambda: setup.pg.count(
        "select count(*) from bouncemx.event where address like 'twice-%'") == 2 * TWICE)
    wrong = setup.pg.sql("""
        select address, array_agg(effect order by effect), count(distinct node) from bouncemx.event
        where address like 'twice-%' group by 1
        having array_agg(effect::text order by effect::text)
               not in ('{repeat,suppressed}', '{pending,repeat}') or count(distinct node) <> 2""")
    expect(not wrong, f"a message to both hosts acted otherwise than once: {wrong[:3]}")
    wrong = setup.pg.sql("select address_key, events from bouncemx.suppression "
                         "where address_key like 'twice-%' and events <> 1")
    expect(not wrong, f"counted twice: {wrong[:3]}")
    held = setup.pg.count("select count(*) from bouncemx.suppression where address_key like 'twice-%'")
    expect(held == TWICE, f"{held} suppressions of {TWICE}")
    by_node = setup.pg.sql("select node, count(*) from bouncemx.event "
                           "where address like 'twice-%' and effect <> 'repeat' group by 1")
    setup.note(same_message_to_both=TWICE, which_of_both_acted=dict(by_node))


def login_as(setup, login):
    return setup.pg.conninfo.replace("user=bouncemx ", f"user={login} ")


def least_rights(setup, node):
    for sql in REFUSED:
        try:
            setup.pg.sql(sql, login="mx_writer")
        except harness.Failure as e:
            expect("denied" in str(e) or "a day ahead" in str(e), f"{sql}: {e}")
            continue
        raise harness.Failure(f"the writer may: {sql}")
    done = node.command("suppression", "list", code=1)
    expect("denied" in done.errors, f"suppression list as writer: {done.errors}")
    node.command("status")

    # People: what a reader may, and what is left to an admin.
    nobody = "01890000-0000-7000-8000-000000000001"
    setup.pg.sql("create role t_reader login in role bouncemx_reader; "
                 "create role t_admin login in role bouncemx_admin")
    for login in ("t_reader", "t_admin"):
        node.configure(database={"conninfo": login_as(setup, login)})
        event = node.json_lines("events", "--limit", "1")[0]
        node.command("show", event["event_id"])
        node.command("suppression", "check", "twice-1@remote.example.test")
        for argv in (("suppression", "list", "--limit", "3"), ("status",), ("set-aside", "list"),
                     ("report", "blocks"), ("report", "forged"), ("report", "unmatched")):
            node.command(*argv)
        done = node.command("set-aside", "drop", nobody, code=1)
        word = "denied" if login == "t_reader" else "no such message"
        expect(word in done.errors, f"set-aside drop as {login}: {done.errors}")
    node.configure(database={"conninfo": login_as(setup, "mx_writer")})


def test(setup):
    setup.configure(spool={"segment_bytes": "256KiB"}, database={"batch_events": 50})
    setup.database()
    setup.pg.sql("create role mx_writer login in role bouncemx_writer;"
                 "update bouncemx.breaker_policy set enabled = false")  # all of it is one domain's
    setup.configure(database={"conninfo": login_as(setup, "mx_writer")})
    nodes = [setup, setup.another("mx2")]
    expect(os.path.realpath(nodes[0].spool) != os.path.realpath(nodes[1].spool), "one spool")
    for node in nodes:
        node.start("serve")
    split(setup, nodes, Ledger("nodes"))
    same_to_both(setup, nodes)
    least_rights(setup, nodes[1])
    # One host goes: the other carries on.
    nodes[1].command("drain", "--timeout", "30s")
    nodes[1].stop("serve")
    last = Ledger("last")
    flow = Flow(last, setup.port, connections=2)
    flow.wait(20)
    flow.stop()
    setup.wait_drained(last, 30)
    setup.stop("serve")


def arguments(parser):
    parser.add_argument("--long", action="store_true", help="10,000 messages, 150 kills")


if __name__ == "__main__":
    harness.main("two_nodes", test, arguments)
