-- What a report says beside its verdict: of the message that came back, of the attempt, and of a block
-- whose list. A row that has none of it is no longer than before: its NULLs fit into its header.

ALTER TABLE bouncemx.message
    ADD COLUMN envelope_id text,
    ADD COLUMN arrival_date text,
    ADD COLUMN source_ip text,
    ADD COLUMN original_from text,
    ADD COLUMN original_to text,
    ADD COLUMN original_return_path text,
    ADD COLUMN original_date text,
    ADD COLUMN original_subject_hash bigint,
    ADD COLUMN feedback_id text,
    ADD COLUMN list_id text,
    ADD COLUMN list_unsubscribe text,
    ADD COLUMN cfbl_address text,
    ADD COLUMN cfbl_feedback_id text,
    ADD COLUMN dkim_domain text;
COMMENT ON COLUMN bouncemx.message.envelope_id IS 'Original-Envelope-Id of a delivery report (RFC 3464 section 2.2.1), xtext decoded: the ENVID that the sender gave.';
COMMENT ON COLUMN bouncemx.message.arrival_date IS 'Arrival-Date of the report (RFC 3464 section 2.2.5, RFC 5965 section 3.2), as it stands: when the reporting host got the message.';
COMMENT ON COLUMN bouncemx.message.source_ip IS 'Source-IP of a feedback report (RFC 5965 section 3.2), as it stands.';
COMMENT ON COLUMN bouncemx.message.original_from IS 'Address in From of the message that is reported on.';
COMMENT ON COLUMN bouncemx.message.original_to IS 'Address in the first To of the message that is reported on: never proof of whom the report is about.';
COMMENT ON COLUMN bouncemx.message.original_return_path IS 'Envelope sender of the message that is reported on: its Return-Path, else Original-Mail-From of a feedback report.';
COMMENT ON COLUMN bouncemx.message.original_date IS 'Date of the message that is reported on, as it stands.';
COMMENT ON COLUMN bouncemx.message.original_subject_hash IS 'FNV-1a of the Subject of the message that is reported on, in UTF-8: equal for equal subjects; the words are not kept. NULL: it has none.';
COMMENT ON COLUMN bouncemx.message.feedback_id IS 'Feedback-ID of the message that is reported on.';
COMMENT ON COLUMN bouncemx.message.list_id IS 'List-Id of the message that is reported on (RFC 2919).';
COMMENT ON COLUMN bouncemx.message.list_unsubscribe IS 'List-Unsubscribe of the message that is reported on (RFC 2369).';
COMMENT ON COLUMN bouncemx.message.cfbl_address IS 'CFBL-Address of the message that is reported on (RFC 9477), the address alone.';
COMMENT ON COLUMN bouncemx.message.cfbl_feedback_id IS 'CFBL-Feedback-ID of the message that is reported on (RFC 9477).';
COMMENT ON COLUMN bouncemx.message.dkim_domain IS 'd= of the first DKIM-Signature of the message that is reported on (RFC 6376), lower-case; not verified.';

ALTER TABLE bouncemx.event
    ADD COLUMN last_attempt text,
    ADD COLUMN retry_until text,
    ADD COLUMN final_log_id text,
    ADD COLUMN listed_address inet,
    ADD COLUMN blocklist text,
    ADD COLUMN lookup_url text;
COMMENT ON COLUMN bouncemx.event.last_attempt IS 'Last-Attempt-Date of the report (RFC 3464 section 2.3.7), as it stands.';
COMMENT ON COLUMN bouncemx.event.retry_until IS 'Will-Retry-Until of the report (RFC 3464 section 2.3.9), as it stands.';
COMMENT ON COLUMN bouncemx.event.final_log_id IS 'Final-Log-ID of the report (RFC 3464 section 2.3.8): the refusing host''s name for it.';
COMMENT ON COLUMN bouncemx.event.listed_address IS 'Of a block: the sending host''s address that the words name.';
COMMENT ON COLUMN bouncemx.event.blocklist IS 'Of a block: the list that it stands on, by its name in DNS.';
COMMENT ON COLUMN bouncemx.event.lookup_url IS 'Of a block: the page that explains the listing or takes it back, as the refusing host gave it.';

COMMENT ON COLUMN bouncemx.message.protocol IS 'SMTP, ESMTP, ESMTPS (RFC 3848), UTF8SMTP or UTF8SMTPS (RFC 6531 section 4.3).';
