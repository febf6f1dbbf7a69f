-- Who may do what, and the version that the schema has reached. The last step of version 2.
--
-- The roles have what these lists say and no more. Rights of partitions are those of their parents, so
-- that none is needed for a new one.

CREATE FUNCTION bouncemx.function_rights()
    RETURNS TABLE (pattern text, roles text[], lends boolean)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT r.pattern, r.roles::text[], r.lends FROM (VALUES
        -- What the processor and the keeper call.
        ('lane_position_of|lane_move|set_aside_put|ensure_partitions|resolve_waiting', '{writer}', true),
        ('write_messages', '{writer,admin}', true),
        ('feed_(number|due|new_epoch)|become_keeper|maintained|breaker_judge|expire_suppressions|forget_(old|used|feed)',
         '{writer,admin}', true),
        -- What `status` and `drain` of an MX host ask.
        ('lanes|counts|unmatched|maintenance_shown|feed_position', '{writer,reader,admin}', true),
        -- Reading. With the caller's own rights, so that they can become a part of his query.
        ('volumes|suppressions|suppression_of|suppressed|is_suppressed|check_keys|check_addresses|is_allowed|events|event_of|set_aside_list|exported|report_.*|(events|words)_counted|actor|allowed_list|weeks_kept',
         '{reader,admin}', false),
        ('feed_(home|is_home|cursor|place|fresh|after)', '{reader,admin}', false),
        ('erased_of|erasures_of|is_erased|policy_(run|with|preview)', '{reader,admin}', true),
        -- One message at a time: the table itself is not for readers.
        ('evidence_of', '{reader,admin}', true),
        ('log_told_of|log_delivered', '{writer,admin}', true),
        ('set_aside_one|replay_(messages|count|events)', '{admin}', false),
        -- What people do.
        ('set_aside_take|suppression_(add|remove)|undo_event|erase|erase_mentioned|allow|disallow|delivered|breaker_release',
         '{admin}', true),
        ('policy_(set|remove)|replay_apply|import_(begin|put|end)|volume_put', '{admin}', true),
        -- Parts of the above, and what changes the schema: for the owner.
        ('act|use_up|suppress|resolve|judge|confirms|(score|strike|strikes)_.*|replay_(judged|lock|take_back|pardoned|act)|suppression_taken|policy_of|address_hash',
         '{}', false),
        ('breaker_(opens|hold|let_go)|roll_up|roll_up_stored|forget_rolled_up|check_time|expire_address|forget_counts|erase_(messages|list)|move_from_default|drop_(partition|before|days_before)|feed_publish|grant_.*',
         '{}', false),
        -- For the sender, granted by hand to the role that it logs in as (docs/return-path.md).
        ('mint|mint_opaque|send', '{}', true),
        ('sent_put', '{public}', false)
    ) r (pattern, roles, lends);
END;
COMMENT ON FUNCTION bouncemx.function_rights() IS 'Whose a function is, by its name: pattern is a regular expression for the whole of it; roles are writer, reader, admin, or public (whoever may use the schema); lends: it runs with the owner''s rights. Each function is in exactly one row, but for triggers and those that are IMMUTABLE and lend nothing, which compute only and are public.';

CREATE FUNCTION bouncemx.table_rights()
    RETURNS TABLE (pattern text, roles text[], rights text[])
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT r.pattern, r.roles::text[], r.rights::text[] FROM (VALUES
        ('schema_migration', '{writer}', '{SELECT}'),
        ('.*', '{reader,admin}', '{SELECT}'),
        ('policy|breaker_policy|domain_operator|allowed|volume', '{admin}', '{INSERT,UPDATE,DELETE}')
    ) r (pattern, roles, rights);
END;
COMMENT ON FUNCTION bouncemx.table_rights() IS 'Which rights on tables and views the roles have, by name: pattern is a regular expression for the whole of it, and all rows that fit count. Columns named raw, whole messages, are left out for the reader.';

CREATE FUNCTION bouncemx.grant_functions(the_role text) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    f record;
    of_role boolean;
