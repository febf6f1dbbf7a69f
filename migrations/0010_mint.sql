-- Signed return paths for senders that write their mail out of PostgreSQL. The same addresses as
-- `bouncemx token mint` makes: docs/return-path.md has the format, tests/golden/token-vectors.json
-- holds both to it.
-- HMAC-SHA256 (RFC 2104) is two sha256() over a block of the key: no extension is needed.

CREATE SCHEMA IF NOT EXISTS bouncemx_private;
COMMENT ON SCHEMA bouncemx_private IS 'Secrets, and what reads them. For the owner alone; not for publications.';

CREATE FUNCTION bouncemx_private.key_block(secret bytea, pad integer) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    block bytea := CASE WHEN length(secret) > 64 THEN sha256(secret) ELSE secret END;
BEGIN
    block := block || decode(repeat('00', 64 - length(block)), 'hex');
    FOR i IN 0..63 LOOP
        block := set_byte(block, i, get_byte(block, i) # pad);
    END LOOP;
    RETURN block;
END $$;
COMMENT ON FUNCTION bouncemx_private.key_block(bytea, integer) IS 'The key as the block that HMAC-SHA256 begins with: 64 octets, each xor pad (54 inner, 92 outer; RFC 2104 section 2).';

CREATE TABLE bouncemx_private.token_key (
    place       integer PRIMARY KEY,
    id          text    NOT NULL UNIQUE CHECK (id ~ '^[a-z2-7]$'),
    secret      bytea   NOT NULL CHECK (length(secret) BETWEEN 32 AND 128),
    until       date,
    inner_block bytea   NOT NULL
        GENERATED ALWAYS AS (bouncemx_private.key_block(secret, 54)) STORED,
    outer_block bytea   NOT NULL
        GENERATED ALWAYS AS (bouncemx_private.key_block(secret, 92)) STORED
);
COMMENT ON TABLE bouncemx_private.token_key IS 'The keys of the configuration, put here by `bouncemx token install`.';
COMMENT ON COLUMN bouncemx_private.token_key.place IS 'Place in the configuration: the first that is not over signs.';
COMMENT ON COLUMN bouncemx_private.token_key.id IS 'The character that names it in addresses.';
COMMENT ON COLUMN bouncemx_private.token_key.secret IS 'The key.';
COMMENT ON COLUMN bouncemx_private.token_key.until IS 'The last day on which its tokens are accepted; NULL: no end.';
COMMENT ON COLUMN bouncemx_private.token_key.inner_block IS 'What the inner hash begins with.';
COMMENT ON COLUMN bouncemx_private.token_key.outer_block IS 'What the outer hash begins with.';
COMMENT ON INDEX bouncemx_private.token_key_id_key IS 'One key has one id.';

CREATE FUNCTION bouncemx_private.base32(bytes bytea) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    -- Forty bits at a time are eight digits.
    SELECT string_agg(
               substr('abcdefghijklmnopqrstuvwxyz234567',
                      ((('x' || encode(substr(bytes, group_of * 5 + 1, 5), 'hex'))::bit(40)::bigint
                        >> (35 - digit * 5)) & 31)::integer + 1, 1),
               '' ORDER BY group_of, digit)
      FROM generate_series(0, length(bytes) / 5 - 1) AS group_of,
           generate_series(0, 7) AS digit;
END;
COMMENT ON FUNCTION bouncemx_private.base32(bytea) IS 'RFC 4648 section 6 in lower-case; of a multiple of five octets.';

CREATE FUNCTION bouncemx_private.is_domain(name text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT length(name) <= 253
       AND name COLLATE "C" ~* '^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$';
END;
COMMENT ON FUNCTION bouncemx_private.is_domain(text) IS 'A domain name as A-labels (RFC 1123 section 2.1, and _).';

CREATE FUNCTION bouncemx_private.sign(payload text, domain text, purpose text, day date, key_id text)
    RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    alphabet constant text := 'abcdefghijklmnopqrstuvwxyz234567';
    used date := coalesce(day, (now() AT TIME ZONE 'UTC')::date);
    days integer := used - date '1970-01-01';
    letter text := CASE purpose WHEN 'bounce' THEN 'b' WHEN 'complaint' THEN 'c'
                                WHEN 'unsubscribe' THEN 'u' END;
    key bouncemx_private.token_key;
    head text;
    mac bytea;
BEGIN
    IF letter IS NULL THEN
        RAISE EXCEPTION 'purpose %: expected bounce, complaint or unsubscribe', purpose
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF days NOT BETWEEN 0 AND 32767 THEN
        RAISE EXCEPTION 'day %: expected one from 1970-01-01 to 2059-09-18', used
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF domain IS NULL OR NOT bouncemx_private.is_domain(domain) THEN
        RAISE EXCEPTION 'return-path domain %: expected one as an A-label, such as bounces.example.com', domain
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO key FROM bouncemx_private.token_key k
     WHERE (key_id IS NULL OR k.id = key_id) AND (k.until IS NULL OR k.until >= used)
     ORDER BY k.place LIMIT 1;
    IF key.id IS NULL THEN
        RAISE EXCEPTION 'there is no key % that signs on %', coalesce(key_id, ''), used
            USING ERRCODE = 'no_data_found',
                  HINT = 'The keys of the configuration come here by: bouncemx token install';
    END IF;
    head := 'b1' || letter || key.id || substr(alphabet, (days >> 10) + 1, 1)
            || substr(alphabet, ((days >> 5) & 31) + 1, 1) || substr(alphabet, (days & 31) + 1, 1)
            || payload;
    IF octet_length(head) + 17 > 64 THEN
        RAISE EXCEPTION '%: % octets with its signature, a local part has 64', head, octet_length(head) + 17
            USING ERRCODE = 'string_data_right_truncation',
                  HINT = 'bouncemx.mint_opaque makes an address for a recipient of any length.';
    END IF;
    mac := sha256(key.outer_block
                  || sha256(key.inner_block || convert_to(lower((head || '@' || domain) COLLATE "C"), 'UTF8')));
    RETURN head || '-' || bouncemx_private.base32(substr(mac, 1, 10)) || '@' || lower(domain COLLATE "C");
END $$;
COMMENT ON FUNCTION bouncemx_private.sign(text, text, text, date, text) IS 'The address around a payload.';

CREATE FUNCTION bouncemx.mint(recipient text, domain text, purpose text DEFAULT 'bounce',
                              stream text DEFAULT NULL, day date DEFAULT NULL, key_id text DEFAULT NULL)
    RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parts text[] := regexp_match(recipient, '^(.*)@([^@]*)$');
BEGIN
    -- What a local part is made of (RFC 5321 section 4.1.2, Dot-string), but for '='.
    IF parts IS NULL OR parts[1] !~ '^[A-Za-z0-9!#$%&''*+/?^_`{|}~-]+(\.[A-Za-z0-9!#$%&''*+/?^_`{|}~-]+)*$' THEN
        RAISE EXCEPTION 'recipient %: can''t be written into a return path', recipient
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Expected user@domain without quotes and without = before the @; bouncemx.mint_opaque makes an address for any other.';
    END IF;
    IF NOT bouncemx_private.is_domain(parts[2]) THEN
        RAISE EXCEPTION 'recipient %: expected its domain as an A-label, such as example.com', recipient
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF stream !~ '^[a-z0-9._-]{1,16}$' THEN
        RAISE EXCEPTION 'stream %: expected 1 to 16 of a-z, 0-9, ''.'', ''_'' and ''-''', stream
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN bouncemx_private.sign(coalesce(stream || '=', '') || parts[1] || '='
                                 || parts[2], domain, purpose, day, key_id);
END $$;
COMMENT ON FUNCTION bouncemx.mint(text, text, text, text, date, text) IS 'A signed return path at domain for mail to recipient, as `bouncemx token mint` makes it. purpose: bounce (MAIL FROM), complaint or unsubscribe. day: of sending, UTC (NULL: today). key_id: NULL, the first that is not over. Nobody but the owner may call it until it is granted: who can mint can forge.';

CREATE FUNCTION bouncemx.mint_opaque(domain text, purpose text DEFAULT 'bounce', token_id text DEFAULT NULL,
                                     day date DEFAULT NULL, key_id text DEFAULT NULL,
                                     OUT address text, OUT id text)
    LANGUAGE plpgsql VOLATILE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- 120 bits of two random UUIDs.
    id := coalesce(lower(token_id COLLATE "C"), bouncemx_private.base32(substr(
              sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 1, 15)));
    IF id !~ '^[a-z2-7]{13,26}$' THEN
        RAISE EXCEPTION 'id %: expected 13 to 26 of a-z and 2-7', token_id
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    address := bouncemx_private.sign(id, domain, purpose, day, key_id);
END $$;
COMMENT ON FUNCTION bouncemx.mint_opaque(text, text, text, date, text) IS 'A signed return path that holds no recipient but an id (NULL: a new random one). Whom it was sent to must be known before a report comes back: write it down in the transaction that sends.';

CREATE FUNCTION bouncemx.send(recipient text, domain text, purpose text DEFAULT 'bounce', tenant text DEFAULT NULL,
                              stream text DEFAULT NULL, campaign text DEFAULT NULL, message_id text DEFAULT NULL,
                              day date DEFAULT NULL, key_id text DEFAULT NULL)
    RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    used date := coalesce(day, (now() AT TIME ZONE 'UTC')::date);
    made record;
BEGIN
    SELECT * INTO made FROM bouncemx.mint_opaque(domain, purpose, NULL, used, key_id);
    INSERT INTO bouncemx.sent (day, id, recipient, tenant, stream, campaign, message_id, sent_at)
    VALUES (used, made.id, recipient, tenant, stream, campaign, message_id, clock_timestamp());
    RETURN made.address;
END $$;
COMMENT ON FUNCTION bouncemx.send(text, text, text, text, text, text, text, date, text) IS 'A new opaque return path, as mint_opaque makes it, whose row stands in sent: both, or neither when the transaction is rolled back. Nobody but the owner may call it until it is granted.';

REVOKE ALL ON FUNCTION bouncemx_private.key_block(bytea, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION bouncemx_private.base32(bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION bouncemx_private.is_domain(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION bouncemx_private.sign(text, text, text, date, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION bouncemx.mint(text, text, text, text, date, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION bouncemx.mint_opaque(text, text, text, date, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION bouncemx.send(text, text, text, text, text, text, text, date, text) FROM PUBLIC;
