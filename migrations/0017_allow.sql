-- What keeps addresses off the list and takes them from it: the allow-list, people, and time.

-- ---- the allow-list ----------------------------------------------------------------------------

CREATE FUNCTION bouncemx.allowed_key(address text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    -- A domain is one that an address may have.
    key text := CASE WHEN address LIKE '@%' THEN substr(bouncemx.address_key('a' || address), 2)
                     ELSE bouncemx.address_key(address) END;
BEGIN
    IF key IS NULL THEN
        RAISE EXCEPTION 'allow-list: % is neither an address nor @ and a domain (in A-labels)',
                        coalesce(quote_literal(left(address, 300)), 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN key;
END $$;
COMMENT ON FUNCTION bouncemx.allowed_key(text) IS 'allowed.address_key of an address, or of @ and a domain; an error for what is neither.';

CREATE FUNCTION bouncemx.allow(address text, the_tenant text, the_reason text, the_time timestamptz)
    RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    key     text := bouncemx.allowed_key(address);
    was     text := coalesce(current_setting('bouncemx.reason', true), '');
    removed bigint;
BEGIN
    INSERT INTO bouncemx.allowed AS a (address_key, tenant, reason, actor, created_at)
    VALUES (key, coalesce(the_tenant, ''), the_reason, bouncemx.actor(), the_time)
    ON CONFLICT (address_key, tenant) DO UPDATE
       SET reason = excluded.reason, actor = excluded.actor, created_at = excluded.created_at;
    PERFORM set_config('bouncemx.reason', coalesce(the_reason, 'allow-list'), true);
    WITH covered AS MATERIALIZED (
        SELECT s.address_key, s.tenant, s.scope, s.stream
          FROM bouncemx.suppression s
         WHERE CASE WHEN key LIKE '@%' THEN right(s.address_key, length(key)) = key ELSE s.address_key = key END
           AND (coalesce(the_tenant, '') = '' OR s.tenant = the_tenant)
         ORDER BY s.address_key, s.tenant, s.scope, s.stream
           FOR UPDATE)
    DELETE FROM bouncemx.suppression s USING covered c
     WHERE s.address_key = c.address_key AND s.tenant = c.tenant AND s.scope = c.scope AND s.stream = c.stream;
    GET DIAGNOSTICS removed = ROW_COUNT;
    PERFORM set_config('bouncemx.reason', was, true);
    RETURN removed;
END $$;
COMMENT ON FUNCTION bouncemx.allow(text, text, text, timestamptz) IS 'Puts an address, or every one of a domain (@example.com), on the allow-list, for a tenant (empty or NULL: for all), and takes what it covers off the list; returns how many rows that were. A row that a batch makes at the same moment goes with the next breaker_judge.';

CREATE FUNCTION bouncemx.disallow(address text, the_tenant text, the_reason text) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    the_key text := bouncemx.allowed_key(address);
BEGIN
    -- The audit shows the row as it was: with the reason why it goes.
    UPDATE bouncemx.allowed a SET reason = the_reason
     WHERE the_reason IS NOT NULL AND a.address_key = the_key AND a.tenant = coalesce(the_tenant, '');
    DELETE FROM bouncemx.allowed a
     WHERE a.address_key = the_key AND a.tenant = coalesce(the_tenant, '');
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION bouncemx.disallow(text, text, text) IS 'Takes an address or @domain off the allow-list of a tenant (empty or NULL: the one for all); false when it did not stand there. What was reported meanwhile does not count; what is reported from now on does.';

-- ---- what a person takes off -------------------------------------------------------------------

CREATE FUNCTION bouncemx.suppression_pardoned() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(nullif(current_setting('bouncemx.op', true), ''), 'remove') <> 'remove'
       OR nullif(current_setting('bouncemx.replay', true), '') IS NOT NULL THEN
        RETURN NULL;
    END IF;
    UPDATE bouncemx.address_score s
       SET days = '{}', points = '{}', score = 0, past = s.times, holds_until = NULL,
           delivered_at = greatest(s.delivered_at, s.last_at)
      FROM stale o
     WHERE s.address_key = o.address_key AND s.stream = o.stream
       AND (o.scope = 'global' OR s.tenant = o.tenant);
    DELETE FROM bouncemx.strike s USING stale o
     WHERE s.address_key = o.address_key AND (o.scope = 'global' OR s.tenant = o.tenant)
       AND CASE o.scope WHEN 'stream' THEN right(s.line, length(o.stream) + 1) = ' ' || o.stream
                        ELSE position(' ' IN s.line) = 0 END;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION bouncemx.suppression_pardoned() IS 'Trigger of suppression: of an address that is taken off, strikes and soft bounces before it do not count any more; the place on the ladder stays. Not for rows whose time is over, nor for those that a replay takes off.';
CREATE TRIGGER suppression_pardoned AFTER DELETE ON bouncemx.suppression
    REFERENCING OLD TABLE AS stale
    FOR EACH STATEMENT EXECUTE FUNCTION bouncemx.suppression_pardoned();

-- ---- time --------------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.check_time(the_time timestamptz) RETURNS void
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- With the owner's rights session_user is still who logged in.
    IF the_time > clock_timestamp() + interval '1 day' AND session_user <> current_user
       AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user) THEN
        RAISE EXCEPTION 'time %: expected one that is not a day ahead of the server''s clock', the_time
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;
COMMENT ON FUNCTION bouncemx.check_time(timestamptz) IS 'Refuses a time of tomorrow from another login than the owner''s: who only writes must not make the list and the events end early.';

CREATE FUNCTION bouncemx.expire_suppressions(the_time timestamptz, how_many bigint) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    was       text := coalesce(current_setting('bouncemx.op', true), '');
    was_actor text := coalesce(current_setting('bouncemx.actor', true), '');
    expired   bigint;
BEGIN
    PERFORM bouncemx.check_time(the_time);
    IF NOT EXISTS (SELECT FROM bouncemx.suppression WHERE expires_at <= the_time) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('bouncemx.op', 'expire', true), set_config('bouncemx.actor', 'policy', true);
    -- Locked in key order, as writers do; who lengthens one meanwhile is seen once it is locked. (IS TRUE
    -- keeps the second look to the primary key.)
    WITH picked AS MATERIALIZED (
        SELECT o.address_key, o.tenant, o.scope, o.stream
          FROM bouncemx.suppression o
         WHERE o.expires_at <= the_time
         ORDER BY o.expires_at
         LIMIT how_many),
    over AS MATERIALIZED (
        SELECT s.address_key, s.tenant, s.scope, s.stream
          FROM picked p
          JOIN bouncemx.suppression s ON s.address_key = p.address_key AND s.tenant = p.tenant
                                     AND s.scope = p.scope AND s.stream = p.stream
         WHERE (s.expires_at <= the_time) IS TRUE
         ORDER BY s.address_key, s.tenant, s.scope, s.stream
           FOR UPDATE OF s)
    DELETE FROM bouncemx.suppression s USING over c
     WHERE s.address_key = c.address_key AND s.tenant = c.tenant AND s.scope = c.scope AND s.stream = c.stream;
    GET DIAGNOSTICS expired = ROW_COUNT;
    PERFORM set_config('bouncemx.op', was, true), set_config('bouncemx.actor', was_actor, true);
    RETURN expired;
END $$;
COMMENT ON FUNCTION bouncemx.expire_suppressions(timestamptz, bigint) IS 'Deletes rows of the list whose time is over, at most how_many, the oldest first; returns how many. Each becomes a change expire. A row that has ended holds nothing before it is deleted, too.';

CREATE OR REPLACE FUNCTION bouncemx.forget_used(the_time timestamptz) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    k       record := bouncemx.limits();
    today   date := (the_time AT TIME ZONE 'UTC')::date;
    dropped integer;
BEGIN
    PERFORM bouncemx.check_time(the_time);
    dropped := bouncemx.drop_days_before('sent', today - k.token_days)
             + bouncemx.drop_days_before('token_seen', today - k.token_days)
             + bouncemx.drop_days_before('content_seen', today - k.content_days);
    DELETE FROM bouncemx.token_flood WHERE day < today - k.token_days;
    DELETE FROM bouncemx.strike WHERE at < the_time - make_interval(days => k.strike_days);
    DELETE FROM bouncemx.struck WHERE last_at < the_time - make_interval(days => k.strike_days);
    -- A place on the ladder outlives the suppression that it gave.
    DELETE FROM bouncemx.address_score
     WHERE last_at < the_time - make_interval(days => k.score_days)
       AND (times = 0 OR holds_until IS NULL OR holds_until < the_time - make_interval(days => k.score_days));
    DELETE FROM bouncemx.breaker_hour
     WHERE hour < the_time - make_interval(days => k.score_days)
        OR turned = 0 AND hour < the_time - make_interval(days => k.content_days);
    DELETE FROM bouncemx.domain_operator WHERE seen_at < the_time - make_interval(days => k.score_days);
    DELETE FROM bouncemx.event_waiting WHERE day < today - k.token_days;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION bouncemx.forget_used(timestamptz) IS 'Drops what can''t count any more at this time: of sent and token_seen after 400 days, of contents and strikes after 60, of scores 400 after the last bounce and suppression, of the breaker 400. Returns how many partitions went.';
