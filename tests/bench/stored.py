"""A database that already holds many events: 30 days of hard bounces, a token each, a list of one in five."""

# Ids begin with their time, as those of messages do.
OURS = """
WITH x AS (
    SELECT n, t, ('01' || substr(lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0'), 3, 6)
                  || '-' || right(lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0'), 4)
                  || '-7' || substr(md5(n::text), 1, 3) || '-8' || substr(md5(n::text), 4, 3) || '-'
                  || substr(md5(n::text), 8, 8))::text AS id
      FROM (SELECT {first} + n AS n, now() - interval '1 day' - random() * interval '29 days' AS t
              FROM generate_series(1, {count}) n) s),
m AS (
    INSERT INTO bouncemx.message (id, received_at, node, client_address, helo, protocol, mail_from, rcpt_to, size, truncated, kind)
    SELECT (x.id || '0000')::uuid, x.t, 'mx1', '192.0.2.17', 'out17.example.com', 'ESMTPS', '', ARRAY['b@bounces.example.test'], 4096,
           false, 'bounce' FROM x ORDER BY x.t)
INSERT INTO bouncemx.event (id, received_at, kind, tenant, stream, node, address, address_key, source, verified, forwarded,
    trusted, class, category, fault, confidence, rule, mx_operator, action, status, reply_code, diagnostic, evidence_text,
    fingerprint, verification, token, token_day, effect)
SELECT (x.id || '0001')::uuid, x.t, 'bounce', 'main', 'default', 'mx1', 'Old.' || n || '@example.net', 'old.' || n || '@example.net',
       'token', true, false, true, 'hard', 'bad_mailbox', 'recipient', 'high', 'google.no_such_user', 'google', 'failed', '5.1.1', 550,
       '550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient',
       'account that you tried to reach does not exist', n % 5000, 'token', 'b1ba' || n, x.t::date, 'counted'
  FROM x ORDER BY x.t;
INSERT INTO bouncemx.token_seen (token, day, events) SELECT 'b1ba' || {first} + n, current_date - n % 30, 1 FROM generate_series(1, {count}) n;
INSERT INTO bouncemx.suppression (address_key, tenant, scope, address, event_stream, event_id, event_at, kind, class, category, events, last_event_id, last_event_at)
SELECT 'old.' || {first} + n || '@example.net', 'main', 'tenant', 'old.' || {first} + n || '@example.net', 'default', gen_random_uuid(), now(), 'bounce',
       'hard', 'bad_mailbox', 1, gen_random_uuid(), now() FROM generate_series(1, {count}, 5) n;
"""


STEP = 500000


def fill(pg, sql, from_count, to_count):
    """Runs sql (OURS, or one with the same places) from the row behind from_count up to row to_count."""
    pg.sql("SELECT bouncemx.ensure_partitions(now() - interval '40 days', now() + interval '7 days')", login="bouncemx")
    # What fills is no load: its changes of the list are not what is measured.
    sql = ("SET synchronous_commit = off; ALTER TABLE bouncemx.suppression DISABLE TRIGGER USER;" + sql +
           "ALTER TABLE bouncemx.suppression ENABLE TRIGGER USER;")
    for first in range(from_count, to_count, STEP):
        pg.sql(sql.format(first=first, count=min(STEP, to_count - first)), timeout=1200, login="bouncemx")
