-- Import and export of the list, and volumes told by the sender. Set-based; times are passed in.

-- ---- import ------------------------------------------------------------------------------------

CREATE TYPE bouncemx.import_outcome AS ENUM (
    'new', 'wider', 'longer', 'stronger', 'released', 'standing', 'allowed', 'erased');
COMMENT ON TYPE bouncemx.import_outcome IS 'What became of an imported row. new: was not held so; wider: new, where only narrower rows of the address stood; longer: its row now ends later; stronger: its row is now a complaint, or an unsubscribe instead of a bounce; released: its row waited, and now holds; standing: nothing to do; allowed: refused by the allow-list; erased: refused, the person was erased.';

CREATE TABLE bouncemx.import_job (
    id         bytea       PRIMARY KEY CHECK (length(id) = 32),
    file       text        NOT NULL,
    format     text        NOT NULL,
    actor      text        NOT NULL,
    records    bigint      NOT NULL DEFAULT 0 CHECK (records >= 0),
    refused    bigint      NOT NULL DEFAULT 0 CHECK (refused >= 0),
    outcomes   jsonb       NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL,
    moved_at   timestamptz NOT NULL,
    ended_at   timestamptz,
    audit_id   uuid        NOT NULL
);
COMMENT ON TABLE bouncemx.import_job IS 'Imports of the list: how far each is. It moves in the transaction that writes its rows, so an import that was killed goes on where it stood.';
COMMENT ON COLUMN bouncemx.import_job.id IS 'SHA-256 of the file and of the options that change what it means.';
COMMENT ON COLUMN bouncemx.import_job.file IS 'Name of the file, as it was given.';
COMMENT ON COLUMN bouncemx.import_job.format IS 'Whose columns it has.';
COMMENT ON COLUMN bouncemx.import_job.actor IS 'Who imports.';
COMMENT ON COLUMN bouncemx.import_job.records IS 'How many records from its begin are done.';
COMMENT ON COLUMN bouncemx.import_job.refused IS 'How many of them the program refused: no address, no time, not a suppression.';
COMMENT ON COLUMN bouncemx.import_job.outcomes IS 'How many of the others had each import_outcome.';
COMMENT ON COLUMN bouncemx.import_job.started_at IS 'When it began, or began again.';
COMMENT ON COLUMN bouncemx.import_job.moved_at IS 'When its last batch was written.';
COMMENT ON COLUMN bouncemx.import_job.ended_at IS 'When its last record was done; NULL: it is not.';
COMMENT ON COLUMN bouncemx.import_job.audit_id IS 'Its row of audit.';

CREATE FUNCTION bouncemx.import_begin(the_job bytea, the_file text, the_format text, the_actor text,
                                      again boolean, the_time timestamptz)
    RETURNS TABLE (records bigint, refused bigint, outcomes text, started_at timestamptz, ended_at timestamptz)
    LANGUAGE plpgsql AS $$
DECLARE
    noted uuid := gen_random_uuid();
BEGIN
    INSERT INTO bouncemx.import_job AS j (id, file, format, actor, started_at, moved_at, audit_id)
    VALUES (the_job, the_file, the_format, the_actor, the_time, the_time, noted)
        ON CONFLICT (id) DO UPDATE
       SET file = excluded.file, actor = excluded.actor, records = 0, refused = 0, outcomes = '{}',
           started_at = the_time, moved_at = the_time, ended_at = NULL, audit_id = noted
     WHERE again AND j.ended_at IS NOT NULL;
    IF FOUND THEN
        INSERT INTO bouncemx.audit (id, at, actor, action, object, detail)
        VALUES (noted, the_time, the_actor, 'suppression.import', the_file,
                jsonb_build_object('job', encode(the_job, 'hex'), 'format', the_format));
    END IF;
    RETURN QUERY SELECT j.records, j.refused, j.outcomes::text, j.started_at, j.ended_at
                   FROM bouncemx.import_job j WHERE j.id = the_job;
END $$;
COMMENT ON FUNCTION bouncemx.import_begin(bytea, text, text, text, boolean, timestamptz) IS 'Notes that an import begins, and says how far it is already. again: one that has ended begins anew.';

CREATE FUNCTION bouncemx.import_strength(k bouncemx.event_kind) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE k WHEN 'complaint' THEN 3 WHEN 'unsubscribe' THEN 2 ELSE 1 END;
COMMENT ON FUNCTION bouncemx.import_strength(bouncemx.event_kind) IS 'Which of two reasons stays when one row has both: the higher.';

