-- What an event does: one set-based function over a batch, called by the writer for new events and by
-- the resolver for those that waited.

CREATE FUNCTION bouncemx.limits(OUT strikes_apart interval, OUT strikes_within interval,
                                OUT disabled_for interval, OUT content_days integer,
                                OUT strike_days integer, OUT token_days integer,
                                OUT events_of_token bigint)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT interval '24 hours', interval '60 days', interval '180 days', 60, 60, 400, 20::bigint;
END;
COMMENT ON FUNCTION bouncemx.limits() IS 'The numbers of the rules: two strikes suppress when they are at least strikes_apart and at most strikes_within apart; mailbox_disabled ends after disabled_for; a content counts once in content_days; strikes are kept strike_days, tokens and sent token_days; of one token events_of_token events are kept.';

CREATE FUNCTION bouncemx.is_verified(v bouncemx.verification) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN v IN ('token', 'sent', 'dkim', 'log');
COMMENT ON FUNCTION bouncemx.is_verified(bouncemx.verification) IS 'Does it vouch for the address?';

CREATE FUNCTION bouncemx.first_effect(
    kind bouncemx.event_kind, class bouncemx.bounce_class, confidence bouncemx.bounce_confidence,
    verification bouncemx.verification, trusted boolean, counts boolean, capped boolean,
    address_key text)
    RETURNS bouncemx.event_effect
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN kind NOT IN ('bounce', 'complaint', 'unsubscribe') THEN 'none'::bouncemx.event_effect
        WHEN kind = 'bounce' AND (class IS NULL OR class NOT IN ('hard', 'soft')) THEN 'none'
        WHEN verification = 'waiting' THEN 'waiting'
        WHEN address_key IS NULL THEN 'no_address'
        -- A domain's trust is for what nobody signed: a forged or expired token is never trusted.
        WHEN NOT bouncemx.is_verified(verification)
         AND NOT (trusted AND verification = 'unsigned' AND kind = 'bounce') THEN 'unverified'
        WHEN kind <> 'bounce' THEN 'suppressed'
        WHEN NOT counts THEN 'not_counting'
        WHEN class = 'soft' THEN 'soft'
        WHEN confidence = 'high' AND NOT capped AND bouncemx.is_verified(verification) THEN 'suppressed'
        ELSE 'strike'
    END;
COMMENT ON FUNCTION bouncemx.first_effect(
    bouncemx.event_kind, bouncemx.bounce_class, bouncemx.bounce_confidence, bouncemx.verification,
    boolean, boolean, boolean, text)
    IS 'What an event would do if it were the first and only one.';

CREATE FUNCTION bouncemx.use_of(effect bouncemx.event_effect, kind bouncemx.event_kind)
    RETURNS bouncemx.use_kind
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE effect
        WHEN 'strike' THEN 'strike'::bouncemx.use_kind
        WHEN 'soft' THEN 'soft'
        WHEN 'suppressed' THEN CASE kind WHEN 'bounce' THEN 'hard'::bouncemx.use_kind
                                         WHEN 'complaint' THEN 'complaint' ELSE 'unsubscribe' END
    END;
COMMENT ON FUNCTION bouncemx.use_of(bouncemx.event_effect, bouncemx.event_kind) IS 'What an event of this first effect uses its token or content up for; NULL: nothing.';

CREATE TYPE bouncemx.candidate AS (
    event_id      uuid,
    received_at   timestamptz,
    kind          bouncemx.event_kind,
    tenant        text,
    stream        text,
    address       text,
    address_key   text COLLATE "C",
    verification  bouncemx.verification,
    trusted       boolean,
    counts        boolean,
    capped        boolean,
    token         text COLLATE "C",
    token_day     date,
    content       bytea,
    arrives       boolean,
    class         bouncemx.bounce_class,
    category      bouncemx.bounce_category,
    confidence    bouncemx.bounce_confidence,
    rule          text,
    mx_operator   text,
    source        bouncemx.address_source,
    status        text,
    diagnostic    text,
    evidence_text text);
COMMENT ON TYPE bouncemx.candidate IS 'An event that may act. arrives: it is new (counted towards its token''s limit), not one that waited.';
COMMENT ON COLUMN bouncemx.candidate.arrives IS 'It is new, not one that waited: counted towards its token''s limit.';

CREATE FUNCTION bouncemx.use_up(candidates bouncemx.candidate[]) RETURNS bouncemx.event_effect[]
    LANGUAGE plpgsql AS $$
DECLARE
    k        record := bouncemx.limits();
    ids      uuid[];
    effects  bouncemx.event_effect[];
    tokens   boolean;
    contents boolean;
    flooded  boolean;
