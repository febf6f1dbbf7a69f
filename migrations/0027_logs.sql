-- What senders' own logs told us: deliveries, each once.

CREATE TABLE bouncemx.log_told (
    source  bytea       PRIMARY KEY CHECK (octet_length(source) = 32),
    told    bigint      NOT NULL CHECK (told >= 0),
    told_at timestamptz NOT NULL
);
COMMENT ON TABLE bouncemx.log_told IS 'How far the deliveries of each log were told: a log that is read again, also when it has grown, goes on there.';
COMMENT ON COLUMN bouncemx.log_told.source IS 'SHA-256 of the log''s first delivery, by which the log is known.';
COMMENT ON COLUMN bouncemx.log_told.told IS 'So many of its deliveries, from the first on, were told to bouncemx.delivered.';
COMMENT ON COLUMN bouncemx.log_told.told_at IS 'When the last of them were.';
CREATE INDEX log_told_at ON bouncemx.log_told (told_at);
COMMENT ON INDEX bouncemx.log_told_at IS 'For forgetting old ones.';

CREATE FUNCTION bouncemx.log_told_of(the_source bytea) RETURNS bigint
    LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT t.told FROM bouncemx.log_told t WHERE t.source = the_source), 0)
$$;
COMMENT ON FUNCTION bouncemx.log_told_of(bytea) IS 'How many deliveries of a log were told; 0 of one that is not known.';

CREATE FUNCTION bouncemx.log_delivered(the_source bytea, before bigint, the_time timestamptz, keys text[],
                                       tenants text[], streams text[], times timestamptz[]) RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bouncemx.log_told AS t (source, told, told_at)
    SELECT the_source, cardinality(keys), the_time WHERE before = 0
    ON CONFLICT (source) DO NOTHING;
    IF NOT FOUND THEN
        UPDATE bouncemx.log_told t SET told = t.told + cardinality(keys), told_at = the_time
         WHERE t.source = the_source AND t.told = before;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    END IF;
    -- A log that nobody wrote to for so long is not read again.
    DELETE FROM bouncemx.log_told t WHERE t.told_at < the_time - interval '400 days';
    PERFORM bouncemx.delivered(keys, tenants, streams, times);
    RETURN true;
END $$;
COMMENT ON FUNCTION bouncemx.log_delivered(bytea, bigint, timestamptz, text[], text[], text[], timestamptz[]) IS 'Tells the next deliveries of a log to bouncemx.delivered; before is how many were told before. False, and nothing is told: the log does not stand there, since another reads it as well. What stood still for 400 days at the_time is forgotten.';
