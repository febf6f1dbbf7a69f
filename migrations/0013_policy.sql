-- Policy as rows: what an event does is read from table policy. act() of 0007 with its steps, made anew:
-- judge (which row decides, what the event would do), use_up (tokens and contents), strike_out, score_up,
-- suppress.

DROP FUNCTION bouncemx.use_up(bouncemx.candidate[]);
DROP FUNCTION bouncemx.strike_out(bouncemx.candidate[], bouncemx.event_effect[]);
DROP FUNCTION bouncemx.suppress(bouncemx.candidate[], bouncemx.event_effect[]);
DROP FUNCTION bouncemx.first_effect(
    bouncemx.event_kind, bouncemx.bounce_class, bouncemx.bounce_confidence, bouncemx.verification,
    boolean, boolean, boolean, text);
DROP FUNCTION bouncemx.limits();

CREATE FUNCTION bouncemx.limits(OUT content_days integer, OUT strike_days integer,
                                OUT token_days integer, OUT events_of_token bigint,
                                OUT strikes_kept bigint, OUT score_days integer)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT 60, 60, 400, 20::bigint, 100::bigint, 400;
END;
COMMENT ON FUNCTION bouncemx.limits() IS 'How much is kept; what it does stands in table policy. A content counts once in content_days; strikes are kept strike_days, strikes_kept of an address; tokens and sent token_days; of one token events_of_token events; days of a score score_days before its last one.';

-- ---- rows --------------------------------------------------------------------------------------

ALTER TABLE bouncemx.policy
    ADD CONSTRAINT policy_ladder CHECK (score IS NOT NULL OR cardinality(expires) <= 1),
    ADD CONSTRAINT policy_expires CHECK ('0' < ALL (expires));
COMMENT ON COLUMN bouncemx.policy.expires IS 'How long the first, second, ... suppression of an address lasts, the last one also for all later ones; empty: for ever. More than one only where a score counts: strikes know no second time.';
CREATE UNIQUE INDEX policy_fits ON bouncemx.policy (
    kind, (class IS NULL), coalesce(class, 'unknown'), (category IS NULL), coalesce(category, 'undetermined'),
    (tenant IS NULL), coalesce(tenant, ''), (stream IS NULL), coalesce(stream, ''));
COMMENT ON INDEX bouncemx.policy_fits IS 'No two rows fit the same events.';

INSERT INTO bouncemx.policy (name, kind, class, category, strikes, strikes_unsure, expires, note) VALUES
    ('hard', 'bounce', 'hard', NULL, 1, 2, '{}', 'It will not take mail: for good.'),
    ('hard.mailbox_disabled', 'bounce', 'hard', 'mailbox_disabled', 1, 2, '{180 days}', 'Mailboxes are opened again.');
INSERT INTO bouncemx.policy (name, kind, class, category, score, threshold, span, expires, scope, note) VALUES
    ('soft', 'bounce', 'soft', NULL, 0.5, 5, '14 days', '{90 days,180 days,365 days}', 'tenant', 'Any soft bounce without a row of its own.'),
    ('soft.mailbox_full', 'bounce', 'soft', 'mailbox_full', 1, 5, '14 days', '{90 days,180 days,365 days}', 'tenant', 'May be emptied.'),
    ('soft.mailbox_full_inactive', 'bounce', 'soft', 'mailbox_full_inactive', 2, 5, '14 days', '{90 days,180 days,365 days}', 'tenant', 'Full, and nobody reads it.'),
    ('soft.mailbox_suspended', 'bounce', 'soft', 'mailbox_suspended', 1, 5, '14 days', '{90 days,180 days,365 days}', 'tenant', 'Locked for a time.'),
    ('soft.recipient_restricted', 'bounce', 'soft', 'recipient_restricted', 2, 5, '14 days', '{90 days,180 days,365 days}', 'tenant', 'Exists, but takes no mail of strangers until somebody changes that.'),
    ('soft.recipient_refused', 'bounce', 'soft', 'recipient_refused', 1, 2, '1 day', '{90 days,180 days,365 days}', 'stream', 'The person''s own filter: the second refusal ends the stream.'),
    ('soft.expired', 'bounce', 'soft', 'expired', 0.5, 5, '14 days', '{90 days,180 days,365 days}', 'tenant', 'Tried until the queue gave up, without a better reason.'),
    ('soft.soft_other', 'bounce', 'soft', 'soft_other', 0.5, 5, '14 days', '{90 days,180 days,365 days}', 'tenant', 'Some condition of the mailbox.');
INSERT INTO bouncemx.policy (name, kind, strikes, scope, note) VALUES
    ('complaint', 'complaint', 1, 'stream', 'Said to be spam by the recipient.'),
    ('unsubscribe', 'unsubscribe', 1, 'stream', 'Asked for no more.');

CREATE FUNCTION bouncemx.policy_touched() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := now();
    NEW.updated_by := bouncemx.actor();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION bouncemx.policy_touched() IS 'Trigger of policy: says when a row was changed, and by whom.';
CREATE TRIGGER policy_touched BEFORE UPDATE ON bouncemx.policy
    FOR EACH ROW EXECUTE FUNCTION bouncemx.policy_touched();

CREATE FUNCTION bouncemx.policy_of(the_kind bouncemx.event_kind, the_class bouncemx.bounce_class,
                                   the_category bouncemx.bounce_category, the_tenant text, the_stream text)
    RETURNS SETOF bouncemx.policy
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT * FROM bouncemx.policy p
     WHERE p.kind = the_kind
       AND (p.class IS NULL OR p.class = the_class)
       AND (p.category IS NULL OR p.category = the_category)
       AND (p.tenant IS NULL OR p.tenant = the_tenant)
       AND (p.stream IS NULL OR p.stream = the_stream)
     ORDER BY p.tenant IS NULL, p.stream IS NULL, p.category IS NULL, p.class IS NULL
     LIMIT 1;