BEGIN
    SELECT array_agg(c.event_id ORDER BY c.n), array_agg(c.effect ORDER BY c.n),
           bool_or(c.token IS NOT NULL),
           bool_or(c.token IS NULL AND c.content IS NOT NULL AND c.effect IN ('suppressed', 'strike', 'soft'))
      INTO ids, effects, tokens, contents
      FROM (SELECT c.ordinality AS n, c.event_id, c.token, c.content,
                   CASE WHEN c.event_id IS NOT NULL
                        THEN bouncemx.first_effect(c.kind, c.class, c.confidence, c.verification,
                                                   c.trusted, c.counts, c.capped, c.address_key)
                   END AS effect
              FROM unnest(candidates) WITH ORDINALITY c) c;

    IF tokens THEN
        WITH c AS MATERIALIZED (
            SELECT c.ordinality::integer AS n, c.event_id, c.token, c.token_day, c.arrives,
                   bouncemx.use_of(c.unnest, c.kind) AS use, c.unnest AS effect
              FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c),
        -- What a hard bounce used up makes no strike after it: replayed once the address was taken off
        -- the list, it would count a second time.
        seen AS (
            INSERT INTO bouncemx.token_seen AS s (
                token, day, events, hard, strike, soft, complaint, unsubscribe)
            SELECT c.token, c.token_day, count(*) FILTER (WHERE c.arrives),
                   ids[min(c.n) FILTER (WHERE c.use = 'hard')],
                   CASE WHEN least(min(c.n) FILTER (WHERE c.use = 'hard'),
                                   min(c.n) FILTER (WHERE c.use = 'strike'))
                             = min(c.n) FILTER (WHERE c.use = 'strike')
                        THEN ids[min(c.n) FILTER (WHERE c.use = 'strike')] END,
                   ids[min(c.n) FILTER (WHERE c.use = 'soft')],
                   ids[min(c.n) FILTER (WHERE c.use = 'complaint')],
                   ids[min(c.n) FILTER (WHERE c.use = 'unsubscribe')]
              FROM c
             WHERE c.token IS NOT NULL
             GROUP BY c.token, c.token_day
             ORDER BY c.token, c.token_day
            ON CONFLICT (token, day) DO UPDATE
               SET events = s.events + excluded.events,
                   hard = coalesce(s.hard, excluded.hard),
                   strike = coalesce(s.strike, CASE WHEN s.hard IS NULL THEN excluded.strike END),
                   soft = coalesce(s.soft, excluded.soft),
                   complaint = coalesce(s.complaint, excluded.complaint),
                   unsubscribe = coalesce(s.unsubscribe, excluded.unsubscribe)
            RETURNING s.token, s.day, s.events, s.hard, s.strike, s.soft, s.complaint, s.unsubscribe)
        SELECT array_agg(CASE WHEN c.token IS NULL OR c.use IS NULL
                                OR c.event_id IN (s.hard, s.strike, s.soft, s.complaint, s.unsubscribe)
                              THEN c.effect ELSE 'repeat' END ORDER BY c.n),
               bool_or(s.events > k.events_of_token)
          INTO effects, flooded
          FROM c LEFT JOIN seen s ON s.token = c.token AND s.day = c.token_day;
    END IF;

    IF flooded THEN
        -- What is the first to use its token up for something is kept in any case.
        SELECT array_agg(CASE WHEN c.place > k.events_of_token AND c.arrives
                               AND c.effect NOT IN ('suppressed', 'strike', 'soft')
                              THEN 'flood' ELSE c.effect END ORDER BY c.n)
          INTO effects
          FROM (SELECT c.ordinality AS n, c.unnest AS effect, c.arrives,
                       s.events - count(*) FILTER (WHERE c.arrives) OVER same
                       + count(*) FILTER (WHERE c.arrives) OVER (same ORDER BY c.ordinality) AS place
                  FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c
                  LEFT JOIN bouncemx.token_seen s ON s.token = c.token AND s.day = c.token_day
                WINDOW same AS (PARTITION BY c.token, c.token_day)) c;
        INSERT INTO bouncemx.token_flood AS f (token, day, events, first_at, last_at, last_event_id)
        SELECT c.token, c.token_day, count(*), min(c.received_at), max(c.received_at),
               ids[max(c.ordinality)::integer]
          FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c
         WHERE c.unnest = 'flood'
         GROUP BY c.token, c.token_day
         ORDER BY c.token, c.token_day
        ON CONFLICT (token, day) DO UPDATE
           SET events = f.events + excluded.events,
               first_at = least(f.first_at, excluded.first_at),
               last_at = greatest(f.last_at, excluded.last_at),
               last_event_id = excluded.last_event_id;
    END IF;

    IF contents THEN
        WITH c AS MATERIALIZED (
            SELECT c.ordinality AS n, c.event_id, c.content,
                   CASE WHEN c.token IS NULL AND c.content IS NOT NULL
                        THEN bouncemx.use_of(c.unnest, c.kind) END AS use,
                   (c.received_at AT TIME ZONE 'UTC')::date AS day, c.unnest AS effect
              FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c),
        seen AS (
            INSERT INTO bouncemx.content_seen AS s (content, day, use, event_id)
            SELECT DISTINCT ON (c.content, c.use) c.content, c.day, c.use, c.event_id
              FROM c
             WHERE c.use IS NOT NULL
               AND NOT EXISTS (SELECT FROM bouncemx.content_seen o
                                WHERE o.content = c.content AND o.use = c.use
                                  AND o.day BETWEEN c.day - k.content_days AND c.day + k.content_days)
             ORDER BY c.content, c.use, c.n
            ON CONFLICT (content, day, use) DO NOTHING
            RETURNING s.event_id)
        SELECT array_agg(CASE WHEN c.use IS NULL OR s.event_id IS NOT NULL
                              THEN c.effect ELSE 'repeat' END ORDER BY c.n)
          INTO effects
          FROM c LEFT JOIN seen s ON s.event_id = c.event_id;
    END IF;
    RETURN effects;
