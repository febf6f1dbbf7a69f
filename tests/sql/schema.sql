-- What the schema promises as a whole.
BEGIN;
SELECT plan(22);

-- Partitions of a parent are explained by the parent.
SELECT is_empty($$
    SELECT c.relname FROM pg_class c
     WHERE c.relnamespace = 'bouncemx'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
       AND (NOT c.relispartition OR c.relname LIKE '%_default')
       AND obj_description(c.oid, 'pg_class') IS NULL$$, 'every table and view has a comment');
SELECT is_empty($$
    SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'bouncemx'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
       AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
       AND col_description(c.oid, a.attnum) IS NULL$$, 'every column has a comment');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
     WHERE p.pronamespace = 'bouncemx'::regnamespace
       AND obj_description(p.oid, 'pg_proc') IS NULL$$, 'every function has a comment');
SELECT is_empty($$
    SELECT t.typname FROM pg_type t
     WHERE t.typnamespace = 'bouncemx'::regnamespace AND t.typtype IN ('e', 'd')
       AND obj_description(t.oid, 'pg_type') IS NULL$$, 'every type has a comment');
SELECT is_empty($$
    SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.relnamespace = 'bouncemx'::regnamespace AND NOT i.indisprimary
       AND NOT c.relispartition
       AND obj_description(c.oid, 'pg_class') IS NULL$$, 'every index beside a key has a comment');
SELECT is_empty($$
    SELECT c.relname FROM pg_class c
     WHERE c.relnamespace = 'bouncemx'::regnamespace AND c.relkind IN ('r', 'p')
       AND NOT c.relispartition
       AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)$$,
    'every table has a primary key');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
     WHERE p.pronamespace = 'bouncemx'::regnamespace AND (r.rolsuper
            OR p.prosecdef AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false))$$,
    'no function needs or lends a superuser, or looks for names where others may put them');

SELECT col_is_pk('bouncemx', 'message', ARRAY['id', 'received_at'], 'key of message');
SELECT col_is_pk('bouncemx', 'event', ARRAY['id', 'received_at'], 'key of event');
SELECT col_is_pk('bouncemx', 'evidence', ARRAY['id', 'received_at'], 'key of evidence');
SELECT col_is_pk('bouncemx', 'suppression', ARRAY['address_key', 'tenant', 'scope', 'stream'],
                 'key of suppression');
SELECT col_is_pk('bouncemx', 'lane_position', ARRAY['journal', 'lane'], 'key of lane_position');
SELECT col_is_pk('bouncemx', 'set_aside', 'id', 'key of set_aside');
SELECT col_is_pk('bouncemx', 'schema_migration', 'number', 'key of schema_migration');
SELECT col_is_pk('bouncemx', 'token_seen', ARRAY['token', 'day'], 'key of token_seen');
SELECT col_is_pk('bouncemx', 'content_seen', ARRAY['content', 'day', 'use'], 'key of content_seen');
SELECT col_is_pk('bouncemx', 'sent', ARRAY['day', 'id'], 'key of sent');

SELECT is((SELECT attstorage::text || attcompression::text FROM pg_attribute
            WHERE attrelid = 'bouncemx.evidence'::regclass AND attname = 'raw'), 'ml',
          'raw mail is kept in its row, by lz4');
SELECT is_partitioned('bouncemx', 'message', 'message is partitioned');
SELECT is_partitioned('bouncemx', 'event', 'event is partitioned');

SELECT is(bouncemx.message_of('01890000-0000-7000-8000-00000000002a'),
          '01890000-0000-7000-8000-000000000000'::uuid, 'the message of an event');
SELECT is(bouncemx.last_of('01890000-0000-7000-8000-00000000002a'),
          '01890000-0000-7000-8000-00000000ffff'::uuid, 'the last event of a message');
SELECT * FROM finish();
ROLLBACK;
