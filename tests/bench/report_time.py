#!/usr/bin/env python3
"""How long each report takes over 30 days of stored events.

Fills a private, durable PostgreSQL with a mix like that of a busy sender: 20 operators, 10 streams, 200
campaigns (20 at a time), 43 categories, 300 rules, 4,000 different texts, all with skew; blocks, complaints, forged reports, volume. Rolls
them up, then times `bouncemx report NAME --csv` for the 30 days, median of 3, beside is_suppressed in
a join and an export of the list. Asked for: each report under 1 s at 10M events, export of 1M rows under
2 s, is_suppressed at most 12 µs."""
import statistics
import time

import bench

NAMES = ("operator", "campaigns", "reasons", "spikes", "blocks", "diagnostics", "unclassified", "latency",
         "rates", "flow", "soft", "forged", "rules", "unmatched", "held")
DAYS = 30
FIRST = "2026-09-01"
UNTIL = "2026-10-01"

# One row a mail that came: what is drawn once decides what follows from it. The text decides rule, category
# and mostly the operator, as it does outside.
DRAWN = """
CREATE UNLOGGED TABLE drawn AS
SELECT i, f, rule, cat, at, campaign, campaign % 10 AS stream, kind, verification, r4, person,
       (lpad(to_hex(i), 12, '0') || '700080000000' || lpad(to_hex(i % 65536), 4, '0') || '0000')::uuid AS message_id,
       (lpad(to_hex(i), 12, '0') || '700080000000' || lpad(to_hex(i % 65536), 4, '0') || '0001')::uuid AS event_id,
       CASE WHEN r4 < 0.8 THEN f * 13 % 20 ELSE (20 * r5 * r5)::integer % 20 END AS operator,
       CASE WHEN cat < 6 THEN 'hard' WHEN cat < 13 THEN 'soft' WHEN cat < 22 THEN 'transient' WHEN cat < 33 THEN 'block'
            WHEN cat < 37 THEN 'message' WHEN cat < 42 THEN 'local' ELSE 'unknown' END AS class
  FROM (SELECT i, f, f % 300 AS rule, f % 300 * 7 % 43 AS cat, at, r4, r5, (r6 * {events} / 4)::bigint AS person,
               ({day} * 6 + (20 * r3 * r3)::integer) % 200 AS campaign,
               CASE WHEN r1 < 0.92 THEN 'bounce' WHEN r1 < 0.96 THEN 'delayed' WHEN r1 < 0.99 THEN 'complaint' ELSE 'other' END AS kind,
               CASE WHEN r2 < 0.8 THEN 'token' WHEN r2 < 0.85 THEN 'sent' WHEN r2 < 0.97 THEN 'unsigned' WHEN r2 < 0.995 THEN 'forged'
                    ELSE 'expired' END AS verification
          FROM (SELECT i, (4000 * random() ^ 4)::integer AS f, random() AS r1, random() AS r2, random() AS r3, random() AS r4,
                       random() AS r5, random() AS r6, timestamptz '{begin}' + random() * interval '24 hours' AS at
                  FROM generate_series({low}::bigint, {high}::bigint) i) d) d
"""
MESSAGES = """
INSERT INTO bouncemx.message (id, received_at, node, client_address, mail_from, rcpt_to, size, truncated, kind, header_from, user_agent)
SELECT message_id, at, 'mx1', '192.0.2.' || (CASE verification WHEN 'forged' THEN i % 250 ELSE operator END), '',
       ARRAY['x@rp' || stream || '.example'], 4000, false, kind::bouncemx.event_kind, 'mailer@op' || operator || '.example',
       CASE kind WHEN 'complaint' THEN 'FBL/' || operator END
  FROM drawn
"""
SENT = """
INSERT INTO bouncemx.sent (day, id, recipient, tenant, sent_at)
SELECT date '{begin}', translate(lpad(to_hex(i), 13, 'z'), '0189', 'ghij'), 'user' || person || '@example.com', 'main', at - (r4 * 8) ^ 5 * interval '1 s'
  FROM drawn WHERE verification = 'sent'
"""
EVENTS = """
INSERT INTO bouncemx.event (id, received_at, kind, tenant, stream, node, address, address_key, source, verified, forwarded, trusted,
                   class, category, confidence, rule, mx_operator, status, diagnostic, fingerprint, verification, token_id, token_day,
                   campaign, effect, listed_address, blocklist)
SELECT event_id, at, kind::bouncemx.event_kind, 'main', 'stream' || stream, 'mx1', 'user' || person || '@example.com',
       CASE WHEN kind <> 'complaint' OR verification <> 'unsigned' THEN 'user' || person || '@example.com' END,
       'verp', verification IN ('token', 'sent'), false, verification IN ('token', 'sent'),
       (CASE WHEN said THEN class END)::bouncemx.bounce_class,
       (CASE WHEN said THEN (enum_range(NULL::bouncemx.bounce_category))[cat + 1] END),
       (CASE WHEN said THEN 'high' END)::bouncemx.bounce_confidence, CASE WHEN said THEN 'rule-' || rule END,
       CASE WHEN said THEN 'operator' || operator END, CASE WHEN said THEN '5.' || cat % 8 || '.' || rule % 10 END,
       CASE WHEN said THEN '550 text number ' || f || ' about user' || person END,
       CASE WHEN said THEN hashtextextended(f::text, 0) END, verification::bouncemx.verification,
       CASE verification WHEN 'sent' THEN translate(lpad(to_hex(i), 13, 'z'), '0189', 'ghij') END,
       CASE verification WHEN 'sent' THEN date '{begin}' END, 'campaign' || campaign,
       (CASE WHEN verification NOT IN ('token', 'sent') THEN 'unverified' WHEN class = 'hard' AND r4 < 0.5 THEN 'suppressed'
             ELSE 'none' END)::bouncemx.event_effect,
       CASE WHEN said AND class = 'block' AND i % 2 = 0 THEN ('198.51.100.' || rule % 16)::inet END,
       CASE WHEN said AND class = 'block' AND i % 2 = 0 THEN 'list' || cat || '.example' END
  FROM (SELECT *, kind IN ('bounce', 'delayed') AS said FROM drawn) d
"""
EVIDENCE = """
INSERT INTO bouncemx.evidence (id, received_at, raw)
SELECT message_id, at, convert_to(repeat(md5(i::text) || 'From: mailer@example.com ', 70), 'UTF8') FROM drawn
"""
# A change for each row of the list that an event made, and a score for each tenth person.
CHANGES = """
INSERT INTO bouncemx.suppression_change (address_hash, at, op, address_key, address, tenant, scope, stream, state, origin, kind, category, actor)
SELECT decode(md5(person::text), 'hex'), at, 'add', 'user' || person || '@example.com', 'user' || person || '@example.com', 'main', 'tenant', '',
       'active', 'event', kind::bouncemx.event_kind, CASE kind WHEN 'bounce' THEN (enum_range(NULL::bouncemx.bounce_category))[cat + 1] END, ''
  FROM drawn WHERE class = 'hard' AND verification IN ('token', 'sent') AND r4 < 0.5
"""
SCORES = """
INSERT INTO bouncemx.address_score (address_key, tenant, stream, days, points, score, last_at, last_event_id, policy)
SELECT DISTINCT ON (person) 'user' || person || '@example.com', 'main', '', ARRAY[date '{begin}'], ARRAY[1], (r4 * 3)::numeric(8, 2), at, event_id,
       (SELECT name FROM bouncemx.policy WHERE class = 'soft' ORDER BY name LIMIT 1)
  FROM drawn WHERE class = 'soft' AND person % 10 = 0 ON CONFLICT DO NOTHING
"""
VOLUME = f"""
INSERT INTO bouncemx.volume (day, tenant, stream, mx_operator, sent)
SELECT day, 'main', 'stream' || s, CASE WHEN o < 20 THEN 'operator' || o ELSE '' END, 100000
  FROM generate_series(date '{FIRST}', date '{UNTIL}' - 1, '1 day') day, generate_series(0, 9) s, generate_series(0, 20) o
"""
LIST = """
INSERT INTO bouncemx.suppression (address_key, tenant, scope, address, event_stream, origin, event_at, kind, class, category, confidence, rule,
                                  status, diagnostic, events, last_event_at)
SELECT k, 'main', 'tenant', k, 'stream1', 'import', '{first}', 'bounce', 'hard', 'bad_mailbox', 'high', 'rule-1', '5.1.1', '550 no such user', 1, '{first}'
  FROM (SELECT 'user' || n || '@mail' || n % 100 || '.example.com' AS k FROM generate_series(1, {rows}) n) k
"""


