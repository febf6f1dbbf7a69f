-- Policy as rows: which one decides over an event, and what the event would do if it were the only one.
-- Nothing acts by them before 0016.

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