END;
COMMENT ON FUNCTION bouncemx.policy_of(bouncemx.event_kind, bouncemx.bounce_class, bouncemx.bounce_category, text, text) IS 'The row of policy that decides over such events, if there is one: one of the tenant before one of the stream before one for all, then one of the category, then one of the class.';

-- ---- what each event would do ------------------------------------------------------------------

CREATE FUNCTION bouncemx.is_sure(kind bouncemx.event_kind, confidence bouncemx.bounce_confidence,
                                 verification bouncemx.verification, capped boolean)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN bouncemx.is_verified(verification)
           AND (kind <> 'bounce' OR confidence IS NOT DISTINCT FROM 'high' AND NOT capped);
COMMENT ON FUNCTION bouncemx.is_sure(bouncemx.event_kind, bouncemx.bounce_confidence, bouncemx.verification, boolean) IS 'Does policy.strikes count for the event (else strikes_unsure)? A bounce: verified and of high confidence; others: verified.';

CREATE FUNCTION bouncemx.first_effect(
    kind bouncemx.event_kind, confidence bouncemx.bounce_confidence, verification bouncemx.verification,
    trusted boolean, counts boolean, capped boolean, address_key text,
    strikes integer, strikes_unsure integer, score numeric)
    RETURNS bouncemx.event_effect
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN strikes IS NULL AND score IS NULL THEN 'none'::bouncemx.event_effect
        WHEN verification = 'waiting' THEN 'waiting'
        WHEN address_key IS NULL THEN 'no_address'
        -- A domain's trust is for what nobody signed: a forged or expired token is never trusted.
        WHEN NOT bouncemx.is_verified(verification)
         AND NOT (trusted AND verification = 'unsigned' AND kind = 'bounce') THEN 'unverified'
        WHEN kind = 'bounce' AND NOT counts THEN 'not_counting'
        WHEN score IS NOT NULL THEN 'soft'
        WHEN bouncemx.is_sure(kind, confidence, verification, capped)
        THEN CASE strikes WHEN 1 THEN 'suppressed'::bouncemx.event_effect ELSE 'strike' END
        WHEN strikes_unsure IS NULL THEN 'none'
        ELSE 'strike'
    END;
COMMENT ON FUNCTION bouncemx.first_effect(
    bouncemx.event_kind, bouncemx.bounce_confidence, bouncemx.verification, boolean, boolean, boolean,
    text, integer, integer, numeric)
    IS 'What an event would do if it were the first and only one, by the strikes and score of its row of policy (all NULL: it has none).';

CREATE OR REPLACE FUNCTION bouncemx.use_of(effect bouncemx.event_effect, kind bouncemx.event_kind)
    RETURNS bouncemx.use_kind
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN effect NOT IN ('strike', 'soft', 'suppressed') THEN NULL
        WHEN kind = 'complaint' THEN 'complaint'::bouncemx.use_kind
        WHEN kind = 'unsubscribe' THEN 'unsubscribe'
        ELSE CASE effect WHEN 'strike' THEN 'strike'::bouncemx.use_kind WHEN 'soft' THEN 'soft' ELSE 'hard' END
    END;

CREATE TYPE bouncemx.ruling AS (
    effect      bouncemx.event_effect,
    policy      integer,
    holds_until timestamptz,
    times       integer);
COMMENT ON TYPE bouncemx.ruling IS 'What was found of a candidate so far. policy: place of its row among those of the batch; NULL: it has none.';
COMMENT ON COLUMN bouncemx.ruling.effect IS 'What it does.';
COMMENT ON COLUMN bouncemx.ruling.policy IS 'Place of its row of policy among those of the batch.';
COMMENT ON COLUMN bouncemx.ruling.holds_until IS 'Until when it suppresses, infinity: for good; NULL: as its policy says of a first time.';
COMMENT ON COLUMN bouncemx.ruling.times IS 'The how manieth time it is; NULL: the first.';

CREATE FUNCTION bouncemx.judge(candidates bouncemx.candidate[], OUT policies bouncemx.policy[],
                               OUT places integer[], OUT effects bouncemx.event_effect[])
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    some_allowed boolean := EXISTS (SELECT FROM bouncemx.allowed);
BEGIN
    WITH c AS MATERIALIZED (
        -- NULL is equal to nothing: a class and a category that no row of other kinds names.
        SELECT c.ordinality AS n, c.event_id, c.kind, coalesce(c.class, 'unknown') AS class,
               coalesce(c.category, 'undetermined') AS category, c.tenant, c.stream, c.confidence,
               c.verification, c.trusted, c.counts, c.capped, c.address_key
          FROM unnest(candidates) WITH ORDINALITY c),
    found AS MATERIALIZED (
        SELECT d.*, p AS policy, p.strikes, p.strikes_unsure, p.score,
               dense_rank() OVER (ORDER BY p.name)::integer AS place
          FROM (SELECT DISTINCT c.kind, c.class, c.category, c.tenant, c.stream FROM c
                 WHERE c.kind IN ('bounce', 'complaint', 'unsubscribe')) d
         CROSS JOIN LATERAL bouncemx.policy_of(d.kind, d.class, d.category, d.tenant, d.stream) p)
    SELECT (SELECT array_agg(f.policy ORDER BY f.place)
              FROM (SELECT DISTINCT ON (place) policy, place FROM found ORDER BY place) f),
           array_agg(f.place ORDER BY c.n),
           array_agg(CASE WHEN c.event_id IS NOT NULL THEN bouncemx.first_effect(
                         c.kind, c.confidence, c.verification, c.trusted, c.counts, c.capped,
                         c.address_key, f.strikes, f.strikes_unsure, f.score) END ORDER BY c.n)
      INTO policies, places, effects
      FROM c LEFT JOIN found f USING (kind, class, category, tenant, stream);

    -- Before anything is used up: what comes again once the address is allowed no more counts then.
    IF some_allowed AND effects && '{strike,soft,suppressed}' THEN
        SELECT array_agg(CASE WHEN c.unnest IN ('strike', 'soft', 'suppressed')
                               AND bouncemx.is_allowed(c.address_key, c.tenant)
                              THEN 'allowed' ELSE c.unnest END ORDER BY c.ordinality)
          INTO effects
          FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c;
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.judge(bouncemx.candidate[]) IS 'For act: the rows of policy that a batch needs, which of them is each event''s (NULL: none), and what each would do if it were the only one (NULL for a NULL).';