CREATE FUNCTION bouncemx.import_put(
        the_job bytea, from_record bigint, to_record bigint, refused_here bigint, the_actor text, the_time timestamptz,
        keys text[], addresses text[], tenants text[], scopes text[], streams text[], kinds text[], classes text[],
        categories text[], confidences text[], rules text[], operators text[], statuses text[], diagnostics text[],
        event_times timestamptz[], ends timestamptz[], reasons text[])
    RETURNS TABLE (outcome bouncemx.import_outcome, place bigint, count bigint)
    LANGUAGE plpgsql AS $put$
DECLARE
    target regclass := 'bouncemx.suppression';
    gone   boolean[] := bouncemx.erased_of(keys);
    counts jsonb;
BEGIN
    IF the_job IS NOT NULL THEN
        PERFORM set_config('bouncemx.actor', the_actor, true);
        UPDATE bouncemx.import_job j
           SET records = to_record, refused = j.refused + refused_here, moved_at = the_time
         WHERE j.id = the_job AND j.records = from_record AND j.ended_at IS NULL
        RETURNING j.outcomes INTO counts;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'another import of the same file has moved on';
        END IF;
    ELSE
        -- A dry run does the same to a copy of the rows that it would touch.
        IF to_regclass('pg_temp.import_try') IS NULL THEN
            CREATE TEMP TABLE import_try (LIKE bouncemx.suppression INCLUDING DEFAULTS,
                                          PRIMARY KEY (address_key, tenant, scope, stream));
        END IF;
        target := 'pg_temp.import_try';
        INSERT INTO pg_temp.import_try SELECT s.* FROM bouncemx.suppression s WHERE s.address_key = ANY (keys)
            ON CONFLICT DO NOTHING;
    END IF;
    FOR outcome, place, count IN EXECUTE format($sql$
        WITH incoming AS MATERIALIZED (
            SELECT u.*, CASE WHEN $2[u.place] THEN 'erased'
                             WHEN EXISTS (SELECT FROM bouncemx.allowed)
                                  AND bouncemx.is_allowed(u.address_key, u.tenant) THEN 'allowed'
                        END::bouncemx.import_outcome AS refused
              FROM ROWS FROM (unnest($3), unnest($4), unnest($5), unnest($6::bouncemx.suppression_scope[]), unnest($7),
                              unnest($8::bouncemx.event_kind[]), unnest($9::bouncemx.bounce_class[]),
                              unnest($10::bouncemx.bounce_category[]), unnest($11::bouncemx.bounce_confidence[]),
                              unnest($12), unnest($13), unnest($14), unnest($15), unnest($16), unnest($17), unnest($18))
                   WITH ORDINALITY u (address_key, address, tenant, scope, stream, kind, class, category, confidence,
                                      rule, mx_operator, status, diagnostic, event_at, expires_at, reason, place)),
        -- Several rows of one file about the same: the strongest reason, the latest end.
        ranked AS (
            SELECT i.*, bool_or(i.expires_at IS NULL) OVER same AS never, max(i.expires_at) OVER same AS latest,
                   row_number() OVER (same ORDER BY bouncemx.import_strength(i.kind) DESC,
                                      i.expires_at DESC NULLS FIRST, i.event_at, i.place) AS nth
              FROM incoming i
             WHERE i.refused IS NULL
            WINDOW same AS (PARTITION BY i.address_key, i.tenant, i.scope, i.stream)),
        best AS (
            SELECT r.*, CASE WHEN NOT r.never THEN r.latest END AS ends FROM ranked r WHERE r.nth = 1),
        compared AS MATERIALIZED (
            SELECT b.*, CASE
                   WHEN s.expires_at <= $1 THEN 'new'
                   WHEN s.address_key IS NULL AND b.scope < 'stream' AND EXISTS (
                        SELECT FROM %1$s n
                         WHERE n.address_key = b.address_key AND n.scope > b.scope
                           AND (b.scope = 'global' OR n.tenant = b.tenant)
                           AND (n.expires_at IS NULL OR n.expires_at > $1)) THEN 'wider'
                   WHEN s.address_key IS NULL THEN 'new'
                   WHEN s.state = 'pending' THEN 'released'
                   WHEN bouncemx.import_strength(b.kind) > bouncemx.import_strength(s.kind) THEN 'stronger'
                   WHEN s.expires_at < coalesce(b.ends, 'infinity') THEN 'longer'
                   ELSE 'standing' END::bouncemx.import_outcome AS outcome
              FROM best b
              LEFT JOIN %1$s s USING (address_key, tenant, scope, stream)),
        -- In key order, so that writers who meet wait for each other instead of locking up.
        written AS (
            INSERT INTO %1$s AS s (
                address_key, tenant, scope, stream, address, event_stream, event_at, kind, class, category, confidence,
                rule, mx_operator, status, diagnostic, created_at, expires_at, events, last_event_at, origin, reason, actor)
            SELECT c.address_key, c.tenant, c.scope, c.stream, c.address, c.stream, c.event_at, c.kind, c.class,
                   c.category, c.confidence, c.rule, c.mx_operator, c.status, c.diagnostic, $1, c.ends, 0, c.event_at,
                   'import', c.reason, $19
              FROM compared c
             WHERE c.outcome <> 'standing'
             ORDER BY c.address_key, c.tenant, c.scope, c.stream
                ON CONFLICT (address_key, tenant, scope, stream) DO UPDATE
               SET state = 'active', held_key = NULL, held_hour = NULL,
                   expires_at = CASE WHEN s.expires_at > $1 AND excluded.expires_at IS NOT NULL
                                     THEN greatest(s.expires_at, excluded.expires_at)
                                     WHEN s.expires_at <= $1 THEN excluded.expires_at END,
                   (address, event_stream, event_at, event_id, kind, class, category, confidence, rule, mx_operator,
                    source, status, diagnostic, evidence_text, origin, reason, actor) = (
                       SELECT t.address, t.event_stream, t.event_at, t.event_id, t.kind, t.class, t.category,
                              t.confidence, t.rule, t.mx_operator, t.source, t.status, t.diagnostic, t.evidence_text,
                              t.origin, t.reason, t.actor
                         FROM (SELECT excluded.*, CASE WHEN s.expires_at <= $1 THEN 4
                                                         ELSE bouncemx.import_strength(excluded.kind) END AS weight
                               UNION ALL
                               SELECT s.*, bouncemx.import_strength(s.kind) + 0.5) t
                        ORDER BY t.weight DESC
                        LIMIT 1)
        )
        SELECT c.outcome, NULL::bigint, count(*) FROM compared c GROUP BY c.outcome
        UNION ALL SELECT 'standing', NULL, count(*) FROM ranked r WHERE r.nth > 1 HAVING count(*) > 0
        UNION ALL SELECT i.refused, i.place, 1 FROM incoming i WHERE i.refused IS NOT NULL$sql$, target)
        USING the_time, gone, keys, addresses, tenants, scopes, streams, kinds, classes, categories, confidences,
              rules, operators, statuses, diagnostics, event_times, ends, reasons, the_actor
    LOOP
        counts := counts || jsonb_build_object(outcome, count + coalesce((counts ->> outcome::text)::bigint, 0));
        RETURN NEXT;
    END LOOP;
    UPDATE bouncemx.import_job j SET outcomes = counts WHERE j.id = the_job;
