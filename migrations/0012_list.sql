-- The list as people and policy keep it: policy as rows, scores, the allow-list, the breaker, and every
-- change noted by the table itself, so that no way of writing the list can leave it out.

-- ---- the list ----------------------------------------------------------------------------------

ALTER TABLE bouncemx.suppression
    ALTER COLUMN event_id DROP NOT NULL,
    ALTER COLUMN last_event_id DROP NOT NULL,
    ADD COLUMN state     bouncemx.suppression_state  NOT NULL DEFAULT 'active',
    ADD COLUMN origin    bouncemx.suppression_origin NOT NULL DEFAULT 'event',
    ADD COLUMN times     integer NOT NULL DEFAULT 1 CHECK (times > 0),
    ADD COLUMN reason    text,
    ADD COLUMN actor     text,
    ADD COLUMN held_key  text COLLATE "C",
    ADD COLUMN held_hour timestamptz,
    ADD CONSTRAINT suppression_held CHECK ((state = 'pending') = (held_key IS NOT NULL)
                                           AND (held_key IS NULL) = (held_hour IS NULL)),
    ADD CONSTRAINT suppression_made CHECK ((origin = 'event') = (event_id IS NOT NULL));
CREATE INDEX suppression_expires ON bouncemx.suppression (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX suppression_held_for ON bouncemx.suppression (held_key, held_hour) WHERE state = 'pending';
COMMENT ON COLUMN bouncemx.suppression.event_id IS 'The event that made the row what it is; NULL: a person or an import did.';
COMMENT ON COLUMN bouncemx.suppression.event_at IS 'When that event''s message was accepted; else when the row was made.';
COMMENT ON COLUMN bouncemx.suppression.kind IS 'What that event reported; of a row without one: bounce, complaint or unsubscribe as it was given, else other.';
COMMENT ON COLUMN bouncemx.suppression.last_event_id IS 'The latest of them; NULL: none.';
COMMENT ON COLUMN bouncemx.suppression.state IS 'Whether it holds.';
COMMENT ON COLUMN bouncemx.suppression.origin IS 'Who made the row.';
COMMENT ON COLUMN bouncemx.suppression.times IS 'The how manieth suppression of this address and scope by soft bounces it is: decides how long it lasts.';
COMMENT ON COLUMN bouncemx.suppression.reason IS 'Why, in the words of the person or the import; NULL: none were given.';
COMMENT ON COLUMN bouncemx.suppression.actor IS 'Who made the row by hand; NULL: events did.';
COMMENT ON COLUMN bouncemx.suppression.held_key IS 'The breaker_hour.key that it waits for; NULL: it does not wait.';
COMMENT ON COLUMN bouncemx.suppression.held_hour IS 'The breaker_hour.hour that it waits for; NULL: it does not wait.';
COMMENT ON INDEX bouncemx.suppression_expires IS 'Those whose time is over.';
COMMENT ON INDEX bouncemx.suppression_held_for IS 'Those that wait for one hour of the breaker.';

CREATE OR REPLACE FUNCTION bouncemx.effect_in_words(effect bouncemx.event_effect, v bouncemx.verification) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE effect
        WHEN 'suppressed' THEN 'suppressed'
        WHEN 'pending' THEN 'pending: suppresses once the circuit breaker is released'
        WHEN 'counted' THEN 'counted: was suppressed already'
        WHEN 'strike' THEN 'strike: counted, does not suppress by itself'
        WHEN 'soft' THEN 'soft: counted, does not suppress by itself'
        WHEN 'repeat' THEN 'none: its token or content has counted before'
        WHEN 'waiting' THEN 'waiting: its mail does not stand in table sent yet'
        WHEN 'none' THEN 'none'
        WHEN 'no_address' THEN 'none: no address'
        WHEN 'unverified' THEN CASE v WHEN 'unsigned' THEN 'none: not verified'
                                      ELSE 'none: ' || bouncemx.proof_of(v) END
        WHEN 'not_counting' THEN 'none: the mail reached somebody after all'
        WHEN 'flood' THEN 'none: too many by one token'
        WHEN 'allowed' THEN 'none: the allow-list holds the address'
        WHEN 'undone' THEN 'undone: taken back by hand'
    END;

-- ---- policy ------------------------------------------------------------------------------------

CREATE TABLE bouncemx.policy (
    name           text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    tenant         text,
    stream         text,
    kind           bouncemx.event_kind NOT NULL CHECK (kind IN ('bounce', 'complaint', 'unsubscribe')),
    class          bouncemx.bounce_class,
    category       bouncemx.bounce_category,
    strikes        integer CHECK (strikes BETWEEN 1 AND 20),
    strikes_unsure integer CHECK (strikes_unsure BETWEEN 2 AND 20),
    strikes_apart  interval NOT NULL DEFAULT '24 hours' CHECK (strikes_apart >= '0'),
    strikes_within interval NOT NULL DEFAULT '60 days' CHECK (strikes_within BETWEEN '0' AND '60 days'),
    score          numeric(6, 2) CHECK (score > 0),
    threshold      numeric(6, 2) NOT NULL DEFAULT 5 CHECK (threshold > 0),
    span           interval NOT NULL DEFAULT '14 days' CHECK (span >= '0'),
    decay          interval NOT NULL DEFAULT '90 days' CHECK (decay > '0'),
    expires        interval[] NOT NULL DEFAULT '{}' CHECK (array_position(expires, NULL) IS NULL),
    scope          bouncemx.suppression_scope NOT NULL DEFAULT 'tenant',
    note           text,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    updated_by     text NOT NULL DEFAULT session_user,
    CHECK (strikes IS NULL OR score IS NULL)
);
COMMENT ON TABLE bouncemx.policy IS 'What events do to the list. Of the rows that fit an event the most particular one decides: first by tenant and stream, then by category, then by class. No row, or one with neither strikes nor score: such events never suppress.';
COMMENT ON COLUMN bouncemx.policy.name IS 'Its name, for people and the audit.';
COMMENT ON COLUMN bouncemx.policy.tenant IS 'Only for this tenant; NULL: for all.';
COMMENT ON COLUMN bouncemx.policy.stream IS 'Only for this stream; NULL: for all.';
COMMENT ON COLUMN bouncemx.policy.kind IS 'For events of this kind.';
COMMENT ON COLUMN bouncemx.policy.class IS 'Only for this class; NULL: for all.';
COMMENT ON COLUMN bouncemx.policy.category IS 'Only for this category; NULL: for all.';
COMMENT ON COLUMN bouncemx.policy.strikes IS 'How many verified events of high confidence suppress; NULL: counted by score, or not at all.';
COMMENT ON COLUMN bouncemx.policy.strikes_unsure IS 'How many suppress where an event is of less confidence, capped, or of a domain that is trusted unsigned; NULL: those never do.';
COMMENT ON COLUMN bouncemx.policy.strikes_apart IS 'Strikes nearer to each other than this count as one.';
COMMENT ON COLUMN bouncemx.policy.strikes_within IS 'The first and the last of them may be this far apart.';
COMMENT ON COLUMN bouncemx.policy.score IS 'Points of one event; NULL: not counted by score.';
COMMENT ON COLUMN bouncemx.policy.threshold IS 'Points that suppress.';
COMMENT ON COLUMN bouncemx.policy.span IS 'The first and the last event that count must be at least this far apart.';
COMMENT ON COLUMN bouncemx.policy.decay IS 'After this long without a soft bounce the score begins anew at 0.';
COMMENT ON COLUMN bouncemx.policy.expires IS 'How long the first, second, ... suppression of an address lasts, the last one also for all later ones; empty: for ever.';
COMMENT ON COLUMN bouncemx.policy.scope IS 'How wide the suppression holds.';
COMMENT ON COLUMN bouncemx.policy.note IS 'What it is for.';
COMMENT ON COLUMN bouncemx.policy.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN bouncemx.policy.updated_by IS 'By whom.';

CREATE TABLE bouncemx.address_score (
    address_key   text COLLATE "C" NOT NULL,
    tenant        text NOT NULL,
    stream        text NOT NULL,
    days          date[]         NOT NULL DEFAULT '{}',
    points        numeric(6,2)[] NOT NULL DEFAULT '{}',
    score         numeric(8, 2)  NOT NULL DEFAULT 0,
    delivered_at  timestamptz,
    last_at       timestamptz    NOT NULL,
    last_event_id uuid           NOT NULL,
    times         integer        NOT NULL DEFAULT 0,
    PRIMARY KEY (address_key, tenant, stream)
) WITH (fillfactor = 80);
CREATE INDEX address_score_last ON bouncemx.address_score (last_at);
COMMENT ON TABLE bouncemx.address_score IS 'Soft bounces of an address. Who counts one locks its row, so that of two at once the later one sees the other.';
COMMENT ON COLUMN bouncemx.address_score.address_key IS 'The address.';
COMMENT ON COLUMN bouncemx.address_score.tenant IS 'Tenant for which it is counted.';
COMMENT ON COLUMN bouncemx.address_score.stream IS 'Stream for which it is counted, where the policy''s scope is stream; else empty.';
COMMENT ON COLUMN bouncemx.address_score.days IS 'The days (UTC, ascending) on which soft bounces were accepted: one count a day.';
COMMENT ON COLUMN bouncemx.address_score.points IS 'The points of each of the days: the highest of that day.';
COMMENT ON COLUMN bouncemx.address_score.score IS 'Sum of the points that count at the last of the days.';
COMMENT ON COLUMN bouncemx.address_score.delivered_at IS 'The latest delivery that was told to us: days before it do not count. NULL: none.';
COMMENT ON COLUMN bouncemx.address_score.last_at IS 'When the latest soft bounce was accepted.';
COMMENT ON COLUMN bouncemx.address_score.last_event_id IS 'The latest soft bounce.';
COMMENT ON COLUMN bouncemx.address_score.times IS 'How often it has been suppressed for soft bounces: the place on the ladder of policy.expires.';
COMMENT ON INDEX bouncemx.address_score_last IS 'Those too old to count.';

CREATE TABLE bouncemx.allowed (
    address_key text COLLATE "C" NOT NULL,
    tenant      text NOT NULL DEFAULT '',
    reason      text,
    actor       text NOT NULL DEFAULT session_user,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (address_key, tenant)
);
COMMENT ON TABLE bouncemx.allowed IS 'The allow-list: addresses that are never suppressed (own seeds, postmaster). It wins over every other rule.';
COMMENT ON COLUMN bouncemx.allowed.address_key IS 'The address as a key; @example.com: every address of the domain.';
COMMENT ON COLUMN bouncemx.allowed.tenant IS 'Only for this tenant; empty: for all.';
COMMENT ON COLUMN bouncemx.allowed.reason IS 'Why.';
COMMENT ON COLUMN bouncemx.allowed.actor IS 'Who put it here.';
COMMENT ON COLUMN bouncemx.allowed.created_at IS 'When.';

CREATE FUNCTION bouncemx.is_allowed(the_key text, the_tenant text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM bouncemx.allowed a
                    WHERE a.address_key IN (the_key COLLATE "C", '@' || split_part(the_key, '@', -1))
                      AND a.tenant IN ('', the_tenant));
END;
COMMENT ON FUNCTION bouncemx.is_allowed(text, text) IS 'Does the allow-list hold the address of this key, for the tenant?';

-- ---- the circuit breaker -----------------------------------------------------------------------

CREATE TABLE bouncemx.breaker_hour (
    tenant      text        NOT NULL,
    key         text        COLLATE "C" NOT NULL,
    hour        timestamptz NOT NULL,
    turned      bigint      NOT NULL DEFAULT 0,
    events      bigint      NOT NULL DEFAULT 0,
    usual       numeric,
    opened_at   timestamptz,
    released_at timestamptz,
    released_by text,
    PRIMARY KEY (tenant, key, hour)
) WITH (fillfactor = 80);
CREATE INDEX breaker_hour_open ON bouncemx.breaker_hour (opened_at) WHERE opened_at IS NOT NULL AND released_at IS NULL;
COMMENT ON TABLE bouncemx.breaker_hour IS 'The circuit breaker: how many addresses turned hard, by operator and hour of receipt. Where that is far more than usual the hour''s suppressions wait (state pending) until a person releases them.';
COMMENT ON COLUMN bouncemx.breaker_hour.tenant IS 'Tenant.';
COMMENT ON COLUMN bouncemx.breaker_hour.key IS 'Operator of the mail host; where none is known @ and the domain of the addresses.';
COMMENT ON COLUMN bouncemx.breaker_hour.hour IS 'The hour of receipt, by its begin.';
COMMENT ON COLUMN bouncemx.breaker_hour.turned IS 'How many distinct addresses turned hard in it.';
COMMENT ON COLUMN bouncemx.breaker_hour.events IS 'How many events of bounces, deliveries told to us included, it had: what turned is a share of.';
COMMENT ON COLUMN bouncemx.breaker_hour.usual IS 'What it was compared with when it opened: the median of the 28 days before.';
COMMENT ON COLUMN bouncemx.breaker_hour.opened_at IS 'When the breaker opened for this hour; NULL: it did not.';
COMMENT ON COLUMN bouncemx.breaker_hour.released_at IS 'When what waited was released by hand; NULL: not yet.';
COMMENT ON COLUMN bouncemx.breaker_hour.released_by IS 'By whom.';
COMMENT ON INDEX bouncemx.breaker_hour_open IS 'The open ones.';

CREATE FUNCTION bouncemx.breaker_key(mx_operator text, the_key text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(mx_operator, '@' || split_part(the_key, '@', -1));
COMMENT ON FUNCTION bouncemx.breaker_key(text, text) IS 'breaker_hour.key of an event: its operator, else the domain of its address.';

-- ---- who did what ------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.actor() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(nullif(current_setting('bouncemx.actor', true), ''), session_user::text);
COMMENT ON FUNCTION bouncemx.actor() IS 'Who acts: the setting bouncemx.actor, which a program sets for its user; else the session''s user.';

CREATE TABLE bouncemx.audit (
    id     uuid        NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor  text        NOT NULL DEFAULT bouncemx.actor(),
    action text        NOT NULL,
    object text        NOT NULL,
    detail jsonb
);
CREATE INDEX audit_at ON bouncemx.audit (at);
COMMENT ON TABLE bouncemx.audit IS 'What people did beside the list itself (whose changes stand in suppression_change): policy, allow-list, breaker, imports, replays, erasures.';
COMMENT ON COLUMN bouncemx.audit.id IS 'A random id.';
COMMENT ON COLUMN bouncemx.audit.at IS 'When.';
COMMENT ON COLUMN bouncemx.audit.actor IS 'Who.';
COMMENT ON COLUMN bouncemx.audit.action IS 'What was done: policy.update, allowed.insert, breaker.release, ...';
COMMENT ON COLUMN bouncemx.audit.object IS 'To what; never an address that was erased.';
COMMENT ON COLUMN bouncemx.audit.detail IS 'What it was before and after, or how much; NULL: nothing more to say.';
COMMENT ON INDEX bouncemx.audit_at IS 'The latest.';

CREATE FUNCTION bouncemx.row_audited() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    is_now jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
BEGIN
    INSERT INTO bouncemx.audit (action, object, detail)
    VALUES (TG_TABLE_NAME || '.' || lower(TG_OP), coalesce(is_now, was) ->> TG_ARGV[0],
            jsonb_strip_nulls(jsonb_build_object('before', was, 'after', is_now)));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION bouncemx.row_audited() IS 'Trigger: notes a change of a row in audit; its argument is the column that names the row.';
CREATE TRIGGER policy_audited AFTER INSERT OR UPDATE OR DELETE ON bouncemx.policy
    FOR EACH ROW EXECUTE FUNCTION bouncemx.row_audited('name');
CREATE TRIGGER allowed_audited AFTER INSERT OR UPDATE OR DELETE ON bouncemx.allowed
    FOR EACH ROW EXECUTE FUNCTION bouncemx.row_audited('address_key');

-- ---- erased people -----------------------------------------------------------------------------

CREATE TABLE bouncemx_private.pepper (
    id          integer PRIMARY KEY CHECK (id > 0),
    secret      bytea   NOT NULL CHECK (length(secret) BETWEEN 32 AND 128),
    inner_block bytea   NOT NULL
        GENERATED ALWAYS AS (bouncemx_private.key_block(secret, 54)) STORED,
    outer_block bytea   NOT NULL
        GENERATED ALWAYS AS (bouncemx_private.key_block(secret, 92)) STORED,
    created_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO bouncemx_private.pepper (id, secret)
VALUES (1, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
COMMENT ON TABLE bouncemx_private.pepper IS 'Keys of the hashes of addresses, made by the database itself. Whoever has one can test whether an address is behind a hash. The highest id makes new hashes; older ones are kept for those they made.';
COMMENT ON COLUMN bouncemx_private.pepper.id IS 'Number of the key.';
COMMENT ON COLUMN bouncemx_private.pepper.secret IS 'The key.';
COMMENT ON COLUMN bouncemx_private.pepper.inner_block IS 'What the inner hash begins with.';
COMMENT ON COLUMN bouncemx_private.pepper.outer_block IS 'What the outer hash begins with.';
COMMENT ON COLUMN bouncemx_private.pepper.created_at IS 'When it was made.';
REVOKE ALL ON TABLE bouncemx_private.pepper FROM PUBLIC;

CREATE TABLE bouncemx.erased (
    address_hash bytea       NOT NULL,
    pepper_id    integer     NOT NULL,
    kind         bouncemx.event_kind,
    erased_at    timestamptz NOT NULL,
    PRIMARY KEY (address_hash)
);
COMMENT ON TABLE bouncemx.erased IS 'People who were erased, by the keyed hash of their address: never mailed again, and reports about them are dropped unread.';
COMMENT ON COLUMN bouncemx.erased.address_hash IS 'HMAC-SHA256 of the address key.';
COMMENT ON COLUMN bouncemx.erased.pepper_id IS 'With which of the private keys.';
COMMENT ON COLUMN bouncemx.erased.kind IS 'Why the address stood on the list, if it did; NULL: it did not.';
COMMENT ON COLUMN bouncemx.erased.erased_at IS 'When.';

CREATE FUNCTION bouncemx.address_hash(the_key text, the_pepper integer DEFAULT NULL) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT sha256(p.outer_block || sha256(p.inner_block || convert_to(the_key, 'UTF8')))
      FROM bouncemx_private.pepper p
     WHERE the_pepper IS NULL OR p.id = the_pepper
     ORDER BY p.id DESC LIMIT 1;
END;
COMMENT ON FUNCTION bouncemx.address_hash(text, integer) IS 'The keyed hash of an address key, by one of the private keys (NULL: the newest).';

CREATE FUNCTION bouncemx.erased_of(keys text[]) RETURNS boolean[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM bouncemx.erased) THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT array_agg(EXISTS (
                       SELECT FROM bouncemx_private.pepper p JOIN bouncemx.erased e
                         ON e.address_hash = sha256(p.outer_block || sha256(p.inner_block || convert_to(k.key, 'UTF8')))
                        AND e.pepper_id = p.id) ORDER BY k.n)
              FROM unnest(keys) WITH ORDINALITY k (key, n));
END $$;
COMMENT ON FUNCTION bouncemx.erased_of(text[]) IS 'Which of these address keys are of erased people, one element each; NULL: nobody was ever erased.';

REVOKE ALL ON FUNCTION bouncemx.address_hash(text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION bouncemx.erased_of(text[]) FROM PUBLIC;

-- ---- changes and the feed ----------------------------------------------------------------------

CREATE TABLE bouncemx.suppression_change (
    id           bigint      GENERATED ALWAYS AS IDENTITY,
    address_hash bytea       NOT NULL,
    xid          xid8        NOT NULL DEFAULT pg_current_xact_id(),
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    op           bouncemx.change_op NOT NULL,
    address_key  text        COLLATE "C",
    address      text,
    tenant       text        NOT NULL,
    scope        bouncemx.suppression_scope NOT NULL,
    stream       text        NOT NULL,
    state        bouncemx.suppression_state,
    origin       bouncemx.suppression_origin,
    kind         bouncemx.event_kind,
    class        bouncemx.bounce_class,
    category     bouncemx.bounce_category,
    confidence   bouncemx.bounce_confidence,
    rule         text,
    mx_operator  text,
    status       text,
    evidence_text text,
    event_id     uuid,
    event_at     timestamptz,
    expires_at   timestamptz,
    reason       text,
    actor        text        NOT NULL,
    PRIMARY KEY (id, address_hash)
);
CREATE INDEX suppression_change_xid ON bouncemx.suppression_change (xid);
CREATE INDEX suppression_change_hash ON bouncemx.suppression_change (address_hash, id);
COMMENT ON TABLE bouncemx.suppression_change IS 'Every change of the list, appended by a trigger of suppression in the transaction that makes it. Its ids are given before commit and may have gaps: readers follow feed, whose numbers do not.';
COMMENT ON COLUMN bouncemx.suppression_change.id IS 'Ascending; of two changes of one row of the list the later has the higher.';
COMMENT ON COLUMN bouncemx.suppression_change.address_hash IS 'Keyed hash of the address: stays when the address is erased.';
COMMENT ON COLUMN bouncemx.suppression_change.xid IS 'The transaction, for the sequencer.';
COMMENT ON COLUMN bouncemx.suppression_change.at IS 'When.';
COMMENT ON COLUMN bouncemx.suppression_change.op IS 'What happened.';
COMMENT ON COLUMN bouncemx.suppression_change.address_key IS 'The address as a key; NULL: erased.';
COMMENT ON COLUMN bouncemx.suppression_change.address IS 'The address as the event had it; NULL: erased.';
COMMENT ON COLUMN bouncemx.suppression_change.tenant IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.scope IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.stream IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.state IS 'Of the row afterwards; NULL: there is none.';
COMMENT ON COLUMN bouncemx.suppression_change.origin IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.kind IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.class IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.category IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.confidence IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.rule IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.mx_operator IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.status IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.evidence_text IS 'Of the row; NULL also when erased.';
COMMENT ON COLUMN bouncemx.suppression_change.event_id IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.event_at IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.expires_at IS 'Of the row.';
COMMENT ON COLUMN bouncemx.suppression_change.reason IS 'Why, in a person''s words; NULL: none were given.';
COMMENT ON COLUMN bouncemx.suppression_change.actor IS 'Who made the change; policy: events did.';
COMMENT ON INDEX bouncemx.suppression_change_xid IS 'What the sequencer has not numbered yet.';
COMMENT ON INDEX bouncemx.suppression_change_hash IS 'History of one address.';

CREATE TABLE bouncemx.feed (
    number       bigint NOT NULL PRIMARY KEY,
    change_id    bigint NOT NULL UNIQUE,
    address_hash bytea  NOT NULL,
    numbered_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE bouncemx.feed IS 'Numbers of the committed changes, given by one sequencer: without gaps, in an order that never changes, changes of one address in their own order.';
COMMENT ON COLUMN bouncemx.feed.number IS 'From 1, without gaps.';
COMMENT ON COLUMN bouncemx.feed.change_id IS 'The row of suppression_change.';
COMMENT ON COLUMN bouncemx.feed.address_hash IS 'Its other key column.';
COMMENT ON COLUMN bouncemx.feed.numbered_at IS 'When it was numbered.';
COMMENT ON INDEX bouncemx.feed_change_id_key IS 'Each change has one number.';

CREATE TABLE bouncemx.feed_state (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch      integer NOT NULL,
    number     bigint  NOT NULL,
    snapshot   pg_snapshot NOT NULL,
    cluster    bigint  NOT NULL,
    timeline   bigint  NOT NULL,
    database   oid     NOT NULL,
    since      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE bouncemx.feed_state IS 'Where the feed stands, one row.';
COMMENT ON COLUMN bouncemx.feed_state.only_row IS 'True: there is one row.';
COMMENT ON COLUMN bouncemx.feed_state.epoch IS 'Which life of the database: raised when it is promoted, restored or moved. Cursors of another epoch are told to export again.';
COMMENT ON COLUMN bouncemx.feed_state.number IS 'The last number given.';
COMMENT ON COLUMN bouncemx.feed_state.snapshot IS 'Changes whose transactions this snapshot sees have been numbered.';
COMMENT ON COLUMN bouncemx.feed_state.cluster IS 'System identifier of the PostgreSQL cluster of this epoch.';
COMMENT ON COLUMN bouncemx.feed_state.timeline IS 'Timeline of its write-ahead log.';
COMMENT ON COLUMN bouncemx.feed_state.database IS 'Its database there.';
COMMENT ON COLUMN bouncemx.feed_state.since IS 'When the epoch began.';

CREATE FUNCTION bouncemx.suppression_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    replayed_by text := nullif(current_setting('bouncemx.replay', true), '');
BEGIN
    INSERT INTO bouncemx.suppression_change (
        address_hash, op, address_key, address, tenant, scope, stream, state, origin, kind, class,
        category, confidence, rule, mx_operator, status, evidence_text, event_id, event_at,
        expires_at, reason, actor)
    SELECT bouncemx.address_hash(n.address_key), 'add', n.address_key, n.address, n.tenant, n.scope,
           n.stream, n.state, n.origin, n.kind, n.class, n.category, n.confidence, n.rule,
           n.mx_operator, n.status, n.evidence_text, n.event_id, n.event_at, n.expires_at,
           coalesce(n.reason, CASE WHEN replayed_by IS NOT NULL THEN current_setting('bouncemx.reason', true) END),
           coalesce(n.actor, CASE n.origin WHEN 'event' THEN coalesce(replayed_by, 'policy') ELSE bouncemx.actor() END)
      FROM fresh n
     ORDER BY n.address_key, n.tenant, n.scope, n.stream;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION bouncemx.suppression_inserted() IS 'Trigger of suppression: new rows become changes. The setting bouncemx.replay names who replays, in place of policy.';

CREATE FUNCTION bouncemx.suppression_updated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Counting a further event is no change of the list.
    INSERT INTO bouncemx.suppression_change (
        address_hash, op, address_key, address, tenant, scope, stream, state, origin, kind, class,
        category, confidence, rule, mx_operator, status, evidence_text, event_id, event_at,
        expires_at, reason, actor)
    SELECT bouncemx.address_hash(n.address_key),
           CASE WHEN o.state = 'active' AND n.state = 'pending' THEN 'hold'
                WHEN o.state = 'pending' AND n.state = 'active' THEN 'release'
                ELSE 'change' END::bouncemx.change_op,
           n.address_key, n.address, n.tenant, n.scope, n.stream, n.state, n.origin, n.kind, n.class,
           n.category, n.confidence, n.rule, n.mx_operator, n.status, n.evidence_text, n.event_id,
           n.event_at, n.expires_at,
           coalesce(nullif(current_setting('bouncemx.reason', true), ''), n.reason),
           CASE WHEN n.event_id IS DISTINCT FROM o.event_id AND n.origin = 'event' THEN 'policy'
                ELSE bouncemx.actor() END
      FROM fresh n
      JOIN stale o USING (address_key, tenant, scope, stream)
     WHERE (o.state, o.origin, o.kind, o.class, o.category, o.rule, o.event_id, o.expires_at, o.reason)
           IS DISTINCT FROM
           (n.state, n.origin, n.kind, n.class, n.category, n.rule, n.event_id, n.expires_at, n.reason)
     ORDER BY n.address_key, n.tenant, n.scope, n.stream;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION bouncemx.suppression_updated() IS 'Trigger of suppression: rows that say something else become changes. The setting bouncemx.reason says why.';

CREATE FUNCTION bouncemx.suppression_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    the_op bouncemx.change_op := coalesce(nullif(current_setting('bouncemx.op', true), ''), 'remove');
BEGIN
    INSERT INTO bouncemx.suppression_change (
        address_hash, op, address_key, address, tenant, scope, stream, origin, kind, class, category,
        confidence, rule, mx_operator, status, evidence_text, event_id, event_at, expires_at, reason,
        actor)
    SELECT bouncemx.address_hash(o.address_key), the_op, o.address_key, o.address, o.tenant, o.scope,
           o.stream, o.origin, o.kind, o.class, o.category, o.confidence, o.rule, o.mx_operator,
           o.status, o.evidence_text, o.event_id, o.event_at, o.expires_at,
           nullif(current_setting('bouncemx.reason', true), ''), bouncemx.actor()
      FROM stale o
     ORDER BY o.address_key, o.tenant, o.scope, o.stream;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION bouncemx.suppression_deleted() IS 'Trigger of suppression: rows that went become changes. The settings bouncemx.op (remove, expire) and bouncemx.reason say what and why.';

CREATE TRIGGER suppression_inserted AFTER INSERT ON bouncemx.suppression
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION bouncemx.suppression_inserted();
CREATE TRIGGER suppression_updated AFTER UPDATE ON bouncemx.suppression
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION bouncemx.suppression_updated();
CREATE TRIGGER suppression_deleted AFTER DELETE ON bouncemx.suppression
    REFERENCING OLD TABLE AS stale
    FOR EACH STATEMENT EXECUTE FUNCTION bouncemx.suppression_deleted();

-- ---- volume ------------------------------------------------------------------------------------

CREATE TABLE bouncemx.volume (
    day         date   NOT NULL,
    tenant      text   NOT NULL DEFAULT '',
    stream      text   NOT NULL DEFAULT '',
    mx_operator text   NOT NULL DEFAULT '',
    sent        bigint NOT NULL CHECK (sent >= 0),
    delivered   bigint CHECK (delivered >= 0),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, tenant, stream, mx_operator)
);
COMMENT ON TABLE bouncemx.volume IS 'How much mail was sent, told by the sender: an MX for bounces can''t know. Where a day, stream and operator has no row no rate is shown.';
COMMENT ON COLUMN bouncemx.volume.day IS 'The day of sending, UTC.';
COMMENT ON COLUMN bouncemx.volume.tenant IS 'Tenant; empty: none is set.';
COMMENT ON COLUMN bouncemx.volume.stream IS 'Stream; empty: none is set.';
COMMENT ON COLUMN bouncemx.volume.mx_operator IS 'Who runs the recipients'' mail hosts; empty: of all operators together.';
COMMENT ON COLUMN bouncemx.volume.sent IS 'How many messages, one a recipient.';
COMMENT ON COLUMN bouncemx.volume.delivered IS 'How many were accepted; NULL: not told.';
COMMENT ON COLUMN bouncemx.volume.updated_at IS 'When it was told.';