CREATE FUNCTION bouncemx.use_up(candidates bouncemx.candidate[], INOUT effects bouncemx.event_effect[])
    LANGUAGE plpgsql AS $$
DECLARE
    k        record := bouncemx.limits();
    ids      uuid[];
    tokens   boolean;
    contents boolean;
    flooded  boolean;
BEGIN
    SELECT array_agg(c.event_id ORDER BY c.ordinality), bool_or(c.token IS NOT NULL),
           bool_or(c.token IS NULL AND c.content IS NOT NULL AND c.unnest IN ('suppressed', 'strike', 'soft'))
      INTO ids, tokens, contents
      FROM ROWS FROM (unnest(candidates), unnest(effects)) WITH ORDINALITY c;

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
END $$;
COMMENT ON FUNCTION bouncemx.use_up(bouncemx.candidate[], bouncemx.event_effect[]) IS 'Uses up the tokens and contents of a batch, for act: of the effects that the events would have, those that they may have.';


-- ---- strikes -----------------------------------------------------------------------------------

ALTER TABLE bouncemx.strike
    ADD COLUMN line        text        COLLATE "C" NOT NULL DEFAULT 'hard',
    ADD COLUMN sure        boolean     NOT NULL DEFAULT false,
    ADD COLUMN holds_until timestamptz NOT NULL DEFAULT 'infinity',
    DROP CONSTRAINT strike_pkey,
    ADD PRIMARY KEY (address_key, tenant, line, key);
ALTER TABLE bouncemx.strike ALTER COLUMN line DROP DEFAULT;
COMMENT ON TABLE bouncemx.strike IS 'Events that are not enough by themselves. Those of different keys and one line count together, as their row of policy says.';
COMMENT ON COLUMN bouncemx.strike.line IS 'Which ones count together: those of one class of bounces (or complaints, unsubscribes), and of one stream where the policy''s scope is stream.';
COMMENT ON COLUMN bouncemx.strike.sure IS 'policy.strikes of such suppress, else policy.strikes_unsure.';
COMMENT ON COLUMN bouncemx.strike.holds_until IS 'Until when it would suppress; infinity: for good. Of several that suppress together the longest holds.';

CREATE FUNCTION bouncemx.strike_line(kind bouncemx.event_kind, class bouncemx.bounce_class,
                                     scope bouncemx.suppression_scope, stream text)
    RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE kind WHEN 'bounce' THEN class::text ELSE kind::text END
           || CASE scope WHEN 'stream' THEN ' ' || stream ELSE '' END;
COMMENT ON FUNCTION bouncemx.strike_line(bouncemx.event_kind, bouncemx.bounce_class, bouncemx.suppression_scope, text) IS 'strike.line of an event.';

CREATE FUNCTION bouncemx.strikes_meet(times timestamptz[], place integer, how_many integer,
                                      apart interval, reach interval)
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    -- The nearest that count before and after it: no others let more of them fit.
    back timestamptz[] := ARRAY[times[place]];
    ahead timestamptz[] := ARRAY[times[place]];
BEGIN
    FOR i IN REVERSE place - 1 .. 1 LOOP
        EXIT WHEN cardinality(back) = how_many OR times[i] < times[place] - reach;
        IF times[i] <= back[cardinality(back)] - apart THEN
            back := back || times[i];
        END IF;
    END LOOP;
    FOR i IN place + 1 .. cardinality(times) LOOP
        EXIT WHEN cardinality(ahead) = how_many OR times[i] > times[place] + reach;
        IF times[i] >= ahead[cardinality(ahead)] + apart THEN
            ahead := ahead || times[i];
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(back) LOOP
        IF ahead[how_many + 1 - i] <= back[i] + reach THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;
COMMENT ON FUNCTION bouncemx.strikes_meet(timestamptz[], integer, integer, interval, interval) IS 'Is the strike at this place of times (ascending) one of how_many that lie apart and within as policy says?';

CREATE FUNCTION bouncemx.strikes_hold(times timestamptz[], sure boolean[], untils timestamptz[],
                                      place integer, p bouncemx.policy)
    RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    sure_times timestamptz[];
    result     timestamptz;
    i          integer;