END $$;
COMMENT ON FUNCTION bouncemx.use_up(bouncemx.candidate[]) IS 'Uses up the tokens and contents of a batch, for act: the effect that each event may have (NULL for a NULL).';

CREATE FUNCTION bouncemx.strike_out(candidates bouncemx.candidate[], effects bouncemx.event_effect[])
    RETURNS bouncemx.event_effect[]
    LANGUAGE plpgsql AS $$
DECLARE
    k      record := bouncemx.limits();
    result bouncemx.event_effect[];
BEGIN
    INSERT INTO bouncemx.struck AS s (address_key, tenant, strikes, first_at, last_at)
    SELECT c.address_key, c.tenant, count(*), min(c.received_at), max(c.received_at)
      FROM ROWS FROM (unnest(candidates), unnest(effects)) c
     WHERE c.unnest = 'strike'
     GROUP BY c.address_key, c.tenant
     ORDER BY c.address_key, c.tenant
    ON CONFLICT (address_key, tenant) DO UPDATE
       SET strikes = s.strikes + excluded.strikes,
           first_at = least(s.first_at, excluded.first_at),
           last_at = greatest(s.last_at, excluded.last_at);

    -- From here on nobody else strikes these addresses, and what others wrote is seen. A key that is
    -- here already was forgotten as content and counts anew.
    INSERT INTO bouncemx.strike AS s (address_key, tenant, key, at, event_id)
    SELECT c.address_key, c.tenant, bouncemx.strike_key(c.token, c.content, c.event_id),
           c.received_at, c.event_id
      FROM ROWS FROM (unnest(candidates), unnest(effects)) c
     WHERE c.unnest = 'strike'
    ON CONFLICT (address_key, tenant, key) DO UPDATE SET at = excluded.at, event_id = excluded.event_id;

    -- Whichever of two comes first: the second finds the other.
    SELECT array_agg(CASE WHEN c.unnest = 'strike' AND EXISTS (
                              SELECT FROM bouncemx.strike o
                               WHERE o.address_key = c.address_key AND o.tenant = c.tenant
                                 AND o.key <> bouncemx.strike_key(c.token, c.content, c.event_id)
                                 AND (o.at BETWEEN c.received_at - k.strikes_within AND c.received_at - k.strikes_apart
                                   OR o.at BETWEEN c.received_at + k.strikes_apart AND c.received_at + k.strikes_within))
                          THEN 'suppressed' ELSE c.unnest END ORDER BY c.ordinality)
      INTO result
      FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c;
    RETURN result;
END $$;

