-- Roles: who may do what, by the catalogue and by trying.
BEGIN;
\ir support/put.psql
SELECT plan(33);

-- ---- the lists and the catalogue ---------------------------------------------------------------
-- A function that fits no row, or two, is nobody's decision: add its name to function_rights().

CREATE VIEW pg_temp.of_functions AS
SELECT p.oid, p.oid::regprocedure::text AS function, p.prosecdef, r.pattern, r.roles, r.lends,
       count(r.pattern) OVER (PARTITION BY p.oid) AS rows
  FROM pg_proc p LEFT JOIN bouncemx.function_rights() r ON p.proname ~ ('^(' || r.pattern || ')$')
 WHERE p.pronamespace = 'bouncemx'::regnamespace AND p.prorettype <> 'trigger'::regtype
   AND NOT (p.provolatile = 'i' AND NOT p.prosecdef);
SELECT is_empty($$SELECT function FROM pg_temp.of_functions WHERE rows = 0$$, 'every function has a row of function_rights()');
SELECT is_empty($$SELECT function, pattern FROM pg_temp.of_functions WHERE rows > 1$$, 'and no more than one');
SELECT is_empty($$
    SELECT function FROM pg_temp.of_functions
     WHERE has_function_privilege('public', oid, 'EXECUTE') <> ('public' = ANY (roles))$$, 'it is for everybody only where that is said');
SELECT is_empty($$
    SELECT function, role FROM pg_temp.of_functions, unnest('{writer,reader,admin}'::text[]) role
     WHERE NOT roles && '{public}'
       AND has_function_privilege('bouncemx_' || role, oid, 'EXECUTE') <> (role = ANY (roles))$$, 'each role has its own');
SELECT is_empty($$SELECT function FROM pg_temp.of_functions WHERE lends AND NOT prosecdef$$, 'what lends the owner''s rights does so');
SELECT is_empty($$
    SELECT c.relname, l.privilege_type FROM pg_class c, aclexplode(c.relacl) l
     WHERE c.relnamespace = 'bouncemx'::regnamespace AND l.grantee = 'bouncemx_writer'::regrole
       AND (c.relname, l.privilege_type) <> ('schema_migration', 'SELECT')$$, 'the writer reads and changes no table');
SELECT is_empty($$
    SELECT c.relname FROM pg_class c
     WHERE c.relnamespace = 'bouncemx'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
       AND NOT (has_table_privilege('bouncemx_admin', c.oid, 'SELECT')
                AND has_any_column_privilege('bouncemx_reader', c.oid, 'SELECT'))$$, 'reader and admin read all');
