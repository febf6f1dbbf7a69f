#!/usr/bin/env python3
"""replay: mail that is stored, read again with other rules: said first, then done, and only once."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import smtp  # noqa: E402
from harness import expect, wait_until  # noqa: E402

RULES = """
rule own-alpha
  category mailbox_full
  pattern tag alpha
  source this test
  example 550 5.1.1 <a@b.example>: user unknown (tag alpha)

rule own-beta
  category bad_mailbox
  pattern tag beta
  source this test
  example 452 4.2.2 <a@b.example>: mailbox full (tag beta)
"""
ALPHA = "550 5.1.1 <{0}>: user unknown (tag alpha)"
BETA = "552 5.2.2 <{0}>: mailbox full (tag beta)"
MANY = 220  # more than a page and less than two
CHANGES = "select op, address_key, reason, actor from bouncemx.suppression_change order by id"


def fill(setup):
    client = smtp.Client(setup.port)
    texts = [("hard@x.example.test", "5.1.1", ALPHA), ("soft@x.example.test", "5.2.2", BETA),
             ("plain@x.example.test", "5.1.1", "550 5.1.1 <{0}>: user unknown")]
    texts += [(f"many{n}@x.example.test", "4.4.1", "451 4.3.0 <{0}>: come again") for n in range(MANY)]
    for address, status, words in texts:
        client.send("", [smtp.signed(address)], smtp.bounce(address, 600, status=status, words=words))
    client.quit()
    wait_until("the events", 30, lambda: setup.pg.count("select count(*) from bouncemx.event") == len(texts))
    return len(texts)


def the_list(setup):
    return [r[0] for r in setup.pg.sql("select address_key from bouncemx.suppression order by 1")]


def replay(setup, *options):
    """The events that change, and the counts."""
    lines = setup.json_lines("replay", *options)
    return {r["address"].split("@")[0]: r for r in lines[:-1]}, lines[-1]


def apply(setup, *options):
    return replay(setup, "--apply", "--reason", "own rules", "--actor", "ann", *options)


def dry(setup, rules, total):
    before = setup.pg.sql("select id, class, category, rule, effect from bouncemx.event order by id")
    changes, counts = replay(setup, "--rules", rules)
    expect(sorted(changes) == ["hard", "soft"], f"what would change: {changes}")
    hard, soft = changes["hard"], changes["soft"]
    expect((hard["category_was"], hard["category"], hard["class"], hard["rule"], hard["effect_was"], hard["effect"])
           == ("bad_mailbox", "mailbox_full", "soft", "own-alpha", "suppressed", "soft"), f"hard: {hard}")
    expect((soft["category_was"], soft["category"], soft["effect_was"], soft["effect"])
           == ("mailbox_full", "bad_mailbox", "soft", "suppressed"), f"soft: {soft}")
    expect("diagnostic" not in hard and "kind" not in hard, f"only what differs: {hard}")
    want = {"applied": False, "messages": total, "events": total, "changed": 2, "came": 1, "gone": 1, "altered": 0,
            "skipped": 0, "reshaped": 0, "unreadable": 0}
    expect(counts == want, f"counts: {counts}")
    done = setup.command("replay", "--rules", rules)
    rows = [line.split() for line in done.out.splitlines()]
    for row in (["bad_mailbox", "mailbox_full", "1"], ["mailbox_full", "bad_mailbox", "1"]):
        expect(row in rows, f"the table: {done.out}")
    expect("Nothing was written" in done.out, f"the table: {done.out}")
    expect(before == setup.pg.sql("select id, class, category, rule, effect from bouncemx.event order by id")
           and the_list(setup) == ["hard@x.example.test", "plain@x.example.test"]
           and not setup.pg.count("select count(*) from bouncemx.audit where action = 'replay'"), "a dry run wrote")


def applied(setup, rules):
    _, counts = apply(setup, "--rules", rules, "--limit", "1")
    expect((counts["messages"], counts["changed"], counts["gone"], counts["came"]) == (1, 1, 1, 0), f"a part: {counts}")
    _, counts = apply(setup, "--rules", rules)
    expect((counts["applied"], counts["changed"], counts["gone"], counts["came"]) == (True, 1, 0, 1), f"the rest: {counts}")
    expect(the_list(setup) == ["plain@x.example.test", "soft@x.example.test"], f"the list: {the_list(setup)}")
    why = ["replay: own rules", "ann"]
    expect(setup.pg.sql(CHANGES)[-2:] == [["remove", "hard@x.example.test", *why], ["add", "soft@x.example.test", *why]],
           f"changes: {setup.pg.sql(CHANGES)}")

    def fed():
        lines = [json.loads(t) for t in setup.command("feed", "--after", "beginning").out.splitlines()]
        told = [(r["change"], r["reason"], r["actor"]) for r in lines if r.get("actor") == "ann"]
        return told == [("remove", *why), ("add", *why)]
    wait_until("the feed", 20, fed)
    audit = setup.pg.sql("select actor, object like '%, rules ' || '" + rules + "', detail ->> 'reason', detail ->> 'changed',"
                         " detail ->> 'came', detail ->> 'gone' from bouncemx.audit where action = 'replay' order by at")
    expect(audit == [["ann", "t", "own rules", "1", "0", "1"], ["ann", "t", "own rules", "1", "1", "0"]], f"audit: {audit}")
    changes, counts = apply(setup, "--rules", rules)
    expect(not changes and counts["changed"] == 0, f"again: {changes} {counts}")
    expect(setup.pg.count("select count(*) from bouncemx.audit where action = 'replay'") == 2, "nothing, audited")


def narrowed(setup, total):
    for options, messages in (["--stream", "other"], 0), (["--until", "2020-01-01", "--since", "2019-01-01"], 0), \
            (["--since", "1h"], total), (["--stream", "default", "--limit", "201"], 201):
        _, counts = replay(setup, *options)
        expect(counts["messages"] == messages, f"{options}: {counts}")


def other_readers(setup, total):
    """Records of logs are skipped; a message whose recipients are read in another way is left alone."""
    setup.pg.sql("update bouncemx.message set reader = 'postfix-log' where id = bouncemx.message_of("
                 "(select id from bouncemx.event where address like 'hard@%'))")
    setup.pg.sql("update bouncemx.event set final_recipient = 'someone@else.example' where address like 'soft@%'")
    # How sure an address is was settled when the mail came.
    setup.pg.sql("update bouncemx.event set capped = true, confidence = 'medium' where address like 'plain@%'")
    changes, counts = replay(setup)
    expect(not changes and (counts["skipped"], counts["reshaped"], counts["events"]) == (1, 1, total - 2),
           f"other readers: {changes} {counts}")


def refused(setup, rules):
    for options, word in (["--apply"], "--reason and --actor"), (["--apply", "--actor", "a"], "--reason and --actor"), \
            (["--since", "soon"], "--since: soon"), (["--since", "2026-02-01", "--until", "2026-01-01"], "before that of --until"), \
            (["--apply", "--actor", "a", "--reason", ""], "--reason"), (["--limit", "0"], "--limit: 0"):
        done = setup.command("replay", *options, code=2)
        expect(word in done.errors, f"{options}: {done.errors!r}")
    done = setup.command("replay", "--rules", rules + ".none", code=1)
    expect(rules + ".none" in done.errors, f"no rules: {done.errors!r}")


def test(setup):
    setup.configure()
    setup.database()
    setup.start("serve")
    rules = setup.box.write("own.rules", RULES)
    total = fill(setup)
    refused(setup, rules)
    dry(setup, rules, total)
    applied(setup, rules)
    narrowed(setup, total)
    changes, counts = apply(setup)
    expect(sorted(changes) == ["hard", "soft"] and counts["came"] == counts["gone"] == 1, f"and back: {changes} {counts}")
    expect(the_list(setup) == ["hard@x.example.test", "plain@x.example.test"], f"the list: {the_list(setup)}")
    other_readers(setup, total)


if __name__ == "__main__":
    harness.main("replay", test)