END $put$;
COMMENT ON FUNCTION bouncemx.import_put(bytea, bigint, bigint, bigint, text, timestamptz, text[], text[], text[], text[], text[], text[], text[], text[], text[], text[], text[], text[], text[], timestamptz[], timestamptz[], text[]) IS 'Puts rows on the list, one element an array each, and moves the import from one record to another (refused_here of them are not among the rows). No job: a dry run, which changes nothing and says what would be done to what it was shown in this session before. Rows that stand are never weakened: a complaint stays one, no end comes earlier. Answers with a count for each outcome, and the place (from 1) of each refused row.';

CREATE FUNCTION bouncemx.import_end(the_job bytea, the_time timestamptz) RETURNS boolean
    LANGUAGE sql
BEGIN ATOMIC
    WITH ended AS (
        UPDATE bouncemx.import_job j SET ended_at = the_time
         WHERE j.id = the_job AND j.ended_at IS NULL
        RETURNING j.audit_id, j.records, j.refused, j.outcomes),
    noted AS (
        UPDATE bouncemx.audit a
           SET detail = a.detail || jsonb_build_object('records', e.records, 'refused', e.refused, 'outcomes', e.outcomes)
          FROM ended e
         WHERE a.id = e.audit_id)
    SELECT EXISTS (SELECT FROM ended);
END;
COMMENT ON FUNCTION bouncemx.import_end(bytea, timestamptz) IS 'Notes that all records of an import are done, here and in its row of audit. False: it had ended.';