SELECT is_empty($$
    SELECT c.relname, role FROM pg_class c, unnest('{bouncemx_reader,bouncemx_writer}'::text[]) role
     WHERE c.relnamespace = 'bouncemx'::regnamespace AND c.relkind IN ('r', 'p', 'v')
       AND has_table_privilege(role, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')$$, 'and the reader changes none');
SELECT is_empty($$
    SELECT role FROM unnest('{bouncemx_reader,bouncemx_writer,bouncemx_admin}'::text[]) role
     WHERE has_schema_privilege(role, 'bouncemx_private', 'USAGE') OR has_schema_privilege(role, 'bouncemx', 'CREATE')
        OR pg_has_role(role, 'bouncemx', 'MEMBER')$$, 'nobody has the keys or makes objects');
SELECT is(bouncemx.schema_version(), 2, 'the version');

-- ---- by trying ---------------------------------------------------------------------------------

-- What a role gets for a statement: ok, or the SQLSTATE. What it did is undone.
CREATE FUNCTION pg_temp.tried(role text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    BEGIN
        EXECUTE format('SET LOCAL ROLE %I', role);
        EXECUTE sql;
        RAISE EXCEPTION 'undone' USING ERRCODE = 'ZZ000';
    EXCEPTION WHEN OTHERS THEN
        said := CASE SQLSTATE WHEN 'ZZ000' THEN 'ok' ELSE SQLSTATE || ' ' || SQLERRM END;
    END;
    RETURN said;
END $$;
CREATE FUNCTION pg_temp.writes() RETURNS bigint LANGUAGE sql AS
    $$SELECT pg_temp.put('{"n": 9, "key": "nine@x.example"}', '{"n": 10, "key": "ten@x.example", "confidence": "low"}')$$;
DO $$ BEGIN PERFORM pg_temp.put('{"n": 1, "key": "one@x.example"}'); END $$;

SELECT is(pg_temp.tried('bouncemx_writer', $$SELECT pg_temp.writes()$$), 'ok', 'the writer writes messages, strikes and suppressions');
SELECT is(pg_temp.tried('bouncemx_writer', $$SELECT * FROM bouncemx.lane_position_of('01890000-0000-7000-8000-000000000001', 0, 'mx1')$$), 'ok', 'finds a lane');
SELECT is(pg_temp.tried('bouncemx_writer', $$SELECT bouncemx.lane_move('01890000-0000-7000-8000-000000000001', 0, 'mx1', 0, 0, 1, 1)$$), 'ok', 'moves it');
SELECT is(pg_temp.tried('bouncemx_writer', $$SELECT bouncemx.ensure_partitions('2027-03-04 12:00:00+00', '2027-03-05 12:00:00+00')$$), 'ok', 'makes partitions');
SELECT is(pg_temp.tried('bouncemx_writer', $$SELECT bouncemx.resolve_waiting('2027-03-04 12:00:00+00', 10)$$), 'ok', 'resolves what waited');
SELECT is(pg_temp.tried('bouncemx_writer', $$SELECT number, checksum, bouncemx.schema_version() FROM bouncemx.schema_migration$$), 'ok', 'asks for the version');
SELECT is(pg_temp.tried('bouncemx_writer', $$SELECT * FROM bouncemx.counts(), bouncemx.lanes()$$), 'ok', 'and for what status shows');
SELECT alike(pg_temp.tried('bouncemx_writer', $$DELETE FROM bouncemx.suppression$$), '42501%', 'it takes nobody off the list');
SELECT alike(pg_temp.tried('bouncemx_writer', $$SELECT address FROM bouncemx.suppression$$), '42501%', 'nor reads it');
SELECT alike(pg_temp.tried('bouncemx_writer', $$UPDATE bouncemx.policy SET strikes = 1$$), '42501%', 'it changes no policy');
SELECT alike(pg_temp.tried('bouncemx_writer', $$SELECT secret FROM bouncemx_private.token_key$$), '42501%', 'reads no key');
SELECT alike(pg_temp.tried('bouncemx_writer', $$SELECT bouncemx.set_aside_take('01890000-0000-7000-8000-000000000001')$$), '42501%', 'drops nothing set aside');
SELECT alike(pg_temp.tried('bouncemx_writer', $$DELETE FROM bouncemx.lane_position$$), '42501%', 'and moves lanes by lane_move alone');

SELECT is(pg_temp.tried('bouncemx_reader', $$SELECT * FROM bouncemx.suppressions(NULL, 5, NULL, '2026-03-05'), bouncemx.events(5, NULL)$$), 'ok', 'the reader reads list and events');
SELECT is(pg_temp.tried('bouncemx_reader', $$SELECT * FROM bouncemx.v_block_events$$), 'ok', 'the views');
SELECT is(pg_temp.tried('bouncemx_reader', $$SELECT raw FROM bouncemx.evidence_of(pg_catalog.uuid('01890000-0000-7000-8000-000000010000'))$$), 'ok', 'one mail that is asked for');
SELECT alike(pg_temp.tried('bouncemx_reader', $$SELECT raw FROM bouncemx.evidence$$), '42501%', 'not all of them');
SELECT is(pg_temp.tried('bouncemx_reader', $$SELECT id, received_at FROM bouncemx.evidence$$), 'ok', 'but which there are');
SELECT alike(pg_temp.tried('bouncemx_reader', $$SELECT secret FROM bouncemx_private.pepper$$), '42501%', 'no pepper');
SELECT alike(pg_temp.tried('bouncemx_reader', $$SELECT pg_temp.writes()$$), '42501%', 'it writes no messages');
SELECT is(pg_temp.tried('bouncemx_admin', $$UPDATE bouncemx.policy SET note = 'x'; DELETE FROM bouncemx.allowed$$), 'ok', 'the admin changes policy and allow-list');
SELECT alike(pg_temp.tried('bouncemx_admin', $$DELETE FROM bouncemx.audit$$), '42501%', 'not what was noted');

-- ---- again -------------------------------------------------------------------------------------

-- A later step puts a function anew: without SECURITY DEFINER, and public.
CREATE OR REPLACE FUNCTION bouncemx.lane_move(the_journal uuid, the_lane integer, the_node text, from_segment bigint,
    from_offset bigint, to_segment bigint, to_offset bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
GRANT EXECUTE ON FUNCTION bouncemx.lane_move(uuid, integer, text, bigint, bigint, bigint, bigint) TO PUBLIC;
GRANT DELETE ON bouncemx.suppression TO bouncemx_reader;
SELECT bouncemx.grant_roles() IS NULL \g /dev/null
SELECT results_eq($$
    SELECT prosecdef, has_function_privilege('public', oid, 'EXECUTE'), has_table_privilege('bouncemx_reader', 'bouncemx.suppression', 'DELETE')
      FROM pg_proc WHERE oid = 'bouncemx.lane_move(uuid, integer, text, bigint, bigint, bigint, bigint)'::regprocedure$$,
    $$VALUES (true, false, false)$$, 'grant_roles makes it so again');

SELECT * FROM finish();
ROLLBACK;