BEGIN
    IF true = ANY (sure) THEN
        SELECT array_agg(t.at ORDER BY t.n) INTO sure_times
          FROM unnest(times, sure) WITH ORDINALITY t (at, sure, n) WHERE t.sure;
    END IF;
    -- Its own turn first: most do not meet any.
    FOR turn IN 0 .. cardinality(times) LOOP
        i := CASE turn WHEN 0 THEN place ELSE turn END;
        IF coalesce(bouncemx.strikes_meet(times, i, p.strikes_unsure, p.strikes_apart, p.strikes_within), false)
           OR sure[i] AND bouncemx.strikes_meet(sure_times, array_position(sure_times, times[i]), p.strikes,
                                                p.strikes_apart, p.strikes_within) THEN
            result := greatest(result, untils[i]);
        END IF;
        EXIT WHEN result IS NULL;
    END LOOP;
    RETURN result;
END $$;
COMMENT ON FUNCTION bouncemx.strikes_hold(timestamptz[], boolean[], timestamptz[], integer, bouncemx.policy) IS 'Until when the strikes of a line (by time, ascending) suppress now that the one at this place came: the longest of all that suppress together; NULL: it is not one of enough. So their order of arrival does not matter.';

CREATE FUNCTION bouncemx.strike_out(candidates bouncemx.candidate[], policies bouncemx.policy[],
                                    INOUT rulings bouncemx.ruling[])
    LANGUAGE plpgsql AS $$
DECLARE
    k record := bouncemx.limits();
BEGIN
    INSERT INTO bouncemx.struck AS s (address_key, tenant, strikes, first_at, last_at)
    SELECT c.address_key, c.tenant, count(*), min(c.received_at), max(c.received_at)
      FROM ROWS FROM (unnest(candidates), unnest(rulings)) c
     WHERE c.effect = 'strike'
     GROUP BY c.address_key, c.tenant
     ORDER BY c.address_key, c.tenant
    ON CONFLICT (address_key, tenant) DO UPDATE
       SET strikes = s.strikes + excluded.strikes,
           first_at = least(s.first_at, excluded.first_at),
           last_at = greatest(s.last_at, excluded.last_at);

    -- From here on nobody else strikes these addresses, and what others wrote is seen. A key that is
    -- here already was forgotten as content and counts anew.
    INSERT INTO bouncemx.strike AS s (address_key, tenant, line, key, at, event_id, sure, holds_until)
    SELECT e.address_key, e.tenant, e.line, e.key, e.received_at, e.event_id, e.sure, e.holds_until
      FROM (SELECT c.address_key, c.tenant, bouncemx.strike_line(c.kind, c.class, p.scope, c.stream) AS line,
                   bouncemx.strike_key(c.token, c.content, c.event_id) AS key, c.received_at, c.event_id,
                   bouncemx.is_sure(c.kind, c.confidence, c.verification, c.capped) AS sure,
                   coalesce(c.received_at + p.expires[1], 'infinity') AS holds_until,
                   row_number() OVER (same ORDER BY c.ordinality) - count(*) OVER same AS before_last
              FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
              JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
             WHERE c.effect = 'strike'
            WINDOW same AS (PARTITION BY c.address_key, c.tenant)) e
      JOIN bouncemx.struck t ON t.address_key = e.address_key AND t.tenant = e.tenant
     WHERE t.strikes + e.before_last <= k.strikes_kept
    ON CONFLICT (address_key, tenant, line, key) DO UPDATE
       SET at = excluded.at, event_id = excluded.event_id, sure = excluded.sure,
           holds_until = excluded.holds_until;

    SELECT array_agg(CASE WHEN m.holds_until IS NULL THEN c.ruling
                          ELSE ROW('suppressed', (c.ruling).policy, m.holds_until, 1)::bouncemx.ruling END
                     ORDER BY c.n)
      INTO rulings
      FROM (SELECT c.ordinality AS n, c.address_key, c.tenant, c.kind, c.class, c.stream,
                   bouncemx.strike_key(c.token, c.content, c.event_id) AS key, c.received_at,
                   bouncemx.is_sure(c.kind, c.confidence, c.verification, c.capped) AS sure,
                   ROW(c.effect, c.policy, c.holds_until, c.times)::bouncemx.ruling AS ruling
              FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c) c
      LEFT JOIN LATERAL (
           SELECT CASE WHEN o.n >= least(p.strikes, p.strikes_unsure)
                       THEN bouncemx.strikes_hold(o.times, o.sure, o.untils, array_position(o.its_own, true),
                                                  w.whole) END AS holds_until
             FROM (SELECT policies[(c.ruling).policy] AS whole
                    WHERE (c.ruling).effect = 'strike'
                      -- Most have no other.
                      AND EXISTS (SELECT FROM bouncemx.struck t
                                   WHERE t.address_key = c.address_key AND t.tenant = c.tenant
                                     AND t.strikes > 1)) w
            CROSS JOIN LATERAL (SELECT (w.whole).*) p
            CROSS JOIN LATERAL (
                 SELECT count(*) AS n, array_agg(s.at ORDER BY s.at, s.its_own) AS times,
                        array_agg(s.sure ORDER BY s.at, s.its_own) AS sure,
                        array_agg(s.holds_until ORDER BY s.at, s.its_own) AS untils,
                        array_agg(s.its_own ORDER BY s.at, s.its_own) AS its_own
                   FROM (SELECT c.received_at AS at, true AS its_own, c.sure,
                                coalesce(c.received_at + p.expires[1], 'infinity') AS holds_until
                         UNION ALL
                         (SELECT s.at, false, s.sure, s.holds_until
                            FROM bouncemx.strike s
                           WHERE s.address_key = c.address_key AND s.tenant = c.tenant
                             AND s.line = bouncemx.strike_line(c.kind, c.class, p.scope, c.stream)
                             AND s.key <> c.key
                             AND s.at BETWEEN c.received_at - p.strikes_within
                                          AND c.received_at + p.strikes_within
                           LIMIT k.strikes_kept)) s) o
      ) m ON true;
