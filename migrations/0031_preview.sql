-- What another policy would have done: the stored events of a time go through the same rules (first_effect,
-- strikes_hold, score_run) without touching a row.

CREATE FUNCTION bouncemx.policy_run(policies bouncemx.policy[], since timestamptz, until timestamptz)
    RETURNS TABLE (address_key text, tenant text, scope bouncemx.suppression_scope, stream text,
                   kind bouncemx.event_kind, policy text, at timestamptz, holds_until timestamptz,
                   event_id uuid)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH e AS MATERIALIZED (
        SELECT v.id, v.received_at, v.kind, v.class, v.category, v.tenant, v.stream, v.address_key,
               v.confidence, v.verification, v.trusted, v.counts, v.capped, v.token
          FROM bouncemx.event v
         WHERE v.received_at >= since AND v.received_at < until
           AND v.kind IN ('bounce', 'complaint', 'unsubscribe') AND v.address_key IS NOT NULL
           -- Contents are not kept with events: which ones repeat without a token is what was found then.
           AND v.effect <> 'undone' AND (v.effect <> 'repeat' OR v.token IS NOT NULL)),
    found AS MATERIALIZED (
        SELECT d.*, p.place, p.name, p.strikes, p.strikes_unsure, p.score, p.expires, p.scope
          FROM (SELECT DISTINCT e.kind, e.class, e.category, e.tenant, e.stream FROM e) d
         CROSS JOIN LATERAL (
               SELECT p.*, p.ordinality AS place
                 FROM unnest(policies) WITH ORDINALITY p
                WHERE p.kind = d.kind
                  AND (p.class IS NULL OR p.class = d.class)
                  AND (p.category IS NULL OR p.category = d.category)
                  AND (p.tenant IS NULL OR p.tenant = d.tenant)
                  AND (p.stream IS NULL OR p.stream = d.stream)
                ORDER BY p.tenant IS NULL, p.stream IS NULL, p.category IS NULL, p.class IS NULL
                LIMIT 1) p),
    judged AS (
        SELECT e.*, f.place, f.name, f.expires, f.scope,
               CASE f.scope WHEN 'stream' THEN e.stream ELSE '' END AS held,
               bouncemx.is_sure(e.kind, e.confidence, e.verification, e.capped) AS sure,
               bouncemx.first_effect(e.kind, e.confidence, e.verification, e.trusted, e.counts, e.capped,
                                     e.address_key, f.strikes, f.strikes_unsure, f.score) AS effect
          FROM e
          JOIN found f
            ON f.kind = e.kind AND f.class IS NOT DISTINCT FROM e.class
           AND f.category IS NOT DISTINCT FROM e.category AND f.tenant = e.tenant AND f.stream = e.stream),
    -- A token counts once for each thing.
    counted AS MATERIALIZED (
        SELECT DISTINCT ON (coalesce(j.token, j.id::text), bouncemx.use_of(j.effect, j.kind)) j.*
          FROM judged j
         WHERE j.effect IN ('suppressed', 'strike', 'soft') AND NOT bouncemx.is_allowed(j.address_key, j.tenant)
         ORDER BY coalesce(j.token, j.id::text), bouncemx.use_of(j.effect, j.kind), j.received_at, j.id),
    lines AS MATERIALIZED (
        SELECT c.address_key, c.tenant, array_agg(c.received_at ORDER BY c.received_at, c.id) AS times,
               array_agg(c.sure ORDER BY c.received_at, c.id) AS sure,
               array_agg(coalesce(c.received_at + c.expires[1], 'infinity') ORDER BY c.received_at, c.id) AS untils,
               array_agg(c.id ORDER BY c.received_at, c.id) AS ids,
               array_agg(c.place ORDER BY c.received_at, c.id) AS places, min(c.kind) AS kind, c.held
          FROM counted c
         WHERE c.effect = 'strike'
         GROUP BY c.address_key, c.tenant, c.held, bouncemx.strike_line(c.kind, c.class, c.scope, c.stream)),
    scores AS MATERIALIZED (
        SELECT d.address_key, d.tenant, d.held, array_agg(d.day ORDER BY d.day) AS days,
               array_agg(d.points ORDER BY d.day) AS points, array_agg(d.last_at ORDER BY d.day) AS lasts,
               array_agg(d.id ORDER BY d.day) AS ids, array_agg(d.place ORDER BY d.day) AS places
          FROM (SELECT c.address_key, c.tenant, c.held, (c.received_at AT TIME ZONE 'UTC')::date AS day,
                       max((policies[c.place]).score) AS points, max(c.received_at) AS last_at,
                       (array_agg(c.id ORDER BY c.received_at DESC, c.id DESC))[1] AS id,
                       (array_agg(c.place ORDER BY c.received_at DESC, c.id DESC))[1] AS place
                  FROM counted c
                 WHERE c.effect = 'soft'
                 GROUP BY 1, 2, 3, 4) d
         GROUP BY d.address_key, d.tenant, d.held),
    made AS (
        SELECT c.address_key, c.tenant, c.scope, c.held, c.kind, c.place, c.received_at AS at,
               coalesce(c.received_at + c.expires[1], 'infinity') AS holds_until, c.id
          FROM counted c
         WHERE c.effect = 'suppressed'
        UNION ALL
        SELECT l.address_key, l.tenant, (policies[l.places[n]]).scope, l.held, l.kind, l.places[n], l.times[n],
               h.holds_until, l.ids[n]
          FROM lines l
         CROSS JOIN generate_series(1, cardinality(l.times)) n
         -- As far as they had come then.
         CROSS JOIN LATERAL (SELECT bouncemx.strikes_hold(l.times[:n], l.sure[:n], l.untils[:n], n::integer,
                                                          policies[l.places[n]]) AS holds_until) h
         WHERE h.holds_until IS NOT NULL
        UNION ALL
        SELECT s.address_key, s.tenant, p.scope, s.held, 'bounce', s.places[n], s.lasts[n], r.holds_until, s.ids[n]
          FROM scores s
         CROSS JOIN generate_series(1, cardinality(s.days)) n
         CROSS JOIN LATERAL (SELECT (policies[s.places[n]]).*) p
         CROSS JOIN LATERAL bouncemx.score_run(
               ROW(s.days[:n], s.points[:n], 0, 0, 0, NULL, s.lasts[n])::bouncemx.score_sum,
               p.threshold, p.span, p.decay, p.expires) r
         WHERE r.holds_until IS NOT NULL)
    SELECT m.address_key, m.tenant, m.scope, m.held, (array_agg(m.kind ORDER BY m.at, m.id))[1],
           (policies[(array_agg(m.place ORDER BY m.at, m.id))[1]]).name, min(m.at), max(m.holds_until),
           (array_agg(m.id ORDER BY m.at, m.id))[1]
      FROM made m
     GROUP BY m.address_key, m.tenant, m.scope, m.held;
