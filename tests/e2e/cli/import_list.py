#!/usr/bin/env python3
"""suppression import and export: what each provider exports, dry runs, refusals, a kill in the middle,
and lists that go out and come in again."""
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import expect, wait_until  # noqa: E402

CURSOR = """
do $$ begin
    if to_regprocedure('bouncemx.feed_cursor()') is null then
        create function bouncemx.feed_cursor() returns text language sql as $f$select '1.0'$f$;
    end if;
end $$;
"""
ROWS = """select address_key, tenant, scope, stream, address, kind, class, category, confidence, rule,
          mx_operator, status, diagnostic, event_at, expires_at, reason, state
     from bouncemx.suppression order by 1, 2, 3, 4"""
SENDGRID_BOUNCE = ("550 5.1.1 The email account that you tried to reach does not exist. Please try "
                   "double-checking the recipient's email address")

# name, text, options, rows: address, scope, stream, kind, class, category, and how many are refused
FILES = [
    ("ses.json", json.dumps({"SuppressedDestinationSummaries": [
        {"EmailAddress": "A@ses.example", "Reason": "BOUNCE", "LastUpdateTime": "2026-01-02T03:04:05+00:00"},
        {"EmailAddress": "b@ses.example", "Reason": "COMPLAINT", "LastUpdateTime": 1767323045.5},
        {"EmailAddress": "c@ses.example", "Reason": "OTHER"}], "NextToken": "x"}, indent=1), ["--stream", "news"],
     [("a@ses.example", "tenant", "", "bounce", "hard", ""), ("b@ses.example", "stream", "news", "complaint", "", "")], 1),
    ("ses.csv", "\ufeffReason,Extra,EMAILADDRESS\r\nBOUNCE,x,d@ses.example\r\n", [],
     [("d@ses.example", "tenant", "", "bounce", "hard", "")], 0),
    ("suppression_bounces.csv", f"status,reason,email,created\n5.1.1,\"{SENDGRID_BOUNCE}\",a@sg.example,1443651125\n"
     "5.0.0,who knows what,b@sg.example,1443651125\n", [],
     [("a@sg.example", "tenant", "", "bounce", "hard", "bad_mailbox"), ("b@sg.example", "tenant", "", "bounce", "", "")], 0),
    ("invalid.json", json.dumps([{"email": "c@sg.example", "created": 1443651125, "reason": "Known bad domain"}]), [],
     [("c@sg.example", "tenant", "", "bounce", "hard", "bad_domain")], 0),
    ("spam.csv", "email,created,ip\nd@sg.example,1443651125,192.0.2.1\n", ["--scope", "tenant"],
     [("d@sg.example", "tenant", "", "complaint", "", "")], 0),
    ("unsub.csv", "email,created\ne@sg.example,1443651125\n", ["--stream", "news", "--tenant", "t1"],
     [("e@sg.example", "stream", "news", "unsubscribe", "", "")], 0),
    ("mailgun.csv", "address,code,error,created_at\na@mg.example,550,\"5.1.1 no such user here, \"\"bob\"\"\","
     "\"Fri, 21 Oct 2025 11:02:55 GMT\"\nb@mg.example,605,,\"Fri, 21 Oct 2025 11:02:55 +0200\"\nc@mg.example,550,x,yesterday\n", [],
     [("a@mg.example", "tenant", "", "bounce", "hard", "bad_mailbox"), ("b@mg.example", "tenant", "", "bounce", "", "")], 1),
    ("mg.json", json.dumps({"items": [{"address": "d@mg.example", "tags": ["*"], "created_at": "Thu, 15 Oct 2025 13:00:00 UTC"}],
                            "paging": {"next": "https://x.example/[{"}}), [],
     [("d@mg.example", "stream", "", "unsubscribe", "", "")], 0),
    ("complaints.csv", "address,created_at\ne@mg.example,2025-10-15 13:00:00 UTC\n", [],
     [("e@mg.example", "stream", "", "complaint", "", "")], 0),
    ("postmark.json", json.dumps({"Suppressions": [
        {"EmailAddress": "a@pm.example", "SuppressionReason": "HardBounce", "Origin": "Recipient", "CreatedAt": "2025-12-10T08:58:33-05:00"},
        {"EmailAddress": "b@pm.example", "SuppressionReason": "SpamComplaint", "Origin": "Recipient", "CreatedAt": "2025-12-10T08:58:33-05:00"},
        {"EmailAddress": "c@pm.example", "SuppressionReason": "ManualSuppression", "Origin": "Recipient"},
        {"EmailAddress": "d@pm.example", "SuppressionReason": "ManualSuppression", "Origin": "Customer"}]}), [],
     [("a@pm.example", "tenant", "", "bounce", "hard", ""), ("b@pm.example", "stream", "", "complaint", "", ""),
      ("c@pm.example", "stream", "", "unsubscribe", "", ""), ("d@pm.example", "tenant", "", "other", "", "")], 0),
    ("sparkpost.csv", "recipient,transactional,non_transactional,type,source,description,created\n"
     "a@sp.example,true,true,transactional,Bounce Rule,\"550: 550 5.1.1 user unknown\",2025-05-05T12:00:00+00:00\n"
     "b@sp.example,false,true,non_transactional,Spam Complaint,,2025-05-05T12:00:00+00:00\n"
     "c@sp.example,false,false,,Manually Added,,\n", [],
     [("a@sp.example", "tenant", "", "bounce", "hard", "bad_mailbox"), ("b@sp.example", "stream", "", "complaint", "", "")], 1),
    ("cleaned.csv", "\"Email Address\",\"First Name\",CLEAN_TIME\na@mc.example,\"Ann\nB\",\"2025-05-05 12:00:00\"\n"
     "not an address,x,\"2025-05-05 12:00:00\"\n", [], [("a@mc.example", "tenant", "", "bounce", "", "")], 1),
    ("unsubscribed.csv", "Email Address,UNSUB_TIME,UNSUB_REASON\nb@mc.example,2025-05-05 12:00:00,No longer interested\n"
     "c@mc.example,2025-05-05 12:00:00,Abuse complaint\n", [],
     [("b@mc.example", "stream", "", "unsubscribe", "", ""), ("c@mc.example", "stream", "", "complaint", "", "")], 0),
]