BEGIN
    FOR f IN
        SELECT p.oid, p.oid::regprocedure AS name, p.prosecdef, p.proconfig, r.roles, r.lends
          FROM pg_catalog.pg_proc p JOIN bouncemx.function_rights() r ON p.proname ~ ('^(' || r.pattern || ')$')
         WHERE p.pronamespace = 'bouncemx'::regnamespace AND p.prorettype <> 'trigger'::regtype
           AND NOT (p.provolatile = 'i' AND NOT p.prosecdef AND NOT r.lends)
         ORDER BY p.oid
    LOOP
        IF f.lends AND NOT (f.prosecdef AND coalesce('search_path=pg_catalog, pg_temp' = ANY (f.proconfig), false)) THEN
            EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, pg_temp', f.name);
        END IF;
        of_role := replace(the_role, 'bouncemx_', '') = ANY (f.roles);
        IF of_role AND NOT has_function_privilege(the_role, f.oid, 'EXECUTE') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', f.name, the_role);
        ELSIF NOT of_role AND has_function_privilege(the_role, f.oid, 'EXECUTE') THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', f.name, the_role);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION bouncemx.grant_functions(text) IS 'Makes function_rights() so for one role, or for public.';

CREATE FUNCTION bouncemx.grant_tables(the_role text) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    t record;
BEGIN
    -- What is as it should be is not touched: others may be at work on the catalogue.
    FOR t IN
        SELECT c.relname, w.rights, w.columns
          FROM pg_catalog.pg_class c
         CROSS JOIN LATERAL (
             SELECT (SELECT array_agg(one ORDER BY one) FROM bouncemx.table_rights() r, unnest(r.rights) one
                      WHERE c.relname ~ ('^(' || r.pattern || ')$')
                        AND replace(the_role, 'bouncemx_', '') = ANY (r.roles)
                        AND NOT (the_role = 'bouncemx_reader' AND x.has_raw)) AS rights,
                    (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'raw'
                        AND the_role = 'bouncemx_reader' AND x.has_raw) AS columns
               FROM (SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                                     WHERE a.attrelid = c.oid AND a.attname = 'raw') AS has_raw) x) w
         WHERE c.relnamespace = 'bouncemx'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
           AND NOT c.relispartition
           AND (w.rights, w.columns) IS DISTINCT FROM (
                (SELECT array_agg(l.privilege_type ORDER BY l.privilege_type)
                   FROM pg_catalog.aclexplode(c.relacl) l WHERE l.grantee = the_role::regrole),
                (SELECT array_agg(a.attname::text ORDER BY a.attname::text)
                   FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) l
                  WHERE a.attrelid = c.oid AND l.grantee = the_role::regrole))
         ORDER BY c.relname
    LOOP
        EXECUTE format('REVOKE ALL ON TABLE bouncemx.%I FROM %I', t.relname, the_role);
        IF t.rights IS NOT NULL THEN
            EXECUTE format('GRANT %s ON TABLE bouncemx.%I TO %I', array_to_string(t.rights, ', '), t.relname, the_role);
        END IF;
        IF t.columns IS NOT NULL THEN
            EXECUTE format('GRANT SELECT (%s) ON TABLE bouncemx.%I TO %I',
                           (SELECT string_agg(quote_ident(one), ', ') FROM unnest(t.columns) one), t.relname, the_role);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION bouncemx.grant_tables(text) IS 'Makes table_rights() so for one role.';

CREATE FUNCTION bouncemx.grant_roles() RETURNS TABLE (statement text)
    LANGUAGE plpgsql AS $$
DECLARE
    the_role text;
BEGIN
    -- Two at once, or one beside a new partition, would fail on the same rows of the catalogue.
    PERFORM pg_advisory_xact_lock(hashtextextended('bouncemx.ensure_partitions', 0));
    PERFORM bouncemx.grant_functions('public');
    FOREACH the_role IN ARRAY '{bouncemx_writer,bouncemx_reader,bouncemx_admin}'::text[] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = the_role) THEN
            statement := format('CREATE ROLE %I NOLOGIN;', the_role);
            IF NOT (SELECT rolcreaterole OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
                RETURN NEXT;
                CONTINUE;
            END IF;
            BEGIN
                EXECUTE statement;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- made at this moment, for another database of the cluster
            END;
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA bouncemx TO %I', the_role);
        PERFORM bouncemx.grant_functions(the_role);
        PERFORM bouncemx.grant_tables(the_role);
    END LOOP;
END $$;
COMMENT ON FUNCTION bouncemx.grant_roles() IS 'Gives the roles bouncemx_writer, bouncemx_reader and bouncemx_admin their rights anew, as function_rights() and table_rights() say, and makes the roles if the owner of the schema may (CREATEROLE); else its rows are the statements that a superuser has to run before the next call. `bouncemx migrate` calls it.';

CREATE FUNCTION bouncemx.schema_version() RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 2;
COMMENT ON FUNCTION bouncemx.schema_version() IS 'The version of the schema; the last step of a version replaces it. A program of version N runs on N-1, N and N+1.';

DO $$ BEGIN PERFORM bouncemx.grant_roles(); END $$;