CREATE FUNCTION bouncemx.strike_key(token text, content bytea, event_id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(token, 'content ' || encode(content, 'hex'), 'event ' || event_id::text);
COMMENT ON FUNCTION bouncemx.strike_key(text, bytea, uuid) IS 'What makes a strike one of its own: its token, else its content, else (of neither) the event.';
COMMENT ON FUNCTION bouncemx.strike_out(bouncemx.candidate[], bouncemx.event_effect[]) IS 'Notes the strikes of a batch, for act: those that meet another in time become suppressed.';

CREATE FUNCTION bouncemx.suppress(candidates bouncemx.candidate[], effects bouncemx.event_effect[])
    RETURNS bouncemx.event_effect[]
    LANGUAGE plpgsql AS $$
DECLARE
    k      record := bouncemx.limits();
    result bouncemx.event_effect[];
BEGIN
    WITH c AS MATERIALIZED (
        SELECT c.*, CASE c.kind WHEN 'bounce' THEN 'tenant' ELSE 'stream' END::bouncemx.suppression_scope AS scope,
               CASE c.kind WHEN 'bounce' THEN '' ELSE c.stream END AS held,
               CASE c.category WHEN 'mailbox_disabled' THEN c.received_at + k.disabled_for END AS expires_at
          FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c
         WHERE c.unnest = 'suppressed'),
    made AS (
        -- The event that holds longest, then the first, makes the row; the others are counted. In key
        -- order, so that writers who meet wait for each other instead of locking up.
        INSERT INTO bouncemx.suppression AS s (
            address_key, tenant, scope, stream, address, event_stream, event_id, event_at, kind, class,
            category, confidence, rule, mx_operator, source, status, diagnostic, evidence_text,
            expires_at, events, last_event_id, last_event_at)
        SELECT DISTINCT ON (c.address_key, c.tenant, c.scope, c.held)
               c.address_key, c.tenant, c.scope, c.held, coalesce(c.address, c.address_key), c.stream,
               c.event_id, c.received_at, c.kind, c.class, c.category, c.confidence, c.rule,
               c.mx_operator, c.source, c.status, c.diagnostic, c.evidence_text, c.expires_at,
               count(*) OVER same, last_value(c.event_id) OVER all_of_it,
               last_value(c.received_at) OVER all_of_it
          FROM c
        WINDOW same AS (PARTITION BY c.address_key, c.tenant, c.scope, c.held),
               all_of_it AS (same ORDER BY c.ordinality ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
         ORDER BY c.address_key, c.tenant, c.scope, c.held, c.expires_at DESC NULLS FIRST, c.ordinality
        ON CONFLICT (address_key, tenant, scope, stream) DO UPDATE
           -- A row that had ended, or would have ended, is made anew by what holds on.
           SET (address, event_stream, event_id, event_at, kind, class, category, confidence, rule,
                mx_operator, source, status, diagnostic, evidence_text) = (
                   SELECT excluded.address, excluded.event_stream, excluded.event_id,
                          excluded.event_at, excluded.kind, excluded.class, excluded.category,
                          excluded.confidence, excluded.rule, excluded.mx_operator, excluded.source,
                          excluded.status, excluded.diagnostic, excluded.evidence_text
                    WHERE s.expires_at <= excluded.event_at
                       OR s.expires_at IS NOT NULL AND excluded.expires_at IS NULL
                   UNION ALL
                   SELECT s.address, s.event_stream, s.event_id, s.event_at, s.kind, s.class,
                          s.category, s.confidence, s.rule, s.mx_operator, s.source, s.status,
                          s.diagnostic, s.evidence_text
                    WHERE (s.expires_at <= excluded.event_at
                       OR s.expires_at IS NOT NULL AND excluded.expires_at IS NULL) IS NOT TRUE),
               expires_at = CASE WHEN s.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
                                 ELSE greatest(s.expires_at, excluded.expires_at) END,
               events = s.events + excluded.events,
               last_event_id = CASE WHEN excluded.last_event_at >= s.last_event_at
                                    THEN excluded.last_event_id ELSE s.last_event_id END,
               last_event_at = greatest(s.last_event_at, excluded.last_event_at)
        RETURNING s.event_id)
    SELECT array_agg(CASE WHEN c.unnest = 'suppressed' AND m.event_id IS NULL THEN 'counted'
                          ELSE c.unnest END ORDER BY c.ordinality)
      INTO result
      FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c
      LEFT JOIN made m ON m.event_id = c.event_id;
    RETURN result;
END $$;
COMMENT ON FUNCTION bouncemx.suppress(bouncemx.candidate[], bouncemx.event_effect[]) IS 'Writes the list for the events of a batch that are suppressed, for act; those that found their row there become counted.';

CREATE FUNCTION bouncemx.act(candidates bouncemx.candidate[]) RETURNS bouncemx.event_effect[]
    LANGUAGE plpgsql AS $$
DECLARE
    effects bouncemx.event_effect[] := bouncemx.use_up(candidates);
BEGIN
    IF 'strike' = ANY (effects) THEN
        effects := bouncemx.strike_out(candidates, effects);
    END IF;
    IF 'suppressed' = ANY (effects) THEN
        effects := bouncemx.suppress(candidates, effects);
    END IF;
    RETURN effects;
END $$;
COMMENT ON FUNCTION bouncemx.act(bouncemx.candidate[]) IS 'Lets a batch of events act on the list, in their order; the effect of each (NULL for a NULL). Tables are written in the order token_seen, token_flood, content_seen, struck, strike, suppression, each by its key: call it once in a transaction.';