def put(setup, name, text):
    return setup.box.write(name, text)


def run_import(setup, path, *options, code=0, **kwargs):
    done = setup.command("suppression", "import", path, "--json", *options, code=code, **kwargs)
    return json.loads(done.out), done.errors


def list_now(setup):
    return setup.pg.sql(ROWS)


def providers(setup):
    for name, text, options, want, refused in FILES:
        path = put(setup, name, text)
        setup.pg.sql("delete from bouncemx.suppression")
        dry, errors = run_import(setup, path, *options)
        expect(not dry["applied"] and not list_now(setup), f"{name}: a dry run wrote")
        done, _ = run_import(setup, path, "--apply", *options)
        for row in dry, done:
            expect(row["new"] == len(want) and row["refused"] == refused, f"{name}: {row} {errors}")
        got = [(r[0], r[2], r[3], r[5], r[6], r[7]) for r in list_now(setup)]
        expect(got == want, f"{name}: {got}\n  expected {want}")
    rows = setup.pg.sql("select event_at, reason from bouncemx.suppression where address_key = 'b@mc.example'")
    expect(rows == [["2025-05-05 12:00:00+00", "mailchimp: No longer interested"]], f"time and reason: {rows}")


def refusals(setup):
    path = put(setup, "bad.csv", "address,scope,kind,category,expires_at,state\n"
               "a@x.example,tenant,bounce,bad_mailbox,,\n"
               "\n"
               "nobody,tenant,bounce,,,\n"
               "b@x.example,planet,bounce,,,\n"
               "c@x.example,tenant,bounce,no_such,,\n"
               "d@x.example,tenant,bounce,,soon,\n"
               "e@x.example,tenant,bounce,,2020-01-01,\n"
               "f@x.example,tenant,bounce,,,pending\n"
               "g@x.example,tenant,bounce,,,,surplus\n"
               "\x1b[31m@,tenant,bounce,,,\n"
               "h@x.example,global,complaint,,2099-01-01T00:00:00Z,active\n")
    row, errors = run_import(setup, path)
    said = {"address": 2, "word": 2, "time": 1, "over": 1, "pending": 1, "unreadable": 1}
    got = {k: n for k, n in row["refused_for"][0].items() if n}
    expect(got == said and row["new"] == 2, f"refused: {row}")
    for part in ('bad.csv:4: "nobody": expected an address', 'bad.csv:5: "planet": expected the scope',
                 'bad.csv:6: "no_such": expected a category', 'bad.csv:7: "soon": expected a time',
                 'bad.csv:8: "2020-01-01": expected an end', 'bad.csv:10: expected at most 6 fields'):
        expect(part in errors, f"{part!r} is not in {errors!r}")
    expect("\x1b" not in errors, "an escape sequence on the terminal")
    lines = setup.box.path("refused.txt")
    _, errors = run_import(setup, path, "--refused", lines)
    with open(lines, encoding="utf-8") as f:
        expect(len(f.readlines()) == 8 and errors == "", f"--refused: {errors!r}")
    many = put(setup, "many.csv", "address,scope,kind\n" + "x,tenant,bounce\n" * 500)
    _, errors = run_import(setup, many)
    expect(errors.count("\n") == 21 and "480 more refused" in errors, f"500 refusals: {errors!r}")
    for name, text, said in (
            ("x.csv", "a,b\n1,2\n", "names that are not those of any format"),
            ("x.csv", "email,status,reason,created\n", "--list bounces or --list blocks"),
            ("blocks.csv", "email,status,reason,created\n", "do not suppress"),
            ("x.csv", "Email Address,MEMBER_RATING\n", "people who are subscribed"),
            ("x.csv", "address,scope,kind\na@x.example,tenant,bounce\n\"b@x.example,tenant," + "x" * 2000000, "line 3: a field of over"),
            ("x.json", '[{"address":"a@x.example","scope":"tenant","kind":"bounce"},{"address"', "the file ends inside"),
            ("x.json", "{]", "x.json"), ("x.json", '{"a":' * 100, "brackets in pairs"),
            ("x.csv", "\ufeffa".encode("utf-16").decode("latin-1"), None)):
        done = setup.run("suppression", "import", "--config", setup.config_path, put(setup, name, text), code=1)
        expect(said is None or said in done.errors, f"{text[:60]!r}: {done.errors!r}")
    setup.run("suppression", "import", "--config", setup.config_path, setup.box.root, code=1)
    row, _ = run_import(setup, "-", stdin=b"address,scope,kind\na@x.example,tenant,bounce\n")
    expect(row["new"] == 1, f"standard input: {row}")
    row, _ = run_import(setup, put(setup, "empty.csv", ""), "--apply")
    expect(row["records"] == 0 and row["whole"], f"an empty file: {row}")


