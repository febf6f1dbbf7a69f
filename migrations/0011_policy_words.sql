-- Words for policy, for what people do to the list, and for the feed. A step of its own: a value that
-- ALTER TYPE adds can't be used in the transaction that adds it.

ALTER TYPE bouncemx.address_source ADD VALUE 'log';

ALTER TYPE bouncemx.event_effect ADD VALUE 'pending' AFTER 'suppressed';
ALTER TYPE bouncemx.event_effect ADD VALUE 'allowed';
ALTER TYPE bouncemx.event_effect ADD VALUE 'undone';
COMMENT ON TYPE bouncemx.event_effect IS 'What an event did. suppressed: made a row of the list; pending: made one that waits, since the circuit breaker is open; counted: spoke for a row that stood; strike: more are needed; soft: counted as soft; repeat: its token or content was used up; waiting: its token does not stand in sent yet; none: such events never act; no_address, unverified, not_counting: why it did nothing; flood: too many on one token, only counted; allowed: the allow-list holds the address; undone: a person took back what it did.';

CREATE TYPE bouncemx.suppression_state AS ENUM ('active', 'pending');
COMMENT ON TYPE bouncemx.suppression_state IS 'active: it holds; pending: it waits, because the circuit breaker opened for its operator and hour.';

CREATE TYPE bouncemx.suppression_origin AS ENUM ('event', 'manual', 'import');
COMMENT ON TYPE bouncemx.suppression_origin IS 'Who made a row of the list: events by policy, a person, or an import.';

CREATE TYPE bouncemx.change_op AS ENUM (
    'add', 'change', 'hold', 'release', 'remove', 'expire', 'redact');
COMMENT ON TYPE bouncemx.change_op IS 'What happened to a row of the list. add: it holds, or waits (state); change: its reason or end is another one; hold: it waits from now on; release: it holds again; remove: taken off; expire: its time was over; redact: the person was erased, forget the address.';
