-- Whose address it is: what vouched for an event, what was used up, what the sender sent.

-- Made anew in 0007, over other columns.
DROP FUNCTION bouncemx.event_of(uuid);
DROP FUNCTION bouncemx.events(bigint, uuid);
DROP VIEW bouncemx.event_shown;
DROP FUNCTION bouncemx.suppressed(text, text);
DROP FUNCTION bouncemx.suppression_of(text);
DROP FUNCTION bouncemx.suppressions(text, bigint, text);

-- ---- addresses ---------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.address_key(address text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN octet_length(address) <= 254 AND length(domain) <= 253
         AND domain ~ '^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$'
         AND (local ~ '^[^\x01-\x20\x7f"<>]+$' OR local ~ '^"([^\x01-\x1f\x7f"\\]|\\[^\x01-\x1f\x7f])*"$')
        THEN lower(regexp_replace(local, '^"([A-Za-z0-9!#$%&''*+/=?^_`{|}~.\u0080-\U0010ffff-]+)"$', '\1')
                   COLLATE "C") || '@' || lower(domain COLLATE "C")
        END
      FROM (SELECT substring(address FROM '^(.*)@[^@]*$') AS local,
                   regexp_replace(substring(address FROM '@([^@]*)$'), '\.$', '') AS domain) parts;
END;
COMMENT ON FUNCTION bouncemx.address_key(text) IS 'The key of an address, as the program makes it: local part case-folded (ASCII) and unquoted where it can be, domain lower-case. A domain must be an A-label name: NULL for one in Unicode, and for what is no address.';

-- ---- messages and events -----------------------------------------------------------------------

ALTER TABLE bouncemx.message
    ADD COLUMN user_agent   text,
    ADD COLUMN content_hash bytea;
COMMENT ON COLUMN bouncemx.message.user_agent IS 'User-Agent of a feedback report (RFC 5965).';
COMMENT ON COLUMN bouncemx.message.content_hash IS 'SHA-256 of the body; NULL: every event of it has a token, which is what repeats are known by.';

ALTER TABLE bouncemx.event
    ADD COLUMN verification bouncemx.verification NOT NULL DEFAULT 'unsigned',
    ADD COLUMN token        text COLLATE "C",
    ADD COLUMN token_id     text COLLATE "C",
    ADD COLUMN token_day    date,
    ADD COLUMN campaign     text,
    ADD COLUMN counts       boolean NOT NULL DEFAULT true,
    ADD COLUMN capped       boolean NOT NULL DEFAULT false,
    ADD COLUMN effect       bouncemx.event_effect NOT NULL DEFAULT 'none';
CREATE INDEX event_complaint ON bouncemx.event (received_at) WHERE kind = 'complaint';
COMMENT ON COLUMN bouncemx.event.verification IS 'What vouches for the address, or why nothing does.';
COMMENT ON COLUMN bouncemx.event.token IS 'Identity of the valid token that named the address: what it signs, without the signature; NULL: none did.';
COMMENT ON COLUMN bouncemx.event.token_id IS 'The id in an opaque token, under which its mail stands in sent.';
COMMENT ON COLUMN bouncemx.event.token_day IS 'The day that the token was made.';
COMMENT ON COLUMN bouncemx.event.campaign IS 'Campaign of the mail that is reported on, as the return path or sent say it.';
COMMENT ON COLUMN bouncemx.event.counts IS 'May make a strike or a soft count; false when the mail reached somebody after all.';
COMMENT ON COLUMN bouncemx.event.capped IS 'Of medium confidence at most: forwarded, or the mail of a real sender.';
COMMENT ON COLUMN bouncemx.event.effect IS 'What it did, or why it did nothing.';
COMMENT ON INDEX bouncemx.event_complaint IS 'Complaints of a time.';

UPDATE bouncemx.event e
   SET effect = CASE WHEN e.address_key IS NULL THEN 'no_address'
                     WHEN NOT e.trusted THEN 'unverified'
                     WHEN EXISTS (SELECT FROM bouncemx.suppression s WHERE s.event_id = e.id) THEN 'suppressed'
                     ELSE 'counted' END::bouncemx.event_effect
 WHERE e.kind = 'bounce' AND e.is_hard;

-- ---- the list ----------------------------------------------------------------------------------

ALTER TABLE bouncemx.suppression DROP CONSTRAINT suppression_pkey;
ALTER TABLE bouncemx.suppression DROP CONSTRAINT suppression_scope_check;
ALTER TABLE bouncemx.suppression RENAME COLUMN stream TO event_stream;
ALTER TABLE bouncemx.suppression ADD COLUMN stream text NOT NULL DEFAULT '';
ALTER TABLE bouncemx.suppression ADD COLUMN expires_at timestamptz;
UPDATE bouncemx.suppression SET stream = substr(scope, 8), scope = 'stream' WHERE scope LIKE 'stream:%';
ALTER TABLE bouncemx.suppression
    ALTER COLUMN scope TYPE bouncemx.suppression_scope USING scope::bouncemx.suppression_scope,
    ADD CONSTRAINT suppression_stream CHECK (scope = 'stream' OR stream = ''),
    ADD PRIMARY KEY (address_key, tenant, scope, stream);
COMMENT ON COLUMN bouncemx.suppression.scope IS 'How wide it holds: for everybody, for the tenant, or for one stream of the tenant.';
COMMENT ON COLUMN bouncemx.suppression.stream IS 'The stream that it holds for, where scope is stream (empty: mail of the stream without a name); else empty.';
COMMENT ON COLUMN bouncemx.suppression.event_stream IS 'Stream of the event that made the row; empty: none is set.';
COMMENT ON COLUMN bouncemx.suppression.event_id IS 'The event that made the row what it is.';
COMMENT ON COLUMN bouncemx.suppression.expires_at IS 'From when on it holds no longer; NULL: it never ends.';

-- ---- what is used up ---------------------------------------------------------------------------

CREATE TABLE bouncemx.token_seen (
    token       text   COLLATE "C" NOT NULL,
    day         date   NOT NULL,
    events      bigint NOT NULL,
    hard        uuid,
    strike      uuid,
    soft        uuid,
    complaint   uuid,
    unsubscribe uuid,
    PRIMARY KEY (token, day)
) PARTITION BY RANGE (day);
COMMENT ON TABLE bouncemx.token_seen IS 'Tokens that came back: each acts once in its life for each thing, however often it is replayed. Partitioned by week of the token''s own day, so that a look-up is one probe.';
COMMENT ON COLUMN bouncemx.token_seen.token IS 'Identity of the token: what it signs, without the signature.';
COMMENT ON COLUMN bouncemx.token_seen.day IS 'The day that the token was made.';
COMMENT ON COLUMN bouncemx.token_seen.events IS 'How many events came by it.';
COMMENT ON COLUMN bouncemx.token_seen.hard IS 'The event that used it up for a suppression at once; NULL: none yet.';
COMMENT ON COLUMN bouncemx.token_seen.strike IS 'The event that used it up for a strike.';
COMMENT ON COLUMN bouncemx.token_seen.soft IS 'The event that used it up for a soft bounce.';
COMMENT ON COLUMN bouncemx.token_seen.complaint IS 'The event that used it up for a complaint.';
COMMENT ON COLUMN bouncemx.token_seen.unsubscribe IS 'The event that used it up for an unsubscribe.';

CREATE TABLE bouncemx.content_seen (
    content  bytea NOT NULL,
    day      date  NOT NULL,
    use      bouncemx.use_kind NOT NULL,
    event_id uuid  NOT NULL,
    PRIMARY KEY (content, day, use)
) PARTITION BY RANGE (day);
COMMENT ON TABLE bouncemx.content_seen IS 'Contents of reports without a token: the same words about the same address count once in 60 days. Partitioned by week of receipt.';
COMMENT ON COLUMN bouncemx.content_seen.content IS 'SHA-256 over the body''s hash, tenant, stream and address.';
COMMENT ON COLUMN bouncemx.content_seen.day IS 'The day (UTC) of receipt.';
COMMENT ON COLUMN bouncemx.content_seen.use IS 'What it was used for.';
COMMENT ON COLUMN bouncemx.content_seen.event_id IS 'The event that used it.';

CREATE TABLE bouncemx.token_flood (
    token         text        COLLATE "C" NOT NULL,
    day           date        NOT NULL,
    events        bigint      NOT NULL,
    first_at      timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    last_event_id uuid        NOT NULL,
    PRIMARY KEY (token, day)
);
COMMENT ON TABLE bouncemx.token_flood IS 'Tokens by which more came than is kept: each such message keeps its row in message, its events and bytes are only counted here.';
COMMENT ON COLUMN bouncemx.token_flood.token IS 'Identity of the token.';
COMMENT ON COLUMN bouncemx.token_flood.day IS 'The day that the token was made.';
COMMENT ON COLUMN bouncemx.token_flood.events IS 'How many events were counted and not kept.';
COMMENT ON COLUMN bouncemx.token_flood.first_at IS 'When the first of them was accepted.';
COMMENT ON COLUMN bouncemx.token_flood.last_at IS 'When the last of them was accepted.';
COMMENT ON COLUMN bouncemx.token_flood.last_event_id IS 'The id that the last of them would have had.';

CREATE TABLE bouncemx.struck (
    address_key text        COLLATE "C" NOT NULL,
    tenant      text        NOT NULL,
    strikes     bigint      NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (address_key, tenant)
) WITH (fillfactor = 90);
COMMENT ON TABLE bouncemx.struck IS 'Addresses with strikes. Who strikes one locks its row first, so that of two strikes at once the later one sees the other.';
COMMENT ON COLUMN bouncemx.struck.address_key IS 'The address.';
COMMENT ON COLUMN bouncemx.struck.tenant IS 'Tenant for which it was struck.';
COMMENT ON COLUMN bouncemx.struck.strikes IS 'How many strikes it has had.';
COMMENT ON COLUMN bouncemx.struck.first_at IS 'When the earliest was accepted.';
COMMENT ON COLUMN bouncemx.struck.last_at IS 'When the latest was accepted.';

CREATE TABLE bouncemx.strike (
    address_key text        COLLATE "C" NOT NULL,
    tenant      text        NOT NULL,
    key         text        COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL,
    event_id    uuid        NOT NULL,
    PRIMARY KEY (address_key, tenant, key)
);
CREATE INDEX strike_at ON bouncemx.strike (at);
COMMENT ON TABLE bouncemx.strike IS 'Hard bounces that are not enough by themselves: two of different keys, a day apart, suppress.';
COMMENT ON COLUMN bouncemx.strike.address_key IS 'The address.';
COMMENT ON COLUMN bouncemx.strike.tenant IS 'Tenant for which it counts.';
COMMENT ON COLUMN bouncemx.strike.key IS 'What makes it one of its own: the token, or the content.';
COMMENT ON COLUMN bouncemx.strike.at IS 'When it was accepted.';
COMMENT ON COLUMN bouncemx.strike.event_id IS 'The event.';
COMMENT ON INDEX bouncemx.strike_at IS 'Those too old to count.';

-- ---- what the sender sent ----------------------------------------------------------------------

CREATE TABLE bouncemx.sent (
    day         date NOT NULL,
    id          text COLLATE "C" NOT NULL CHECK (id ~ '^[a-z2-7]{13,26}$'),
    recipient   text NOT NULL,
    address_key text COLLATE "C" GENERATED ALWAYS AS (bouncemx.address_key(recipient)) STORED,
    tenant      text,
    stream      text,
    campaign    text,
    message_id  text,
    sent_at     timestamptz,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
COMMENT ON TABLE bouncemx.sent IS 'Mail that was sent with opaque tokens: whose it was. Filled by the sender, whose role needs INSERT on this table alone (USAGE on the schema, EXECUTE on address_key): by COPY or INSERT through this table, before or after the mail goes out. One (day, id) that stands already fails a whole COPY; sent_put() passes over it. Give no other row of a transaction after it: bounces that waited for the rows act in it. Partitioned by week of day, kept 400 days.';
COMMENT ON COLUMN bouncemx.sent.day IS 'The day in the token (UTC).';
COMMENT ON COLUMN bouncemx.sent.id IS 'The id in the token: 13 to 26 lower-case base32 characters.';
COMMENT ON COLUMN bouncemx.sent.recipient IS 'Address that the mail went to, its domain as an A-label.';
COMMENT ON COLUMN bouncemx.sent.address_key IS 'Its key; NULL: recipient is no address with an A-label domain. Events by this row then have no address that could be suppressed.';
COMMENT ON COLUMN bouncemx.sent.tenant IS 'Tenant whose mail it was; NULL: that of the return-path domain. A row of another tenant than the domain''s never answers for its events: the domain binds.';
COMMENT ON COLUMN bouncemx.sent.stream IS 'Stream of the mail; NULL: that of the return-path domain.';
COMMENT ON COLUMN bouncemx.sent.campaign IS 'Campaign of the mail.';
COMMENT ON COLUMN bouncemx.sent.message_id IS 'Its Message-ID, without <>.';
COMMENT ON COLUMN bouncemx.sent.sent_at IS 'When it was sent.';

CREATE TABLE bouncemx.event_waiting (
    day           date        NOT NULL,
    id            text        COLLATE "C" NOT NULL,
    event_id      uuid        NOT NULL,
    received_at   timestamptz NOT NULL,
    tenant        text        NOT NULL,
    waiting_since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, id, event_id)
);
CREATE INDEX event_waiting_since ON bouncemx.event_waiting (waiting_since);
COMMENT ON TABLE bouncemx.event_waiting IS 'Events by a valid opaque token whose row is not in sent yet. When it comes they are resolved and act.';
COMMENT ON COLUMN bouncemx.event_waiting.day IS 'The day in the token.';
COMMENT ON COLUMN bouncemx.event_waiting.id IS 'The id in the token.';
COMMENT ON COLUMN bouncemx.event_waiting.event_id IS 'The event.';
COMMENT ON COLUMN bouncemx.event_waiting.received_at IS 'When its message was accepted.';
COMMENT ON COLUMN bouncemx.event_waiting.tenant IS 'Tenant of the return-path domain.';
COMMENT ON COLUMN bouncemx.event_waiting.waiting_since IS 'When its transaction began, by the server''s clock.';
COMMENT ON INDEX bouncemx.event_waiting_since IS 'The latest, for resolve_waiting.';

-- ---- partitions --------------------------------------------------------------------------------

CREATE TABLE bouncemx.token_seen_default PARTITION OF bouncemx.token_seen DEFAULT;
CREATE TABLE bouncemx.content_seen_default PARTITION OF bouncemx.content_seen DEFAULT;
CREATE TABLE bouncemx.sent_default PARTITION OF bouncemx.sent DEFAULT;
COMMENT ON TABLE bouncemx.token_seen_default IS 'Tokens of days for which no partition was made.';
COMMENT ON TABLE bouncemx.content_seen_default IS 'Contents of days for which no partition was made.';
COMMENT ON TABLE bouncemx.sent_default IS 'Mail of days for which no partition was made.';

DROP FUNCTION bouncemx.move_from_default(text, text, timestamptz, timestamptz);
CREATE FUNCTION bouncemx.move_from_default(parent text, child text, by_column text, low text, high text)
    RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    columns text;
    moved   bigint;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
      FROM pg_catalog.pg_attribute
     WHERE attrelid = format('bouncemx.%I', parent)::regclass
       AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    EXECUTE format('LOCK TABLE bouncemx.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    EXECUTE format('WITH taken AS (DELETE FROM bouncemx.%1$I WHERE %4$I >= %5$L AND %4$I < %6$L '
                   'RETURNING %3$s) INSERT INTO bouncemx.%2$I (%3$s) SELECT %3$s FROM taken',
                   parent || '_default', child, columns, by_column, low, high);
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END $$;
COMMENT ON FUNCTION bouncemx.move_from_default(text, text, text, text, text) IS 'Moves rows whose by_column is in [low, high) from the default partition of parent to the table child, for ensure_partitions; returns how many.';

CREATE OR REPLACE FUNCTION bouncemx.ensure_partitions(from_time timestamptz, to_time timestamptz)
    RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    parent    text;
    by_column text;
    step      interval;
    low       timestamptz;
    bounds    text[];
    child     text;
    made      integer := 0;
BEGIN
    IF from_time IS NULL OR to_time IS NULL OR to_time - from_time > interval '800 days' THEN
        RAISE EXCEPTION 'ensure_partitions: % to % is no span of at most 800 days', from_time, to_time
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Two callers at once: the second waits, then finds them made.
    PERFORM pg_advisory_xact_lock(hashtextextended('bouncemx.ensure_partitions', 0));
    -- In the order in which writers take them, so that none waits in a circle.
    FOR parent, step, by_column IN VALUES
        ('message', interval '7 days', 'received_at'), ('sent', interval '7 days', 'day'),
        ('token_seen', interval '7 days', 'day'), ('content_seen', interval '7 days', 'day'),
        ('evidence', interval '1 day', 'received_at'), ('event', interval '7 days', 'received_at')
    LOOP
        -- Counted from a Monday, in UTC whatever the session's zone.
        low := date_bin(step, from_time, timestamptz '2001-01-01 00:00:00+00');
        WHILE low <= to_time LOOP
            child := format('%s_%s', parent, to_char(low AT TIME ZONE 'UTC', 'YYYYMMDD'));
            IF to_regclass(format('bouncemx.%I', child)) IS NULL THEN
                bounds := CASE by_column
                    WHEN 'day' THEN ARRAY[(low AT TIME ZONE 'UTC')::date::text,
                                          ((low + step) AT TIME ZONE 'UTC')::date::text]
                    ELSE ARRAY[low::text, (low + step)::text] END;
                -- Made beside and then attached: writers go on meanwhile. Rows of that time that the
                -- default partition caught move over.
                EXECUTE format('CREATE TABLE bouncemx.%I (LIKE bouncemx.%I INCLUDING DEFAULTS '
                               'INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE '
                               'INCLUDING COMPRESSION)', child, parent);
                PERFORM bouncemx.move_from_default(parent, child, by_column, bounds[1], bounds[2]);
                EXECUTE format('ALTER TABLE bouncemx.%I ATTACH PARTITION bouncemx.%I '
                               'FOR VALUES FROM (%L) TO (%L)', parent, child, bounds[1], bounds[2]);
                made := made + 1;
            END IF;
            low := low + step;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION bouncemx.ensure_partitions(timestamptz, timestamptz) IS 'Makes the partitions of message, sent, token_seen, content_seen, evidence and event that rows of the time between the two need; returns how many were new.';