END $$;
COMMENT ON FUNCTION bouncemx.strike_out(bouncemx.candidate[], bouncemx.policy[], bouncemx.ruling[]) IS 'Notes the strikes of a batch, for act: those that are enough together with others become suppressed, whichever of them comes last.';

-- ---- scores ------------------------------------------------------------------------------------

ALTER TABLE bouncemx.address_score
    ADD COLUMN policy      text        NOT NULL,
    ADD COLUMN past        integer     NOT NULL DEFAULT 0,
    ADD COLUMN holds_until timestamptz;
COMMENT ON COLUMN bouncemx.address_score.delivered_at IS 'The latest delivery that was told to us, or the last bounce before a person took the address off the list: days up to its own do not count. NULL: none.';
COMMENT ON COLUMN bouncemx.address_score.score IS 'Sum of the points that count at the last of the days: of all days to it that lie no policy.decay apart.';
COMMENT ON COLUMN bouncemx.address_score.policy IS 'The row of policy by which it was last counted.';
COMMENT ON COLUMN bouncemx.address_score.past IS 'How many of times were for days that are kept no longer.';
COMMENT ON COLUMN bouncemx.address_score.holds_until IS 'Until when the latest of its suppressions lasts, infinity: for good; NULL: there was none for the days.';

CREATE TYPE bouncemx.score_sum AS (
    days        date[],
    points      numeric(6, 2)[],
    past        integer,
    score       numeric(8, 2),
    times       integer,
    holds_until timestamptz,
    last_at     timestamptz);
COMMENT ON TYPE bouncemx.score_sum IS 'What a row of address_score says, under the same names.';

CREATE FUNCTION bouncemx.score_run(INOUT it bouncemx.score_sum, threshold numeric, span interval,
                                   decay interval, expires interval[])
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    day    timestamptz;
    first  timestamptz;
    before timestamptz;
    step   interval;
BEGIN
    it.score := 0;
    it.times := it.past;
    it.holds_until := NULL;
    FOR i IN 1 .. cardinality(it.days) LOOP
        day := it.days[i]::timestamp AT TIME ZONE 'UTC';
        IF before + decay <= day IS NOT FALSE THEN
            it.score := 0;
            first := day;
        END IF;
        before := day;
        it.score := least(it.score + it.points[i], 999999);
        IF it.score >= threshold AND first + span <= day THEN
            IF it.holds_until <= day IS NOT FALSE THEN
                it.times := it.times + 1;
                step := expires[least(it.times, cardinality(expires))];
            END IF;
            -- Of the last day the instant is known.
            it.holds_until := coalesce(CASE WHEN i = cardinality(it.days) THEN it.last_at ELSE day END + step, 'infinity');
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION bouncemx.score_run(bouncemx.score_sum, numeric, interval, interval, interval[]) IS 'Counts the days of a score from the first on, by the columns of policy: score at the end, how often it has suppressed (past before them), and until when.';

CREATE FUNCTION bouncemx.score_merged(it bouncemx.score_sum, delivered_at timestamptz, more_days date[],
                                      more_points numeric[], threshold numeric, span interval,
                                      decay interval, expires interval[])
    RETURNS bouncemx.score_sum
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    delivered date := (delivered_at AT TIME ZONE 'UTC')::date;
    oldest    date;
    old       bouncemx.score_sum;
    kept      integer;
BEGIN
    SELECT coalesce(array_agg(m.day ORDER BY m.day), '{}'), coalesce(array_agg(m.points ORDER BY m.day), '{}')
      INTO it.days, it.points
      FROM (SELECT u.day, max(u.points) AS points
              FROM unnest(it.days || more_days, it.points || more_points) u (day, points)
             WHERE u.day <= delivered IS NOT TRUE
             GROUP BY u.day) m;
    oldest := it.days[cardinality(it.days)] - (SELECT score_days FROM bouncemx.limits());
    IF it.days[1] < oldest THEN
        kept := (SELECT min(n) FROM unnest(it.days) WITH ORDINALITY d (day, n) WHERE d.day >= oldest);
        old := it;
        old.days := it.days[:kept - 1];
        it.past := (bouncemx.score_run(old, threshold, span, decay, expires)).times;
        it.days := it.days[kept:];
        it.points := it.points[kept:];
    END IF;
    RETURN bouncemx.score_run(it, threshold, span, decay, expires);
END $$;
COMMENT ON FUNCTION bouncemx.score_merged(bouncemx.score_sum, timestamptz, date[], numeric[], numeric, interval, interval, interval[]) IS 'A score with more days: those of a delivery and before it left out, one count a day, the highest. Whatever comes in which order, the same days give the same.';

CREATE FUNCTION bouncemx.score_spoke(days date[], points numeric[], the_day date, threshold numeric,
                                     span interval, decay interval)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    -- Neighbours no decay apart belong together.
    SELECT coalesce(sum(r.points) >= threshold AND min(r.day) + span <= max(r.day)
                    AND bool_or(r.day = the_day), false)
      FROM (SELECT b.day, b.points, sum(b.anew) OVER (ORDER BY b.day) AS run
              FROM (SELECT u.day, u.points,
                           CASE WHEN lag(u.day) OVER (ORDER BY u.day) + decay <= u.day THEN 1 ELSE 0 END AS anew
                      FROM unnest(days, points) u (day, points)) b) r
     GROUP BY r.run
     ORDER BY bool_or(r.day = the_day) DESC
     LIMIT 1;
END;
COMMENT ON FUNCTION bouncemx.score_spoke(date[], numeric[], date, numeric, interval, interval) IS 'Do the days that count together with this one suppress?';

