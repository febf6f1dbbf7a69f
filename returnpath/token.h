/* token.h - the signed token in a local part. Pure but for the keys.
 *
 *   local part   b1 <purpose> <key id> <day> <payload> "-" <mac>
 *   purpose      b bounce, c complaint, u unsubscribe
 *   key id       one of a-z 2-7
 *   day          days since 1970-01-01 UTC: 3 characters of base32, the most significant first
 *   payload      embedded  [stream "="] user "=" domain: the recipient in clear
 *                opaque    13 to 26 characters of base32, an id of the sender's
 *   mac          16 characters of base32: the first 10 octets of HMAC-SHA256 (RFC 2104, truncated
 *                as its section 5 allows) over lower(head) "@" lower(domain of the address); head
 *                is all before the last "-"
 *
 * Base32 has the alphabet of RFC 4648 section 6 in lower case, without padding. ASCII case means
 * nothing anywhere: relays fold it. The domain of the address is inside the signature, so a token
 * is worth nothing at another domain of ours. */
#ifndef RETURNPATH_TOKEN_H
#define RETURNPATH_TOKEN_H

#include "returnpath/returnpath.h"

enum {
    TOKEN_HEAD_MIN = 7, /* up to the payload */
    TOKEN_MAC = 16,
    TOKEN_OVERHEAD = TOKEN_HEAD_MIN + 1 + TOKEN_MAC,
    TOKEN_ID_MIN = 13,
    TOKEN_ID_MAX = 26,
    TOKEN_STREAM_MAX = 16,
    /* Inside messages local parts may be longer than a mailbox's: room for the longest recipient.
     */
    TOKEN_LOCAL_MAX = 384,
};

struct token_key {
    char id;
    uint32_t until; /* 0: no end */
    size_t n;
    unsigned char secret[RETURNPATH_KEY_MAX];
};

struct token_lifetimes {
    uint32_t bounce;
    uint32_t other;
};

/* Signing state of one thread for some keys, which outlive it. */
struct token_signer;

int token_signer_new(const struct token_key *keys, size_t n, struct token_signer **ret);
void token_signer_free(struct token_signer *s);

/* True when a local part (quotes removed) has the outline of a token, valid or not: from then on it
 * is nothing else. */
bool token_is_shaped(struct str local);

/* Reads a local part that token_is_shaped, of the domain in ret->domain. Fills kind, source, proof,
 * verified, recipient, stream, token, token_id, key_id and day of *ret; a payload that no token of
 * ours has leaves source and recipient empty. 0 or -ENOMEM. */
int token_read(struct token_signer *s, const struct token_lifetimes *lifetimes, struct arena *a,
               struct str local, uint32_t today, struct returnpath *ret);

/* returnpath_mint for a domain that was found. */
int token_mint(struct token_signer *s, struct arena *a, struct str domain,
               const struct returnpath_mint *mint, struct str *ret, struct err *e);

#endif