def arguments(parser):
    parser.add_argument("--events", type=int, default=300000)
    parser.add_argument("--list", type=int, help="rows of the list (default: as events, 1M at most)")
    parser.add_argument("--evidence", action="store_true", help="store raw mail too, about 4 KB each")


def fill(setup):
    options = setup.options
    pg = setup.pg
    pg.sql(f"SELECT bouncemx.ensure_partitions('{FIRST}', '{UNTIL}')")
    each = options.events // DAYS
    for day in range(DAYS):
        words = {"events": options.events, "day": day, "begin": f"2026-09-{day + 1:02} 00:00:00+00",
                 "low": day * each + 1, "high": (day + 1) * each}
        steps = [DRAWN, MESSAGES, SENT, EVENTS, CHANGES, SCORES] + ([EVIDENCE] if options.evidence else [])
        # As a replica: no triggers, which others measure.
        pg.sql("SET session_replication_role = replica; SET timezone = 'UTC'; DROP TABLE IF EXISTS drawn; " + f"SELECT setseed({day / 100});"
               + ";".join(step.format(**words) for step in steps), timeout=3600)
    pg.sql("DROP TABLE drawn")
    pg.sql(VOLUME)
    rows = options.list or min(options.events, 1000000)
    pg.sql("SET session_replication_role = replica;" + LIST.format(rows=rows, first=FIRST), timeout=3600)
    return rows