CREATE FUNCTION bouncemx.score_up(candidates bouncemx.candidate[], policies bouncemx.policy[],
                                  INOUT rulings bouncemx.ruling[])
    LANGUAGE plpgsql AS $$
DECLARE
    reached bouncemx.address_score[];
BEGIN
    WITH own AS (
        -- By the policy of an address's latest event. Nearly always there is one.
        SELECT c.address_key, c.tenant, CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END AS stream,
               array_agg((c.received_at AT TIME ZONE 'UTC')::date) AS days, array_agg(p.score) AS points,
               max(c.received_at) AS last_at,
               (array_agg(c.event_id ORDER BY c.received_at DESC, c.event_id DESC))[1] AS last_event_id,
               (array_agg(c.policy ORDER BY c.received_at DESC, c.event_id DESC))[1] AS place
          FROM ROWS FROM (unnest(candidates), unnest(rulings)) c
          JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
         WHERE c.effect = 'soft'
         GROUP BY 1, 2, 3),
    counted AS (
        INSERT INTO bouncemx.address_score AS s (
            address_key, tenant, stream, days, points, score, times, holds_until, last_at, last_event_id,
            policy)
        SELECT o.address_key, o.tenant, o.stream, n.days, n.points, n.score, n.times, n.holds_until,
               o.last_at, o.last_event_id, p.name
          FROM own o
          JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = o.place
         CROSS JOIN LATERAL (
               SELECT o.days, o.points, o.points[1] AS score, 0 AS times, NULL::timestamptz AS holds_until
                WHERE cardinality(o.days) = 1 AND o.points[1] < p.threshold
               UNION ALL
               SELECT m.days, m.points, m.score, m.times, m.holds_until
                 FROM bouncemx.score_merged(ROW('{}', '{}', 0, 0, 0, NULL, o.last_at)::bouncemx.score_sum, NULL,
                                            o.days, o.points, p.threshold, p.span, p.decay, p.expires) m
                WHERE cardinality(o.days) > 1 OR o.points[1] >= p.threshold) n
         ORDER BY o.address_key, o.tenant, o.stream
        ON CONFLICT (address_key, tenant, stream) DO UPDATE
           SET (days, points, past, score, times, holds_until) = (
                   SELECT m.days, m.points, m.past, m.score, m.times, m.holds_until
                     FROM unnest(policies) p
                    CROSS JOIN LATERAL bouncemx.score_merged(
                          ROW(s.days, s.points, s.past, 0, 0, NULL, greatest(s.last_at, excluded.last_at))::bouncemx.score_sum,
                          s.delivered_at, excluded.days, excluded.points, p.threshold, p.span, p.decay,
                          p.expires) m
                    WHERE p.name = excluded.policy),
               policy = excluded.policy,
               last_event_id = CASE WHEN excluded.last_at >= s.last_at THEN excluded.last_event_id
                                    ELSE s.last_event_id END,
               last_at = greatest(s.last_at, excluded.last_at)
        RETURNING s.*)
    SELECT array_agg(ROW(c.*)::bouncemx.address_score) INTO reached
      FROM counted c
     WHERE c.holds_until IS NOT NULL;

    IF reached IS NOT NULL THEN
        SELECT array_agg(CASE WHEN s.times IS NULL THEN ROW(c.effect, c.policy, c.holds_until, c.times)::bouncemx.ruling
                              ELSE ROW('suppressed', c.policy, s.holds_until, s.times)::bouncemx.ruling END
                         ORDER BY c.ordinality)
          INTO rulings
          FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
          LEFT JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy AND c.effect = 'soft'
          LEFT JOIN unnest(reached) s
            ON s.address_key = c.address_key AND s.tenant = c.tenant
           AND s.stream = CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END
           AND p.score IS NOT NULL
           AND bouncemx.score_spoke(s.days, s.points, (c.received_at AT TIME ZONE 'UTC')::date,
                                    p.threshold, p.span, p.decay);
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.score_up(bouncemx.candidate[], bouncemx.policy[], bouncemx.ruling[]) IS 'Counts the soft bounces of a batch, for act: those whose days now reach the threshold become suppressed.';

-- ---- the list ----------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.confirms(s bouncemx.suppression, the_event uuid, the_time timestamptz, token text, apart interval)
    RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.state = 'pending' AND the_time >= s.event_at + apart AND the_event <> s.event_id
           AND NOT EXISTS (SELECT FROM bouncemx.event e
                            WHERE e.id = s.event_id AND e.received_at = s.event_at
                              AND e.token = confirms.token COLLATE "C");
END;
COMMENT ON FUNCTION bouncemx.confirms(bouncemx.suppression, uuid, timestamptz, text, interval) IS 'Does this hard bounce say of a row that waits for the breaker that it is true: by another token, and long enough after the event that made it?';

CREATE FUNCTION bouncemx.strike_confirms(candidates bouncemx.candidate[], policies bouncemx.policy[],
                                         INOUT rulings bouncemx.ruling[])
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT array_agg(CASE WHEN s.address_key IS NULL THEN ROW(c.effect, c.policy, c.holds_until, c.times)::bouncemx.ruling
                          ELSE ROW('suppressed', c.policy, NULL, NULL)::bouncemx.ruling END ORDER BY c.ordinality)
      FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
      LEFT JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
      LEFT JOIN bouncemx.suppression s
        ON s.address_key = c.address_key AND s.scope = p.scope AND s.state = 'pending'
       AND s.tenant = CASE p.scope WHEN 'global' THEN '' ELSE c.tenant END
       AND s.stream = CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END
       AND c.effect = 'strike' AND c.kind = 'bounce' AND c.class = 'hard'
       AND bouncemx.confirms(s, c.event_id, c.received_at, c.token, p.strikes_apart);