END;
COMMENT ON FUNCTION bouncemx.policy_run(bouncemx.policy[], timestamptz, timestamptz) IS 'What these rows of policy would do with the events received from since to until (not included), if nothing was before them: address and scope that they would suppress, when first, until when at the latest (infinity: for good), by which row and event. Nothing is written.';

CREATE FUNCTION bouncemx.policy_preview(proposed bouncemx.policy[], since timestamptz, until timestamptz)
    RETURNS TABLE (outcome text, address_key text, tenant text, scope bouncemx.suppression_scope,
                   stream text, kind bouncemx.event_kind, now_policy text, now_at timestamptz,
                   now_until timestamptz, then_policy text, then_at timestamptz,
                   then_until timestamptz, event_id uuid)
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN n.at IS NULL THEN 'added'
                WHEN t.at IS NULL THEN 'spared'
                WHEN t.at < n.at THEN 'earlier'
                WHEN t.at > n.at THEN 'later'
                WHEN t.holds_until > n.holds_until THEN 'longer'
                WHEN t.holds_until < n.holds_until THEN 'shorter'
                ELSE 'renamed' END AS outcome,
           address_key, tenant, scope, stream, coalesce(t.kind, n.kind), n.policy, n.at, n.holds_until,
           t.policy, t.at, t.holds_until, coalesce(t.event_id, n.event_id)
      FROM bouncemx.policy_run(ARRAY(SELECT p FROM bouncemx.policy p), since, until) n
      FULL JOIN bouncemx.policy_run(proposed, since, until) t USING (address_key, tenant, scope, stream)
     WHERE (n.policy, n.at, n.holds_until) IS DISTINCT FROM (t.policy, t.at, t.holds_until)
     ORDER BY outcome, address_key, tenant, scope, stream;
END;
COMMENT ON FUNCTION bouncemx.policy_preview(bouncemx.policy[], timestamptz, timestamptz) IS 'Where other rows of policy than those that stand would have ended otherwise with the events received from since to until (not included): added, spared, earlier, later, longer, shorter, or renamed (only another row decides). Both run over those events alone, so rows of the list made by earlier ones or by hand are not looked at.';

CREATE FUNCTION bouncemx.policy_with(changes jsonb) RETURNS bouncemx.policy[]
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    unknown text;
    result  bouncemx.policy[];
BEGIN
    IF jsonb_typeof(changes) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'changes %: expected an object of policies by name, such as {"soft": {"threshold": 4}}', changes
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT c.name || '.' || k.key INTO unknown
      FROM jsonb_each(changes) c (name, value)
     CROSS JOIN LATERAL jsonb_object_keys(CASE jsonb_typeof(c.value) WHEN 'object' THEN c.value ELSE '{}' END) k (key)
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = 'bouncemx.policy'::regclass AND a.attname = k.key AND a.attnum > 0)
     ORDER BY 1 LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION '%: expected a column of bouncemx.policy', unknown
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT array_agg(jsonb_populate_record(NULL::bouncemx.policy,
                         coalesce(to_jsonb(p), jsonb_build_object(
                             'strikes_apart', '24 hours', 'strikes_within', '60 days', 'threshold', 5,
                             'span', '14 days', 'decay', '90 days', 'expires', '[]'::jsonb, 'scope', 'tenant'))
                         || coalesce(c.value, '{}') || jsonb_build_object('name', coalesce(p.name, c.name)))
                     ORDER BY coalesce(p.name, c.name))
      INTO result
      FROM bouncemx.policy p
      FULL JOIN jsonb_each(changes) c (name, value) ON c.name = p.name
     WHERE jsonb_typeof(c.value) IS DISTINCT FROM 'null';
    RETURN coalesce(result, '{}');
END $$;
COMMENT ON FUNCTION bouncemx.policy_with(jsonb) IS 'The rows of policy with changes, for policy_preview; nothing is written. Columns by name of the row: {"soft": {"threshold": 4}} changes one, {"my_own": {"kind": "bounce", "class": "soft", "stream": "news", "score": 2}} adds one, {"unsubscribe": null} leaves one out.';