def roll_up(setup):
    """Hour by hour, as the migration that brought roll-ups does it."""
    setup.pg.sql(f"SELECT bouncemx.roll_up_stored('{FIRST} 00:00:00+00', '{UNTIL} 00:00:00+00')", timeout=7200)
    setup.pg.sql("VACUUM ANALYZE", timeout=3600)


def median(call, rounds=3):
    took = []
    for _ in range(rounds):
        seconds, answer = bench.timed(call)
        took.append(seconds)
    return statistics.median(took), answer


def test(setup):
    started = time.monotonic()
    setup.database(durable=True, options=("shared_buffers=1GB", "max_wal_size=8GB", "work_mem=16MB"))
    listed = fill(setup)
    filled = time.monotonic()
    roll_up(setup)
    rolled = time.monotonic()
    setup.note(events=setup.options.events, fill_s=round(filled - started, 1), roll_up_s=round(rolled - filled, 1))
    sizes = setup.pg.sql("SELECT c.relname, c.reltuples::bigint, pg_size_pretty(pg_total_relation_size(c.oid)) FROM pg_class c "
                         "WHERE c.relnamespace = 'bouncemx'::regnamespace AND c.relkind = 'r' AND c.relname ~ '_(hourly|daily)$' ORDER BY 1")
    bench.table(sizes, ["roll-up", "rows", "size"])
    rows = []
    for name in NAMES:
        seconds, done = median(lambda name=name: setup.command(
            "report", name, "--csv", "--since", FIRST, "--until", UNTIL, timeout=600))
        rows.append([name, f"{seconds * 1000:.0f}", str(done.out.count("\n") - 1)])
        setup.note(**{f"{name}_ms": round(seconds * 1000)})
    bench.table(rows, ["report", "ms", "rows"])
    path = setup.box.path("list.csv")
    exported, _ = median(lambda: setup.command("suppression", "export", path, timeout=600))
    asked = (f"FROM (SELECT 'user' || n * 7 || '@mail' || n % 100 || '.example.com' AS email FROM generate_series(1, {listed}) n OFFSET 0) c "
             "WHERE bouncemx.is_suppressed(email, 'news', 'main')")
    joined, _ = median(lambda: setup.pg.sql(f"SET max_parallel_workers_per_gather = 0; SELECT count(*) {asked}", timeout=600))
    bench.table([["export of the list, s", f"{exported:.2f}"], ["is_suppressed in a join, µs each", f"{joined / listed * 1e6:.2f}"]],
                [f"{listed} rows", ""])
    setup.note(export_s=round(exported, 2), is_suppressed_us=round(joined / listed * 1e6, 2))


if __name__ == "__main__":
    bench.main("report_time", test, arguments, 14400)