END;
COMMENT ON FUNCTION bouncemx.strike_confirms(bouncemx.candidate[], bouncemx.policy[], bouncemx.ruling[]) IS 'For act: a strike that confirms a row that waits for the breaker is enough together with it.';

CREATE FUNCTION bouncemx.suppression_taken(
    s_state bouncemx.suppression_state, s_expires_at timestamptz, state bouncemx.suppression_state,
    kind bouncemx.event_kind, class bouncemx.bounce_class, event_at timestamptz, expires_at timestamptz)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN s_expires_at <= event_at THEN true
        WHEN s_state = 'active' AND state = 'pending' THEN false
        WHEN s_state = 'pending' AND state = 'active' AND (kind <> 'bounce' OR class IS DISTINCT FROM 'hard') THEN true
        ELSE s_expires_at IS NOT NULL AND expires_at IS NULL
    END;
COMMENT ON FUNCTION bouncemx.suppression_taken(
    bouncemx.suppression_state, timestamptz, bouncemx.suppression_state, bouncemx.event_kind,
    bouncemx.bounce_class, timestamptz, timestamptz)
    IS 'Does a row of the list (s_) become that of a new event? When it had ended, when the new one holds for good and it does not, and when it waits for the breaker and the new one is no hard bounce; never when the new one has to wait and it holds.';

CREATE FUNCTION bouncemx.suppress(candidates bouncemx.candidate[], policies bouncemx.policy[],
                                  rulings bouncemx.ruling[])
    RETURNS bouncemx.event_effect[]
    LANGUAGE plpgsql AS $$
DECLARE
    open_hours boolean := EXISTS (SELECT FROM bouncemx.breaker_hour
                                   WHERE opened_at IS NOT NULL AND released_at IS NULL);
    was        text := coalesce(current_setting('bouncemx.actor', true), '');
    result     bouncemx.event_effect[];
