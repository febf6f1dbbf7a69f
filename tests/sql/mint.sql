-- bouncemx.mint makes what every other implementation makes: tests/golden/token-vectors.json.
BEGIN;
\set vectors `cat "$BOUNCEMX_VECTORS"`
CREATE TEMP TABLE vectors AS SELECT (:'vectors')::jsonb AS j;
SELECT plan(19);

INSERT INTO bouncemx_private.token_key (place, id, secret, until)
SELECT n, k->>'id', decode(k->>'hex', 'hex'), (k->>'until')::date
  FROM vectors, jsonb_array_elements(j->'keys') WITH ORDINALITY AS e(k, n);

-- What can't be minted, so that a list of answers can be compared.
CREATE FUNCTION pg_temp.minted(v jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF v->>'id' IS NOT NULL THEN
        RETURN (bouncemx.mint_opaque(v->>'domain', v->>'purpose', v->>'id', (v->>'day')::date, v->>'key')).address;
    END IF;
    RETURN bouncemx.mint(v->>'recipient', v->>'domain', v->>'purpose', v->>'stream',
                         (v->>'day')::date, v->>'key');
EXCEPTION WHEN invalid_parameter_value OR string_data_right_truncation THEN
    RETURN NULL;
END $$;

SELECT cmp_ok((SELECT count(*) FROM vectors, jsonb_array_elements(j->'mint')), '>', 30::bigint,
    'there are vectors');
SELECT is_empty($$
    SELECT v->>'recipient', v->>'id', pg_temp.minted(v), v->>'address'
      FROM vectors, jsonb_array_elements(j->'mint') v
     WHERE pg_temp.minted(v) IS DISTINCT FROM v->>'address'$$, 'each is as the others make it');

SELECT matches(bouncemx.mint('ann@example.com', 'Bounces.Example.COM'),
    '^b1ba[a-z2-7]{3}ann=example\.com-[a-z2-7]{16}@bounces\.example\.com$', 'defaults: bounce, today, the first key');
SELECT is(bouncemx.mint('ann@example.com', 'bounces.example.com'),
    bouncemx.mint('ann@example.com', 'bounces.example.com', 'bounce', NULL, (now() AT TIME ZONE 'UTC')::date, 'a'),
    'today is that of UTC');
SELECT is(substr(bouncemx.mint('ann@example.com', 'b.example.com', day => '2026-07-01', key_id => NULL), 4, 1), 'a',
    'the first key signs');
UPDATE bouncemx_private.token_key SET until = '2026-07-31' WHERE id = 'a';
SELECT is(substr(bouncemx.mint('ann@example.com', 'b.example.com', day => '2026-07-31'), 4, 1), 'a',
    'a key signs on its last day');
SELECT is(substr(bouncemx.mint('ann@example.com', 'b.example.com', day => '2026-08-01'), 4, 1), '7',
    'then the next one does');
SELECT throws_like($$SELECT bouncemx.mint('ann@example.com', 'b.example.com', day => '2026-08-01', key_id => 'a')$$,
    'there is no key a that signs on 2026-08-01', 'a key that is over does not sign');
SELECT throws_like($$SELECT bouncemx.mint('ann@example.com', 'b.example.com', 'receipt')$$, 'purpose receipt: expected%', 'purpose');
SELECT throws_like($$SELECT bouncemx.mint('ann@example.com', 'b.example.com', stream => 'News')$$, 'stream News: expected%', 'stream');
SELECT throws_like($$SELECT bouncemx.mint('ann@example.com', 'b..example.com')$$, 'return-path domain b..example.com: expected%', 'domain');
SELECT throws_like($$SELECT bouncemx.mint('ann@example.com', 'b.example.com', day => '2060-01-01')$$, 'day 2060-01-01: expected%', 'day');

SELECT is((SELECT count(DISTINCT (m).id)
             FROM (SELECT bouncemx.mint_opaque('b.example.com') AS m FROM generate_series(1, 100) OFFSET 0) made
            WHERE (m).id ~ '^[a-z2-7]{24}$' AND (m).address LIKE 'b1b7___' || (m).id || '-%@b.example.com'), 100::bigint,
    'each opaque address has an id of its own');
CREATE TEMP TABLE sent_now AS
SELECT bouncemx.send('"Ann B"@example.com', 'b.example.com', 'unsubscribe', 'main', 'news', day => '2026-11-23') AS address;
SELECT is((SELECT count(*) FROM bouncemx.sent s, sent_now n
            WHERE s.recipient = '"Ann B"@example.com' AND s.tenant = 'main' AND s.stream = 'news'
              AND s.day = '2026-11-23' AND n.address LIKE 'b1u7ujm' || s.id || '-%@b.example.com'), 1::bigint,
    'what is sent with an opaque address stands in sent');
SELECT is((SELECT address FROM sent_now),
    (SELECT (bouncemx.mint_opaque('b.example.com', 'unsubscribe', s.id, s.day)).address FROM bouncemx.sent s
      WHERE s.stream = 'news'), 'under the id and day of its address');
SELECT throws_like($$SELECT bouncemx.mint_opaque('b.example.com', token_id => 'short')$$, 'id short: expected%', 'id');

SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
     WHERE (p.pronamespace = 'bouncemx_private'::regnamespace OR p.prosecdef)
       AND p.prorettype <> 'trigger'::regtype
       AND has_function_privilege('public', p.oid, 'EXECUTE')
       AND p.pronamespace IN ('bouncemx'::regnamespace, 'bouncemx_private'::regnamespace)$$,
    'nobody may mint until it is granted');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
     WHERE p.pronamespace = 'bouncemx'::regnamespace AND p.prosecdef
       AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)$$,
    'what lends the owner''s rights finds no other objects than the system''s by their bare names');
SELECT ok(NOT has_schema_privilege('public', 'bouncemx_private', 'USAGE'), 'the keys are private');

SELECT * FROM finish();
ROLLBACK;
