-- The ground: messages, their events and raw bytes, the suppression list, and where each lane of
-- each journal stands. Forward only; run by `bouncemx migrate` in one transaction.
-- The enums repeat the lists of classify/verdict.h, parser/report.h and attribute/attribution.h;
-- a test holds them to those lists.

CREATE SCHEMA IF NOT EXISTS bouncemx;
COMMENT ON SCHEMA bouncemx IS 'Bounces, complaints and replies, and the suppression list made from them. Times are timestamptz, written in UTC.';

CREATE TABLE bouncemx.schema_migration (
    number     integer     PRIMARY KEY CHECK (number > 0),
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bouncemx.schema_migration IS 'One row for each step of migrations/ that this database has had.';
COMMENT ON COLUMN bouncemx.schema_migration.number IS 'The step, from 1, without gaps; the highest is the version of the schema.';
COMMENT ON COLUMN bouncemx.schema_migration.name IS 'File name of the step without its number.';
COMMENT ON COLUMN bouncemx.schema_migration.checksum IS 'SHA-256 of the step as it was run, in hex.';
COMMENT ON COLUMN bouncemx.schema_migration.applied_at IS 'When its transaction began.';

-- ---- words -------------------------------------------------------------------------------------

CREATE TYPE bouncemx.event_kind AS ENUM (
    'bounce', 'complaint', 'unsubscribe', 'auto_reply', 'receipt', 'delayed', 'delivered',
    'not_spam', 'auth_report', 'aggregate_report', 'other');
COMMENT ON TYPE bouncemx.event_kind IS 'What a message reports.';

CREATE TYPE bouncemx.event_action AS ENUM (
    'failed', 'delayed', 'delivered', 'relayed', 'expanded');
COMMENT ON TYPE bouncemx.event_action IS 'The Action field of a delivery report (RFC 3464 section 2.3.3).';

CREATE TYPE bouncemx.bounce_class AS ENUM (
    'hard', 'soft', 'transient', 'block', 'message', 'local', 'unknown');
COMMENT ON TYPE bouncemx.bounce_class IS 'What a bounce means for the address: hard suppresses, soft counts, the others never count.';

CREATE TYPE bouncemx.bounce_category AS ENUM (
    'bad_mailbox', 'bad_domain', 'host_no_mail', 'mailbox_moved', 'mailbox_disabled',
    'bad_address_syntax',
    'mailbox_full', 'mailbox_full_inactive', 'mailbox_suspended', 'recipient_restricted',
    'recipient_refused', 'expired', 'soft_other',
    'greylisted', 'recipient_rate', 'connection_failure', 'dns_temporary', 'host_unavailable',
    'system_full', 'system_error', 'tls_failure', 'too_many_recipients',
    'ip_reputation', 'domain_reputation', 'dnsbl', 'rate_limited', 'auth_failure', 'ptr_missing',
    'sender_refused', 'policy', 'spam_content', 'url_blocked', 'virus',
    'too_big', 'malformed', 'attachment_refused', 'charset_unsupported',
    'relay_denied', 'routing_loop', 'auth_required', 'protocol_error', 'upstream_suppressed',
    'undetermined');
COMMENT ON TYPE bouncemx.bounce_category IS 'Why a bounce happened; each category belongs to one class (docs/categories.md).';

CREATE TYPE bouncemx.bounce_fault AS ENUM (
    'recipient', 'sender', 'message', 'network', 'provider', 'unknown');
COMMENT ON TYPE bouncemx.bounce_fault IS 'Whose condition caused a bounce.';

CREATE TYPE bouncemx.bounce_confidence AS ENUM ('high', 'medium', 'low');
COMMENT ON TYPE bouncemx.bounce_confidence IS 'high: explicit text or a provider''s own rule; medium: enhanced code and reply agree; low: a bare code.';

CREATE TYPE bouncemx.address_source AS ENUM (
    'none', 'verp', 'original_recipient', 'final_recipient');
COMMENT ON TYPE bouncemx.address_source IS 'Where an event''s address was found.';

-- ---- ids ---------------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.message_of(event_id uuid) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (left(event_id::text, 32) || '0000')::uuid;
COMMENT ON FUNCTION bouncemx.message_of(uuid) IS 'The message that an event came from: the last 16 bits of an id are the ordinal, 0 for the message, from 1 for its events.';

CREATE FUNCTION bouncemx.last_of(event_id uuid) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (left(event_id::text, 32) || 'ffff')::uuid;
COMMENT ON FUNCTION bouncemx.last_of(uuid) IS 'The highest id that an event of the same message can have.';

-- ---- what came in ------------------------------------------------------------------------------
-- Ids begin with their time, so that new rows go to the right edge of the primary key, and a look-up
-- by id alone needs no time: one probe a partition.

CREATE TABLE bouncemx.message (
    id                  uuid        NOT NULL,
    received_at         timestamptz NOT NULL,
    node                text        NOT NULL,
    client_address      text,
    helo                text,
    protocol            text,
    tls                 text,
    mail_from           text,
    rcpt_to             text[],
    size                bigint      NOT NULL,
    truncated           boolean     NOT NULL,
    kind                bouncemx.event_kind NOT NULL,
    reader              text,
    subject             text,
    header_from         text,
    reporting_mta       text,
    original_message_id text,
    feedback_type       text,
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
COMMENT ON TABLE bouncemx.message IS 'Every message accepted by SMTP and read; partitioned by week of received_at.';
COMMENT ON COLUMN bouncemx.message.id IS 'The id that was given in the 250 reply (UUID version 7).';
COMMENT ON COLUMN bouncemx.message.received_at IS 'When the message was accepted, by the receiving host''s clock.';
COMMENT ON COLUMN bouncemx.message.node IS 'Name of the host that received it.';
COMMENT ON COLUMN bouncemx.message.client_address IS 'IP address of the SMTP client.';
COMMENT ON COLUMN bouncemx.message.helo IS 'The client''s EHLO or HELO argument.';
COMMENT ON COLUMN bouncemx.message.protocol IS 'SMTP, ESMTP, ESMTPS (RFC 3848).';
COMMENT ON COLUMN bouncemx.message.tls IS 'TLS version and cipher; NULL: none was used.';
COMMENT ON COLUMN bouncemx.message.mail_from IS 'Envelope sender; empty: the null sender.';
COMMENT ON COLUMN bouncemx.message.rcpt_to IS 'Envelope recipients, in the order in which they were accepted.';
COMMENT ON COLUMN bouncemx.message.size IS 'Bytes that the client sent as the message.';
COMMENT ON COLUMN bouncemx.message.truncated IS 'The end of the message was not kept: it was longer than spool.keep_bytes.';
COMMENT ON COLUMN bouncemx.message.kind IS 'What the message as a whole reports.';
COMMENT ON COLUMN bouncemx.message.reader IS 'Which reader understood it: dsn, arf, ...';
COMMENT ON COLUMN bouncemx.message.subject IS 'Subject, decoded.';
COMMENT ON COLUMN bouncemx.message.header_from IS 'Address in From.';
COMMENT ON COLUMN bouncemx.message.reporting_mta IS 'Host that made the report (RFC 3464 section 2.2.2).';
COMMENT ON COLUMN bouncemx.message.original_message_id IS 'Message-ID of the message that is reported on, without <>.';
COMMENT ON COLUMN bouncemx.message.feedback_type IS 'Feedback-Type of a feedback report (RFC 5965), lower-case.';

CREATE TABLE bouncemx.event (
    id                  uuid        NOT NULL,
    received_at         timestamptz NOT NULL,
    kind                bouncemx.event_kind NOT NULL,
    tenant              text        NOT NULL,
    stream              text        NOT NULL,
    node                text        NOT NULL,
    address             text,
    address_key         text COLLATE "C",
    final_recipient     text,
    source              bouncemx.address_source NOT NULL,
    verified            boolean     NOT NULL,
    forwarded           boolean     NOT NULL,
    trusted             boolean     NOT NULL,
    class               bouncemx.bounce_class,
    category            bouncemx.bounce_category,
    fault               bouncemx.bounce_fault,
    is_hard             boolean     NOT NULL GENERATED ALWAYS AS (class IS NOT DISTINCT FROM 'hard') STORED,
    confidence          bouncemx.bounce_confidence,
    rule                text,
    mx_operator         text,
    action              bouncemx.event_action,
    status              text,
    reply_code          smallint,
    diagnostic          text,
    evidence_text       text,
    fingerprint         bigint,
    reporting_mta       text,
    remote_mta          text,
    original_message_id text,
    feedback_type       text,
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX event_address ON bouncemx.event (address_key, received_at) WHERE address_key IS NOT NULL;
COMMENT ON TABLE bouncemx.event IS 'What messages report, one row for each recipient that a report speaks of; partitioned by week of received_at.';
COMMENT ON COLUMN bouncemx.event.id IS 'The message''s id with the event''s ordinal (from 1) in the last 16 bits: the same whenever the message is read again.';
COMMENT ON COLUMN bouncemx.event.received_at IS 'When the message was accepted.';
COMMENT ON COLUMN bouncemx.event.kind IS 'What is reported of this recipient.';
COMMENT ON COLUMN bouncemx.event.tenant IS 'Tenant of the domain that the message came to; empty: none is set.';
COMMENT ON COLUMN bouncemx.event.stream IS 'Stream of mail that is reported on; empty: none is set.';
COMMENT ON COLUMN bouncemx.event.node IS 'Name of the host that received the message.';
COMMENT ON COLUMN bouncemx.event.address IS 'Address that the event is about, as found; NULL: none was named.';
COMMENT ON COLUMN bouncemx.event.address_key IS 'The address as a key: local part case-folded, domain as lower-case A-label; NULL: it is no address.';
COMMENT ON COLUMN bouncemx.event.final_recipient IS 'Address that the report names as the final recipient; another one than address after a forward.';
COMMENT ON COLUMN bouncemx.event.source IS 'Where the address was found.';
COMMENT ON COLUMN bouncemx.event.verified IS 'Proven by a signature; an unverified report may be forged.';
COMMENT ON COLUMN bouncemx.event.forwarded IS 'The report names another address than the envelope, or several.';
COMMENT ON COLUMN bouncemx.event.trusted IS 'May act on the suppression list: verified, or its domain is set to trust_unverified.';
COMMENT ON COLUMN bouncemx.event.class IS 'What it means for the address; NULL: not a bounce.';
COMMENT ON COLUMN bouncemx.event.category IS 'Why; NULL: not a bounce.';
COMMENT ON COLUMN bouncemx.event.fault IS 'Whose condition it is; NULL: not a bounce.';
COMMENT ON COLUMN bouncemx.event.is_hard IS 'class is hard.';
COMMENT ON COLUMN bouncemx.event.confidence IS 'How sure class and category are; NULL: not a bounce.';
COMMENT ON COLUMN bouncemx.event.rule IS 'Id of the rule that decided.';
COMMENT ON COLUMN bouncemx.event.mx_operator IS 'Who runs the mail host that spoke (google, microsoft365, ...); NULL: not known.';
COMMENT ON COLUMN bouncemx.event.action IS 'Action field of the report; NULL: it has none.';
COMMENT ON COLUMN bouncemx.event.status IS 'Enhanced status code (RFC 3463), such as 5.1.1.';
COMMENT ON COLUMN bouncemx.event.reply_code IS 'SMTP reply code, such as 550; NULL: none was seen.';
COMMENT ON COLUMN bouncemx.event.diagnostic IS 'The remote host''s words.';
COMMENT ON COLUMN bouncemx.event.evidence_text IS 'The words that decided: a part of the diagnostic, or a code.';
COMMENT ON COLUMN bouncemx.event.fingerprint IS 'Hash of the normalised diagnostic: equal for the same words about different addresses; NULL: there was no text.';
COMMENT ON COLUMN bouncemx.event.reporting_mta IS 'Host that made the report.';
COMMENT ON COLUMN bouncemx.event.remote_mta IS 'Host that refused (RFC 3464 section 2.3.5).';
COMMENT ON COLUMN bouncemx.event.original_message_id IS 'Message-ID of the message that is reported on, without <>.';
COMMENT ON COLUMN bouncemx.event.feedback_type IS 'Feedback-Type of a feedback report, lower-case.';
COMMENT ON INDEX bouncemx.event_address IS 'History of one address.';

CREATE TABLE bouncemx.evidence (
    id          uuid        NOT NULL,
    received_at timestamptz NOT NULL,
    raw         bytea       NOT NULL,
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
-- Compressed, but kept in its row as long as it fits a page: a report of some KB is written without
-- the second table and its index.
ALTER TABLE bouncemx.evidence ALTER COLUMN raw SET STORAGE MAIN;
DO $$
BEGIN
    ALTER TABLE bouncemx.evidence ALTER COLUMN raw SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL; -- a server built without lz4 compresses by its own method
END $$;
COMMENT ON TABLE bouncemx.evidence IS 'Messages as they came, byte by byte; partitioned by day of received_at, so that they can be dropped earlier than their events.';
COMMENT ON COLUMN bouncemx.evidence.id IS 'The message''s id.';
COMMENT ON COLUMN bouncemx.evidence.received_at IS 'When the message was accepted.';
COMMENT ON COLUMN bouncemx.evidence.raw IS 'The message: header, empty line, body; its end is missing where message.truncated.';

-- ---- partitions --------------------------------------------------------------------------------

CREATE TABLE bouncemx.message_default PARTITION OF bouncemx.message DEFAULT;
CREATE TABLE bouncemx.event_default PARTITION OF bouncemx.event DEFAULT;
CREATE TABLE bouncemx.evidence_default PARTITION OF bouncemx.evidence DEFAULT;
COMMENT ON TABLE bouncemx.message_default IS 'Messages of a time for which no partition was made.';
COMMENT ON TABLE bouncemx.event_default IS 'Events of a time for which no partition was made.';
COMMENT ON TABLE bouncemx.evidence_default IS 'Messages as they came, of a time for which no partition was made.';

CREATE FUNCTION bouncemx.ensure_partitions(from_time timestamptz, to_time timestamptz)
    RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    step   interval;
    low    timestamptz;
    child  text;
    made   integer := 0;
BEGIN
    IF from_time IS NULL OR to_time IS NULL OR to_time - from_time > interval '800 days' THEN
        RAISE EXCEPTION 'ensure_partitions: % to % is no span of at most 800 days', from_time, to_time
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Two callers at once: the second waits, then finds them made.
    PERFORM pg_advisory_xact_lock(hashtextextended('bouncemx.ensure_partitions', 0));
    -- In the order in which writers take them, so that none waits in a circle.
    FOR parent, step IN VALUES ('message', interval '7 days'), ('evidence', interval '1 day'),
                               ('event', interval '7 days') LOOP
        -- Counted from a Monday, in UTC whatever the session's zone.
        low := date_bin(step, from_time, timestamptz '2001-01-01 00:00:00+00');
        WHILE low <= to_time LOOP
            child := format('%s_%s', parent, to_char(low AT TIME ZONE 'UTC', 'YYYYMMDD'));
            IF to_regclass(format('bouncemx.%I', child)) IS NULL THEN
                -- Made beside and then attached: writers go on meanwhile. Rows of that time that the
                -- default partition caught move over.
                EXECUTE format('CREATE TABLE bouncemx.%I (LIKE bouncemx.%I INCLUDING DEFAULTS '
                               'INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)',
                               child, parent);
                PERFORM bouncemx.move_from_default(parent, child, low, low + step);
                EXECUTE format('ALTER TABLE bouncemx.%I ATTACH PARTITION bouncemx.%I '
                               'FOR VALUES FROM (%L) TO (%L)', parent, child, low, low + step);
                made := made + 1;
            END IF;
            low := low + step;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION bouncemx.ensure_partitions(timestamptz, timestamptz) IS 'Makes the partitions of message, event and evidence that rows received between the two times need; returns how many were new.';

CREATE FUNCTION bouncemx.move_from_default(parent text, child text, low timestamptz, high timestamptz)
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
    EXECUTE format('WITH taken AS (DELETE FROM bouncemx.%1$I WHERE received_at >= $1 AND received_at < $2 '
                   'RETURNING %3$s) INSERT INTO bouncemx.%2$I (%3$s) SELECT %3$s FROM taken',
                   parent || '_default', child, columns)
      USING low, high;
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END $$;
COMMENT ON FUNCTION bouncemx.move_from_default(text, text, timestamptz, timestamptz) IS 'Moves rows received in [low, high) from the default partition of parent to the table child, for ensure_partitions; returns how many.';

-- ---- the list ----------------------------------------------------------------------------------

CREATE TABLE bouncemx.suppression (
    address_key   text        COLLATE "C" NOT NULL,
    tenant        text        NOT NULL,
    scope         text        NOT NULL CHECK (scope IN ('global', 'tenant') OR scope LIKE 'stream:%'),
    address       text        NOT NULL,
    stream        text        NOT NULL,
    event_id      uuid        NOT NULL,
    event_at      timestamptz NOT NULL,
    kind          bouncemx.event_kind NOT NULL,
    class         bouncemx.bounce_class,
    category      bouncemx.bounce_category,
    confidence    bouncemx.bounce_confidence,
    rule          text,
    mx_operator   text,
    source        bouncemx.address_source,
    status        text,
    diagnostic    text,
    evidence_text text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    events        bigint      NOT NULL,
    last_event_id uuid        NOT NULL,
    last_event_at timestamptz NOT NULL,
    PRIMARY KEY (address_key, tenant, scope)
) WITH (fillfactor = 90); -- room to count further events in place
CREATE INDEX suppression_event ON bouncemx.suppression (event_id);
COMMENT ON TABLE bouncemx.suppression IS 'Addresses that must not be mailed. A row keeps a copy of the words and the rule that made it, since events are dropped in time.';
COMMENT ON COLUMN bouncemx.suppression.address_key IS 'The address: local part case-folded, domain as lower-case A-label.';
COMMENT ON COLUMN bouncemx.suppression.tenant IS 'Tenant for which it is suppressed; empty: none is set.';
COMMENT ON COLUMN bouncemx.suppression.scope IS 'How wide: global, tenant, or stream:NAME.';
COMMENT ON COLUMN bouncemx.suppression.address IS 'The address as the event had it.';
COMMENT ON COLUMN bouncemx.suppression.stream IS 'Stream of the event that made the row; empty: none is set.';
COMMENT ON COLUMN bouncemx.suppression.event_id IS 'The event that made the row.';
COMMENT ON COLUMN bouncemx.suppression.event_at IS 'When that event''s message was accepted.';
COMMENT ON COLUMN bouncemx.suppression.kind IS 'What that event reported.';
COMMENT ON COLUMN bouncemx.suppression.class IS 'Its class.';
COMMENT ON COLUMN bouncemx.suppression.category IS 'Its category.';
COMMENT ON COLUMN bouncemx.suppression.confidence IS 'Its confidence.';
COMMENT ON COLUMN bouncemx.suppression.rule IS 'Id of the rule that decided.';
COMMENT ON COLUMN bouncemx.suppression.mx_operator IS 'Who runs the mail host that spoke; NULL: not known.';
COMMENT ON COLUMN bouncemx.suppression.source IS 'Where the address was found.';
COMMENT ON COLUMN bouncemx.suppression.status IS 'Enhanced status code (RFC 3463).';
COMMENT ON COLUMN bouncemx.suppression.diagnostic IS 'The remote host''s words.';
COMMENT ON COLUMN bouncemx.suppression.evidence_text IS 'The words that decided.';
COMMENT ON COLUMN bouncemx.suppression.created_at IS 'When the row was made.';
COMMENT ON COLUMN bouncemx.suppression.events IS 'How many events spoke for it, the first one included.';
COMMENT ON COLUMN bouncemx.suppression.last_event_id IS 'The latest of them.';
COMMENT ON COLUMN bouncemx.suppression.last_event_at IS 'When the latest of them was accepted.';
COMMENT ON INDEX bouncemx.suppression_event IS 'What an event did.';

-- ---- where each journal stands -----------------------------------------------------------------

CREATE TABLE bouncemx.lane_position (
    journal     uuid        NOT NULL,
    lane        integer     NOT NULL CHECK (lane >= 0),
    node        text        NOT NULL,
    segment     bigint      NOT NULL,
    byte_offset bigint      NOT NULL,
    moved_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (journal, lane)
) WITH (fillfactor = 50); -- updated with each batch: in place
COMMENT ON TABLE bouncemx.lane_position IS 'Up to where each lane of each journal has been written here. It moves in the transaction that writes the rows, from the position that the writer believes: so each message counts exactly once.';
COMMENT ON COLUMN bouncemx.lane_position.journal IS 'Random id of the spool.';
COMMENT ON COLUMN bouncemx.lane_position.lane IS 'Lane of the spool, from 0.';
COMMENT ON COLUMN bouncemx.lane_position.node IS 'Name of the host that has the spool.';
COMMENT ON COLUMN bouncemx.lane_position.segment IS 'Number of the segment that holds the next record.';
COMMENT ON COLUMN bouncemx.lane_position.byte_offset IS 'Where in the segment the next record begins, in bytes.';
COMMENT ON COLUMN bouncemx.lane_position.moved_at IS 'When it last moved.';

CREATE TABLE bouncemx.set_aside (
    id             uuid        PRIMARY KEY,
    received_at    timestamptz NOT NULL,
    node           text        NOT NULL,
    client_address text,
    helo           text,
    protocol       text,
    tls            text,
    mail_from      text,
    rcpt_to        text[],
    size           bigint      NOT NULL,
    truncated      boolean     NOT NULL,
    raw            bytea       NOT NULL,
    reason         text        NOT NULL,
    sqlstate       text,
    set_aside_at   timestamptz NOT NULL DEFAULT now(),
    journal        uuid        NOT NULL,
    lane           integer     NOT NULL,
    segment        bigint      NOT NULL,
    byte_offset    bigint      NOT NULL
);
CREATE INDEX set_aside_at ON bouncemx.set_aside (set_aside_at);
COMMENT ON TABLE bouncemx.set_aside IS 'Messages that could not be processed, kept whole: `bouncemx set-aside list` shows, retries and drops them.';
COMMENT ON COLUMN bouncemx.set_aside.id IS 'The message''s id.';
COMMENT ON COLUMN bouncemx.set_aside.received_at IS 'When the message was accepted.';
COMMENT ON COLUMN bouncemx.set_aside.node IS 'Name of the host that received it.';
COMMENT ON COLUMN bouncemx.set_aside.client_address IS 'IP address of the SMTP client.';
COMMENT ON COLUMN bouncemx.set_aside.helo IS 'The client''s EHLO or HELO argument.';
COMMENT ON COLUMN bouncemx.set_aside.protocol IS 'SMTP, ESMTP, ESMTPS.';
COMMENT ON COLUMN bouncemx.set_aside.tls IS 'TLS version and cipher; NULL: none was used.';
COMMENT ON COLUMN bouncemx.set_aside.mail_from IS 'Envelope sender; empty: the null sender.';
COMMENT ON COLUMN bouncemx.set_aside.rcpt_to IS 'Envelope recipients.';
COMMENT ON COLUMN bouncemx.set_aside.size IS 'Bytes that the client sent as the message.';
COMMENT ON COLUMN bouncemx.set_aside.truncated IS 'The end of the message was not kept.';
COMMENT ON COLUMN bouncemx.set_aside.raw IS 'The message as it came.';
COMMENT ON COLUMN bouncemx.set_aside.reason IS 'Why it was set aside, in words.';
COMMENT ON COLUMN bouncemx.set_aside.sqlstate IS 'With which code PostgreSQL refused it; NULL: it was not PostgreSQL.';
COMMENT ON COLUMN bouncemx.set_aside.set_aside_at IS 'When it was set aside.';
COMMENT ON COLUMN bouncemx.set_aside.journal IS 'Id of the spool that it came from.';
COMMENT ON COLUMN bouncemx.set_aside.lane IS 'Lane of that spool.';
COMMENT ON COLUMN bouncemx.set_aside.segment IS 'Segment of its record.';
COMMENT ON COLUMN bouncemx.set_aside.byte_offset IS 'Where in the segment its record begins, in bytes.';
COMMENT ON INDEX bouncemx.set_aside_at IS 'The newest first.';