BEGIN
    PERFORM set_config('bouncemx.actor', 'policy', true);
    WITH c AS MATERIALIZED (
        SELECT c.*, p.scope, CASE p.scope WHEN 'global' THEN '' ELSE c.tenant END AS for_tenant,
               CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END AS held,
               nullif(coalesce(c.holds_until, c.received_at + p.expires[1]), 'infinity') AS expires_at,
               CASE WHEN b.hour IS NULL THEN 'active' ELSE 'pending' END::bouncemx.suppression_state AS state,
               b.key AS held_key, b.hour AS held_hour
          FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
          JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
          LEFT JOIN bouncemx.breaker_hour b
            ON open_hours AND c.kind = 'bounce' AND c.class = 'hard'
           AND b.tenant = CASE p.scope WHEN 'global' THEN '' ELSE c.tenant END
           AND b.key = bouncemx.breaker_key(c.mx_operator, c.address_key)
           AND b.hour = date_trunc('hour', c.received_at, 'UTC')
           AND b.opened_at IS NOT NULL AND b.released_at IS NULL
         WHERE c.effect = 'suppressed'),
    made AS (
        -- The event that holds longest, then the first, makes the row; the others are counted. In key
        -- order, so that writers who meet wait for each other instead of locking up.
        INSERT INTO bouncemx.suppression AS s (
            address_key, tenant, scope, stream, address, event_stream, event_id, event_at, kind, class,
            category, confidence, rule, mx_operator, source, status, diagnostic, evidence_text,
            expires_at, state, held_key, held_hour, times, events, last_event_id, last_event_at)
        SELECT DISTINCT ON (c.address_key, c.for_tenant, c.scope, c.held)
               c.address_key, c.for_tenant, c.scope, c.held, coalesce(c.address, c.address_key), c.stream,
               c.event_id, c.received_at, c.kind, c.class, c.category, c.confidence, c.rule,
               c.mx_operator, c.source, c.status, c.diagnostic, c.evidence_text, c.expires_at, c.state,
               c.held_key, c.held_hour, coalesce(c.times, 1),
               count(*) OVER same, last_value(c.event_id) OVER all_of_it,
               last_value(c.received_at) OVER all_of_it
          FROM c
        WINDOW same AS (PARTITION BY c.address_key, c.for_tenant, c.scope, c.held),
               all_of_it AS (same ORDER BY c.ordinality ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
         ORDER BY c.address_key, c.for_tenant, c.scope, c.held, c.state, c.expires_at DESC NULLS FIRST,
                  c.ordinality
        ON CONFLICT (address_key, tenant, scope, stream) DO UPDATE
           SET (address, event_stream, event_id, event_at, kind, class, category, confidence, rule,
                mx_operator, source, status, diagnostic, evidence_text, state, held_key, held_hour,
                origin, reason, actor) = (
                   SELECT excluded.address, excluded.event_stream, excluded.event_id,
                          excluded.event_at, excluded.kind, excluded.class, excluded.category,
                          excluded.confidence, excluded.rule, excluded.mx_operator, excluded.source,
                          excluded.status, excluded.diagnostic, excluded.evidence_text, excluded.state,
                          excluded.held_key, excluded.held_hour, excluded.origin, NULL, NULL
                    WHERE bouncemx.suppression_taken(s.state, s.expires_at, excluded.state, excluded.kind,
                                                     excluded.class, excluded.event_at, excluded.expires_at)
                   UNION ALL
                   SELECT s.address, s.event_stream, s.event_id, s.event_at, s.kind, s.class,
                          s.category, s.confidence, s.rule, s.mx_operator, s.source, s.status,
                          s.diagnostic, s.evidence_text, s.state, s.held_key, s.held_hour, s.origin,
                          s.reason, s.actor
                    WHERE bouncemx.suppression_taken(s.state, s.expires_at, excluded.state, excluded.kind,
                                                     excluded.class, excluded.event_at, excluded.expires_at)
                          IS NOT TRUE),
               (expires_at, times) = (
                   SELECT CASE
                       -- What holds is not lengthened by what waits.
                       WHEN s.state = 'active' AND excluded.state = 'pending'
                        AND (s.expires_at <= excluded.event_at) IS NOT TRUE THEN s.expires_at
                       -- The score has counted all of them.
                       WHEN s.class = 'soft' AND excluded.class = 'soft' OR s.state <> excluded.state
                        AND excluded.class IS DISTINCT FROM 'hard' THEN excluded.expires_at
                       WHEN s.expires_at IS NULL OR excluded.expires_at IS NULL THEN NULL
                       ELSE greatest(s.expires_at, excluded.expires_at) END,
                       CASE WHEN s.class = 'soft' AND excluded.class = 'soft'
                              OR bouncemx.suppression_taken(s.state, s.expires_at, excluded.state, excluded.kind,
                                                            excluded.class, excluded.event_at, excluded.expires_at)
                            THEN excluded.times ELSE s.times END),
               events = s.events + excluded.events,
               last_event_id = CASE WHEN excluded.last_event_at >= s.last_event_at
                                    THEN excluded.last_event_id ELSE s.last_event_id END,
               last_event_at = greatest(s.last_event_at, excluded.last_event_at)
        RETURNING s.event_id, s.state)
    SELECT array_agg(CASE WHEN c.effect IS DISTINCT FROM 'suppressed' THEN c.effect
                          WHEN m.event_id IS NULL THEN 'counted'
                          WHEN m.state = 'pending' THEN 'pending'
                          ELSE 'suppressed' END ORDER BY c.ordinality)
      INTO result
      FROM ROWS FROM (unnest(candidates), unnest(rulings)) WITH ORDINALITY c
      LEFT JOIN made m ON m.event_id = c.event_id;

    -- What waits and is confirmed holds. These rows are locked already.
    IF EXISTS (SELECT FROM bouncemx.suppression WHERE state = 'pending') THEN
        UPDATE bouncemx.suppression s SET state = 'active', held_key = NULL, held_hour = NULL
          FROM ROWS FROM (unnest(candidates), unnest(rulings)) c
          JOIN unnest(policies) WITH ORDINALITY p ON p.ordinality = c.policy
         WHERE c.effect = 'suppressed' AND c.kind = 'bounce' AND c.class = 'hard'
           AND s.address_key = c.address_key AND s.scope = p.scope
           AND s.tenant = CASE p.scope WHEN 'global' THEN '' ELSE c.tenant END
           AND s.stream = CASE p.scope WHEN 'stream' THEN c.stream ELSE '' END
           AND bouncemx.confirms(s, c.event_id, c.received_at, c.token, p.strikes_apart)
           AND NOT EXISTS (SELECT FROM bouncemx.breaker_hour b
                            WHERE b.tenant = s.tenant
                              AND b.key = bouncemx.breaker_key(c.mx_operator, c.address_key)
                              AND b.hour = date_trunc('hour', c.received_at, 'UTC')
                              AND b.opened_at IS NOT NULL AND b.released_at IS NULL);
    END IF;
    PERFORM set_config('bouncemx.actor', was, true);
    RETURN result;
END $$;
COMMENT ON FUNCTION bouncemx.suppress(bouncemx.candidate[], bouncemx.policy[], bouncemx.ruling[]) IS 'Writes the list for the events of a batch that are suppressed, for act: the effect of each. Those that found their row there become counted, those of an hour for which the breaker is open pending.';

CREATE OR REPLACE FUNCTION bouncemx.act(candidates bouncemx.candidate[]) RETURNS bouncemx.event_effect[]
    LANGUAGE plpgsql AS $$
DECLARE
    policies bouncemx.policy[];
    places   integer[];
    effects  bouncemx.event_effect[];
    rulings  bouncemx.ruling[];
BEGIN
    IF candidates IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT j.policies, j.places, j.effects INTO policies, places, effects FROM bouncemx.judge(candidates) j;
    effects := bouncemx.use_up(candidates, effects);
    IF NOT effects && '{strike,soft,suppressed}' THEN
        RETURN effects;
    END IF;
    rulings := (SELECT array_agg(ROW(r.effect, r.place, NULL, NULL)::bouncemx.ruling ORDER BY r.n)
                  FROM unnest(effects, places) WITH ORDINALITY r (effect, place, n));
    IF 'soft' = ANY (effects) THEN
        rulings := bouncemx.score_up(candidates, policies, rulings);
    END IF;
    IF 'strike' = ANY (effects) THEN
        rulings := bouncemx.strike_out(candidates, policies, rulings);
        IF EXISTS (SELECT FROM bouncemx.suppression WHERE state = 'pending') THEN
            rulings := bouncemx.strike_confirms(candidates, policies, rulings);
        END IF;
    END IF;
    effects := (SELECT array_agg(r.effect ORDER BY r.ordinality) FROM unnest(rulings) WITH ORDINALITY r);
    IF 'suppressed' = ANY (effects) THEN
        effects := bouncemx.suppress(candidates, policies, rulings);
    END IF;
    RETURN effects;
END $$;
COMMENT ON FUNCTION bouncemx.act(bouncemx.candidate[]) IS 'Lets a batch of events act on the list, in their order, as table policy says; the effect of each (NULL for a NULL). Tables are written in the order token_seen, token_flood, content_seen, address_score, struck, strike, suppression, each by its key: call it once in a transaction.';