def killed(setup):
    """SIGKILL between batches: no row lost or twice; what was done is not done again."""
    setup.pg.sql("truncate bouncemx.suppression, bouncemx.suppression_change")
    total = 16000
    path = put(setup, "big.csv", "address,scope,kind,reason\n" + "".join(
        f"user{i}@big.example,tenant,bounce,r\n" for i in range(total)))
    argv = [setup.program, "suppression", "import", "--config", setup.config_path, path, "--apply", "--json"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    begun = "select coalesce(max(records), 0) from bouncemx.import_job where file like '%big.csv'"
    wait_until("a part of the import", 60, lambda: setup.pg.count(begun) > 0, every=0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)
    done = setup.pg.count(begun)
    expect(0 < done < total, f"killed after {done} records")
    rows, changes = (setup.pg.count(f"select count(*) from bouncemx.{t}") for t in ("suppression", "suppression_change"))
    expect(rows == changes == done, f"{rows} rows, {changes} changes, {done} records")
    row, _ = run_import(setup, path, "--apply")
    expect(row["records_before"] == done and row["new"] == total - done and row["records"] == total, f"resumed: {row}")
    changes = setup.pg.count("select count(*) from bouncemx.suppression_change")
    rows = setup.pg.count("select count(*) from bouncemx.suppression")
    expect(rows == changes == total, f"{rows} rows, {changes} changes")
    row, _ = run_import(setup, path, "--apply")
    expect(row["done_before"] and row["new"] == 0, f"once more: {row}")
    row, _ = run_import(setup, path, "--apply", "--again")
    expect(row["standing"] == total and row["new"] == 0, f"--again: {row}")
    expect(setup.pg.count("select count(*) from bouncemx.suppression_change") == total, "it changed something")
    audit = setup.pg.sql("select detail -> 'outcomes' from bouncemx.audit where object like '%big.csv' order by at")
    expect(audit == [['{"new": 16000}'], ['{"standing": 16000}']], f"audit: {audit}")


LIST = """
delete from bouncemx.suppression;
insert into bouncemx.suppression (address_key, tenant, scope, stream, address, event_stream, event_at, kind, class, category,
    confidence, rule, status, diagnostic, expires_at, events, last_event_at, origin, reason, actor)
select key, tenant, scope::bouncemx.suppression_scope, stream, upper(left(key, 1)) || substr(key, 2), stream, at, kind::bouncemx.event_kind,
    class::bouncemx.bounce_class, category::bouncemx.bounce_category, confidence::bouncemx.bounce_confidence, rule, status, words,
    ends, 0, at, 'import', reason, 'x'
  from (values
    ('a@l.example', 't', 'tenant', '', timestamptz '2026-01-02 03:04:05.678901+00', 'bounce', 'hard', 'bad_mailbox', 'high', 'r1', '5.1.1',
     E'550 5.1.1 "no", such\\n\\tuser \\\\ here', null::timestamptz, null),
    ('a@l.example', 't', 'stream', 'news', '2026-01-02 00:00:00+00', 'complaint', null, null, null, null, null, null, null, ' said so '),
    ('\U0001f600@xn--bcher-kva.example', '', 'global', '', '2026-01-02 00:00:00+00', 'unsubscribe', null, null, null, null, null, null, '2199-01-01', E'\\u00e4, "b"'),
    ('d@l.example', 't', 'tenant', '', '2026-01-02 00:00:00+00', 'other', null, null, null, null, null, null, null, 'by hand'))
    v (key, tenant, scope, stream, at, kind, class, category, confidence, rule, status, words, ends, reason);
"""


def round_trip(setup):
    setup.pg.sql(LIST)
    want = list_now(setup)
    for name in ("csv", "ndjson"):
        path = setup.box.path("list." + name)
        done = setup.run("suppression", "export", "--config", setup.config_path, "--format", name, path)
        expect("4 rows; changes from here on: bouncemx feed --after " in done.errors, f"export: {done.errors!r}")
        cursor = done.errors.split("--after ")[1].strip()
        with open(path, encoding="utf-8", newline="") as f:
            text = f.read()
        if name == "csv":
            rows = list(csv.DictReader(io.StringIO(text)))
            expect(rows[0].keys() >= {"address", "cursor:" + cursor}, f"header: {list(rows[0])}")
            expect(any(r["diagnostic"] == '550 5.1.1 "no", such\n\tuser \\ here' for r in rows), f"cells: {rows}")
        else:
            rows = [json.loads(line) for line in text.splitlines()]
            expect(rows.pop(0)["cursor"] == cursor, f"header: {text[:200]}")
            expect(any(r["event_at"] == "2026-01-02T03:04:05.678901Z" for r in rows), f"times: {rows}")
        expect(len(rows) == 4, f"{name}: {rows}")
        setup.pg.sql("delete from bouncemx.suppression")
        row, errors = run_import(setup, path, "--apply")
        expect(row["new"] == 4 and row["refused"] == 0, f"{name}: {row} {errors}")
        got = list_now(setup)
        expect(got == want, f"{name}: the list is\n{got}\n  was\n{want}")
    done = setup.run("suppression", "export", "--config", setup.config_path, "--tenant", "t", "--stream", "other")
    expect(len(done.out.splitlines()) == 1 + 4, f"of one stream: {done.out}")


def as_providers(setup):
    """What a provider's columns can say comes back."""
    for name, kinds in (("ses", "bounce complaint"), ("postmark", "bounce complaint unsubscribe other"),
                        ("sparkpost", "bounce complaint unsubscribe other"), ("sendgrid", "bounce"),
                        ("mailgun", "bounce"), ("mailgun", "unsubscribe"), ("sendgrid", "complaint"), ("mailchimp", "bounce"),
                        ("mailchimp", "unsubscribe"), ("mailgun", "complaint"), ("sendgrid", "unsubscribe")):
        setup.pg.sql(LIST)
        kind = ["--kind", kinds] if name in ("sendgrid", "mailgun", "mailchimp") else []
        path = setup.box.path(f"{kinds.replace(' ', '_')}.csv")
        setup.run("suppression", "export", "--config", setup.config_path, "--format", name, *kind, path)
        keys = "select address_key, kind, date_trunc('second', event_at) from bouncemx.suppression where kind = any ('{%s}') order by 1, 2" \
            % kinds.replace(" ", ",")
        want = setup.pg.sql(keys)
        setup.pg.sql("delete from bouncemx.suppression")
        hint = ["--list", kinds + "s"] if name in ("sendgrid", "mailgun") else []
        row, errors = run_import(setup, path, "--apply", "--format", name, *hint)
        got = setup.pg.sql(keys)
        expect(got == want and row["refused"] == 0 and want, f"{name} {kinds}: {got}, was {want}; {row} {errors}")


def trouble(setup):
    setup.pg.sql("insert into bouncemx.suppression (address_key, tenant, scope, stream, address, event_stream, event_at, kind, events, last_event_at,"
                 " origin) select n || '@x.example', '', 'tenant', '', n || '@x.example', '', now(), 'bounce', 0, now(), 'import' from generate_series(1, 30000) n")
    for path in ("/dev/full",):
        with open(path, "wb") as f:
            done = subprocess.run([setup.program, "suppression", "export", "--config", setup.config_path], stdout=f,
                                  stderr=subprocess.PIPE, timeout=60, check=False)
        expect(done.returncode == 1 and b"No space left" in done.stderr, f"a full disk: {done}")
    process = subprocess.Popen([setup.program, "suppression", "export", "--config", setup.config_path],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    errors = process.stderr.read()
    expect(process.wait(60) == 1 and b"Broken pipe" in errors, f"a broken pipe: {process.returncode} {errors}")
    old = put(setup, "kept.csv", "old\n")
    setup.pg.sql("alter function bouncemx.feed_cursor() rename to feed_cursor_away")
    setup.run("suppression", "export", "--config", setup.config_path, old, code=1)
    setup.pg.sql("alter function bouncemx.feed_cursor_away() rename to feed_cursor")
    with open(old, encoding="ascii") as f:
        expect(f.read() == "old\n" and not os.path.exists(old + ".tmp"), "a failed export touched the file")


def volumes(setup):
    path = put(setup, "volume.csv", "Day,Stream,Operator,Sent,Delivered\n2026-03-01,news,google,1000,990\n"
               "2026-03-01,news,,5000,\n2026-13-01,news,,1,\n2026-03-02,news,google,many,\n2026-03-02,news,google,10,11\n")
    for options, new, standing in ((), 2, 0), (("--apply",), 2, 0), (("--apply",), 0, 2):
        done = setup.command("volume", "import", path, "--json", *options)
        row = json.loads(done.out)
        expect(row["new"] == new and row["standing"] == standing and row["refused"] == 3, f"volume import {options}: {row}")
        for part in ('volume.csv:4: "2026-13-01": expected a day', 'volume.csv:5: "many": expected', 'volume.csv:6: "11": expected'):
            expect(part in done.errors, f"{part!r} is not in {done.errors!r}")
    rows = setup.json_lines("volume", "list")
    expect([(r["day"], r["operator"], r["sent"], r["delivered"]) for r in rows]
           == [("2026-03-01", "", 5000, None), ("2026-03-01", "google", 1000, 990)], f"volume list: {rows}")


def test(setup):
    setup.configure()
    setup.database()
    setup.pg.sql(CURSOR)
    providers(setup)
    refusals(setup)
    killed(setup)
    round_trip(setup)
    as_providers(setup)
    trouble(setup)
    volumes(setup)


if __name__ == "__main__":
    harness.main("import_list", test)
