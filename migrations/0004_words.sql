-- Words for signed return paths. A step of its own: a value that ALTER TYPE adds can't be used in the
-- transaction that adds it.

ALTER TYPE bouncemx.address_source ADD VALUE 'token' BEFORE 'verp';
ALTER TYPE bouncemx.address_source ADD VALUE 'returned_token' BEFORE 'verp';
ALTER TYPE bouncemx.address_source ADD VALUE 'pattern' AFTER 'verp';

CREATE TYPE bouncemx.verification AS ENUM (
    'unsigned', 'token', 'sent', 'dkim', 'waiting', 'forged', 'expired', 'early', 'unknown_key',
    'wrong_purpose', 'log');
COMMENT ON TYPE bouncemx.verification IS 'What vouches for an event''s address: token, sent, dkim and log do; the others say why nothing does.';

CREATE TYPE bouncemx.event_effect AS ENUM (
    'suppressed', 'counted', 'strike', 'soft', 'repeat', 'waiting', 'none', 'no_address',
    'unverified', 'not_counting', 'flood');
COMMENT ON TYPE bouncemx.event_effect IS 'What an event did. suppressed: made a row of the list; counted: spoke for a row that stood; strike: one more is needed; soft: counted as soft; repeat: its token or content was used up; waiting: its token does not stand in sent yet; none: such events never act; no_address, unverified, not_counting: why it did nothing; flood: too many on one token, only counted.';

CREATE TYPE bouncemx.use_kind AS ENUM ('hard', 'strike', 'soft', 'complaint', 'unsubscribe');
COMMENT ON TYPE bouncemx.use_kind IS 'What a token or a content can be used up for, once each.';

CREATE TYPE bouncemx.suppression_scope AS ENUM ('global', 'tenant', 'stream');
COMMENT ON TYPE bouncemx.suppression_scope IS 'How wide a row of the list holds: for everybody, a tenant, or one stream of a tenant.';