-- ---- export ------------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.exported(the_tenant text, the_stream text, with_pending boolean, the_time timestamptz)
    RETURNS TABLE (address text, tenant text, scope bouncemx.suppression_scope, stream text, kind bouncemx.event_kind,
                   class bouncemx.bounce_class, category bouncemx.bounce_category,
                   confidence bouncemx.bounce_confidence, state bouncemx.suppression_state,
                   origin bouncemx.suppression_origin, rule text, operator text, status text, diagnostic text,
                   event_id uuid, event_at timestamptz, created_at timestamptz, expires_at timestamptz, reason text,
                   actor text)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.address, s.tenant, s.scope, s.stream, s.kind, s.class, s.category, s.confidence, s.state, s.origin, s.rule,
           s.mx_operator, s.status, s.diagnostic, s.event_id, s.event_at, s.created_at, s.expires_at, s.reason, s.actor
      FROM bouncemx.suppression s
     WHERE (the_tenant IS NULL OR s.scope = 'global' OR s.tenant = the_tenant)
       AND (the_stream IS NULL OR s.scope <> 'stream' OR s.stream = the_stream)
       AND (with_pending OR s.state = 'active')
       AND (s.expires_at IS NULL OR s.expires_at > the_time);
END;
COMMENT ON FUNCTION bouncemx.exported(text, text, boolean, timestamptz) IS 'The list as it holds at a time, in no order: all that bears on mail of a tenant and a stream (NULL: of any); with_pending: those that wait, too.';

-- ---- volume ------------------------------------------------------------------------------------

CREATE FUNCTION bouncemx.volume_put(
        dry boolean, the_time timestamptz, days date[], tenants text[], streams text[], operators text[],
        sents bigint[], delivereds bigint[])
    RETURNS TABLE (outcome text, count bigint)
    LANGUAGE sql
BEGIN ATOMIC
    WITH incoming AS (
        SELECT DISTINCT ON (u.day, u.tenant, u.stream, u.mx_operator) u.*, count(*) OVER () AS all_of_them
          FROM ROWS FROM (unnest(days), unnest(tenants), unnest(streams), unnest(operators), unnest(sents),
                          unnest(delivereds))
               WITH ORDINALITY u (day, tenant, stream, mx_operator, sent, delivered, place)
         ORDER BY u.day, u.tenant, u.stream, u.mx_operator, u.place DESC),
    compared AS (
        SELECT i.*, CASE WHEN v.day IS NULL THEN 'new'
                         WHEN (v.sent, v.delivered) IS DISTINCT FROM (i.sent, i.delivered) THEN 'changed'
                         ELSE 'standing' END AS outcome
          FROM incoming i
          LEFT JOIN bouncemx.volume v USING (day, tenant, stream, mx_operator)),
    written AS (
        INSERT INTO bouncemx.volume AS v (day, tenant, stream, mx_operator, sent, delivered, updated_at)
        SELECT c.day, c.tenant, c.stream, c.mx_operator, c.sent, c.delivered, the_time
          FROM compared c
         WHERE NOT dry AND c.outcome <> 'standing'
         ORDER BY c.day, c.tenant, c.stream, c.mx_operator
            ON CONFLICT (day, tenant, stream, mx_operator) DO UPDATE
           SET sent = excluded.sent, delivered = excluded.delivered, updated_at = excluded.updated_at)
    SELECT c.outcome, count(*) FROM compared c GROUP BY c.outcome
    UNION ALL SELECT 'repeated', max(i.all_of_them) - count(*) FROM incoming i HAVING max(i.all_of_them) > count(*)
    ORDER BY 1;
END;
COMMENT ON FUNCTION bouncemx.volume_put(boolean, timestamptz, date[], text[], text[], text[], bigint[], bigint[]) IS 'Tells volumes, one element an array each; of several for one day, tenant, stream and operator the last counts (the others: repeated). dry: only says what would be done.';

CREATE FUNCTION bouncemx.volumes(the_tenant text, the_stream text, how_many bigint)
    RETURNS TABLE (day date, tenant text, stream text, operator text, sent bigint, delivered bigint,
                   updated_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.day, v.tenant, v.stream, v.mx_operator, v.sent, v.delivered, v.updated_at
      FROM bouncemx.volume v
     WHERE (the_tenant IS NULL OR v.tenant = the_tenant)
       AND (the_stream IS NULL OR v.stream = the_stream)
     ORDER BY v.day DESC, v.tenant, v.stream, v.mx_operator
     LIMIT how_many;
END;
COMMENT ON FUNCTION bouncemx.volumes(text, text, bigint) IS 'Volumes that were told, the latest days first: of a tenant and a stream (NULL: of any), how_many rows.';
