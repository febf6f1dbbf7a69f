#!/usr/bin/env python3
"""The list by hand: add, remove, check of many, allow, undo, delivered, erase, and every mistake."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import expect  # noqa: E402

EVENT = "01890000-0000-7000-8000-000000010001"


def say(setup, part, *argv, code=0, **kwargs):
    """part stands in what the command says."""
    done = setup.command(*argv, code=code, **kwargs)
    expect(part in done.out + done.errors, f"{argv}: {done.out}{done.errors}\n    expected {part!r}")
    return done


def usage(setup):
    for part, argv in (
            ("nobody: expected an address", ("suppression", "add", "nobody")),
            ("--scope: wide: expected one of: global tenant stream", ("suppression", "add", "a@x.example", "--scope", "wide")),
            ("--kind: soft: expected one of", ("suppression", "add", "a@x.example", "--kind", "soft")),
            ("--scope stream: --stream NAME", ("suppression", "add", "a@x.example", "--scope", "stream")),
            ("--stream is for --scope stream", ("suppression", "add", "a@x.example", "--scope", "tenant", "--stream", "s")),
            ("--scope global holds for every", ("suppression", "add", "a@x.example", "--scope", "global", "--tenant", "s")),
            ("--expires: 2020-01-01: is over", ("suppression", "add", "a@x.example", "--expires", "2020-01-01")),
            ("--expires: 2026-13-01: expected a day", ("suppression", "add", "a@x.example", "--expires", "2026-13-01")),
            ("--expires: soon: expected", ("suppression", "add", "a@x.example", "--expires", "soon")),
            ("--force needs --reason", ("suppression", "remove", "a@x.example", "--force")),
            ("--reason TEXT is missing", ("suppression", "erase", "a@x.example")),
            ("nothing was erased", ("suppression", "erase", "a@x.example", "--reason", "x")),
            ("nothing was erased", ("suppression", "erase", "a@x.example", "--reason", "x", "--confirm", "b@x.example")),
            ("@: expected @ and a domain", ("suppression", "allow", "@")),
            ("--state: gone: expected one of: active pending", ("suppression", "list", "--state", "gone")),
            ("nobody: expected an address", ("suppression", "check", "nobody")),
            ("is missing", ("suppression", "check")),
            ("only one of them", ("suppression", "check", "--json", "--quiet", "a@x.example")),
            ("only one of them", ("suppression", "check", "--file", "x", "a@x.example")),
            ("No such file", ("suppression", "check", "--file", "/none")),
            ("--undo needs --reason", ("show", EVENT, "--undo")),
            ("are for --undo", ("show", EVENT, "--reason", "x")),
            ("is missing", ("delivered",))):
        say(setup, part, *argv, code=2)


def by_hand(setup):
    say(setup, "Ann@X.example: added", "suppression", "add", "Ann@X.example", "--reason", "by phone", "--actor", "carla")
    say(setup, "unchanged", "suppression", "add", "ann@x.example")
    say(setup, "changed", "suppression", "add", "ann@x.example", "--expires", "90d", "--reason", "for a while")
    say(setup, '"did":"added"', "suppression", "add", "ann@x.example", "--stream", "news", "--kind", "complaint", "--json")
    rows = setup.json_lines("suppression", "get", "ann@x.example")
    expect([(r["tenant"], r["scope"], r["stream"], r["kind"], r["origin"]) for r in rows] ==
           [("main", "tenant", "", "other", "manual"), ("main", "stream", "news", "complaint", "manual")], f"{rows}")
    actors = setup.pg.sql("select op, actor, reason from bouncemx.suppression_change order by id limit 2")
    expect(actors[0] == ["add", "carla", "by phone"] and actors[1][0] == "change" and actors[1][1], f"{actors}")
    listed = setup.json_lines("suppression", "list", "--kind", "complaint", "--scope", "stream", "--stream", "news")
    expect(len(listed) == 1, f"{listed}")
    say(setup, "complaint for stream news of tenant main is removed only with force; nothing was removed",
        "suppression", "remove", "ann@x.example", code=1)
    say(setup, "tenant", "suppression", "remove", "ann@x.example", "--scope", "tenant")
    say(setup, "not suppressed there", "suppression", "remove", "ann@x.example", "--scope", "tenant", code=1)
    say(setup, '"kind":"complaint"', "suppression", "remove", "ann@x.example", "--force", "--reason", "a mistake", "--json")
    say(setup, "not suppressed", "suppression", "get", "ann@x.example", code=1)


def check(setup):
    say(setup, "added", "suppression", "add", "b@x.example")
    say(setup, "b@x.example: suppressed: other (tenant)\n", "suppression", "check", "b@x.example")
    say(setup, "nobody@x.example: not suppressed\n", "suppression", "check", "nobody@x.example", code=1)
    say(setup, "yes", "suppression", "check", "b@x.example", "nobody@x.example", "--tenant", "main")
    say(setup, "not suppressed\n", "suppression", "check", "b@x.example", "--tenant", "other", code=1)
    many = "".join(f"user{n}@x.example\n" for n in range(2500)) + "\nB@X.example\nnot one\nb@x.example\n"
    done = setup.command("suppression", "check", "-", "--json", stdin=many.encode(), code=1)
    rows = [json.loads(line) for line in done.out.splitlines()]
    expect(len(rows) == 2502 and [r["address"] for r in rows if r["suppressed"]] == ["B@X.example", "b@x.example"],
           f"{len(rows)}, {rows[-2:]}")
    expect("-:2503: not one: expected an address" in done.errors, done.errors)
    path = setup.box.write("list.txt", "user@x.example\nb@x.example\n")
    say(setup, "b@x.example", "suppression", "check", "--file", path)
    done = setup.command("suppression", "check", "--file", path, "--quiet")
    expect(done.out == "", done.out)
    path = setup.box.write("none.txt", "user@x.example\n")
    setup.command("suppression", "check", "--file", path)
    setup.command("suppression", "check", "--file", path, "--quiet", code=1)


def allow(setup):
    say(setup, "1 rows taken off the list", "suppression", "allow", "b@x.example", "--reason", "our seed")
    say(setup, "the allow-list holds it", "suppression", "add", "b@x.example", code=1)
    say(setup, "not suppressed: the allow-list holds it", "suppression", "check", "b@x.example", code=1)
    say(setup, "our seed", "suppression", "allowed")
    expect(setup.json_lines("suppression", "allowed")[0]["address"] == "b@x.example", "allowed")
    say(setup, "not allowed any more", "suppression", "disallow", "b@x.example")
    say(setup, "does not stand", "suppression", "disallow", "b@x.example", code=1)


def undo(setup):
    setup.pg.sql(f"""insert into bouncemx.message (id, received_at, node, size, truncated, kind)
        values ('{EVENT[:-4]}0000', '2026-03-04', 'mx1', 1, false, 'bounce')""")
    setup.pg.sql(f"""insert into bouncemx.event (id, received_at, kind, tenant, stream, node, address, address_key, source, verified,
        forwarded, trusted, class, category, effect) values ('{EVENT}', '2026-03-04', 'bounce', 'main', '', 'mx1', 'Eve@x.example',
        'eve@x.example', 'verp', true, false, true, 'hard', 'bad_mailbox', 'suppressed')""")
    setup.pg.sql(f"""insert into bouncemx.suppression (address_key, tenant, scope, address, event_stream, event_id, event_at, kind,
        events, last_event_id, last_event_at) values ('eve@x.example', 'main', 'tenant', 'Eve@x.example', '', '{EVENT}',
        '2026-03-04', 'bounce', 1, '{EVENT}', '2026-03-04')""")
    setup.command("suppression", "get", "eve@x.example")
    say(setup, "suppression: removed (tenant main, scope tenant)", "show", EVENT, "--undo", "--reason", "a wrong rule")
    setup.command("suppression", "get", "eve@x.example", code=1)
    say(setup, "was undone already", "show", EVENT, "--undo", "--reason", "a wrong rule", code=1)


def delivered(setup):
    policy = setup.pg.sql("select name from bouncemx.policy where score is not null limit 1")[0][0]
    setup.pg.sql(f"""insert into bouncemx.address_score (address_key, tenant, stream, days, points, score, last_at, last_event_id, policy)
        select k, t, '', '{{2026-03-04}}', '{{1}}', 1, '2026-03-04', '{EVENT}', '{policy}'
        from unnest(array['full@x.example', 'full2@x.example', 'comma,@x.example']) k, unnest(array['main', 'other']) t""")
    text = ("address,time,stream,tenant\nFull@x.example,2026-03-05T10:00:00Z\nfull2@x.example,2026-03-05,news,other\n"
            "nobody,2026-03-05\nfull@x.example\nfull@x.example,soon\nfull@x.example,2199-01-01\na@x.example,2026-03-05,a,b,c\n"
            '"comma,@x.example","2026-03-05 01:02:03.5+00"\n"x,2026-03-05\n')
    done = say(setup, "3 deliveries, 6 refused, 3 scores begin anew", "delivered", "-", stdin=text.encode(), code=1)
    for part in ("-:4: nobody: expected an address", "-:5: full@x.example: expected address,time", "-:6: soon: expected a time",
                 "-:7: 2199-01-01: is still to come", "-:8: a@x.example", "-:10: "):
        expect(part in done.errors, f"{part}: {done.errors}")
    say(setup, '{"deliveries":1,"refused":0,"reset":1}', "delivered", "full2@x.example", "--json")
    say(setup, "2 deliveries", "delivered", "--file", setup.box.write("d.csv", "a@x.example,2026-03-05\r\nb@x.example,2026-03-05\r\n"))


def erase(setup):
    say(setup, "added", "suppression", "add", "zaphod@x.example", "--reason", "zaphod@x.example called")
    done = say(setup, "only a keyed hash is left", "suppression", "erase", "zaphod@x.example", "--confirm", "zaphod@x.example",
               "--reason", "letter")
    expect("suppression " in done.out and "suppression_change" in done.out, done.out)
    say(setup, "suppressed: the person was erased", "suppression", "check", "zaphod@x.example")
    say(setup, "erased", "suppression", "get", "zaphod@x.example")
    say(setup, "erased", "suppression", "add", "zaphod@x.example")
    for table in ("suppression", "suppression_change", "audit", "event", "message"):
        found = setup.pg.count(f"select count(*) from bouncemx.{table} t where t::text ilike '%zaphod%'")
        expect(found == 0, f"{table}: {found}")
    setup.command("suppression", "erase", "zaphod@x.example", "--confirm", "zaphod@x.example", "--reason", "again", "--json")
    say(setup, "was erased: only force", "suppression", "remove", "zaphod@x.example", code=1)
    setup.command("suppression", "remove", "zaphod@x.example", "--force", "--reason", "signed up again")
    say(setup, "not suppressed", "suppression", "check", "zaphod@x.example", code=1)


def tenants(setup):
    setup.configure(domains=[{"name": "a.example.test", "tenant": "one"}, {"name": "b.example.test", "tenant": "two"}])
    say(setup, "several tenants: --tenant NAME says which", "suppression", "add", "c@x.example", code=2)
    say(setup, "added", "suppression", "add", "c@x.example", "--tenant", "two")
    say(setup, "added", "suppression", "add", "c@x.example", "--scope", "global")


def test(setup):
    setup.database()
    for part in (usage, by_hand, check, allow, undo, delivered, erase, tenants):
        part(setup)


if __name__ == "__main__":
    harness.main("suppression", test)
