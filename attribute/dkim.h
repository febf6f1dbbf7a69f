/* dkim.h - is a feedback report really from the provider that it names? DKIM, RFC 6376.
 *
 * A report counts as a listed source's own when all of this holds (the rule of RFC 9477 section 3.1
 * made general):
 *   - one of its signatures has a d= that is listed, exactly;
 *   - the From address is of d='s organisational domain, or below it;
 *   - rsa-sha256 with a key of 1024 bits or more (RFC 8301), or ed25519-sha256 (RFC 8463);
 *   - the whole body is signed (no l=), and From, Content-Type, Content-Transfer-Encoding and
 *     MIME-Version as far as they are there, each once: who may write one of them anew can make
 *     the reader see other parts than the signer did;
 *   - not expired when it was received, and the key is not in testing mode (t=y).
 * Replay of a genuine report stays possible: what it says is still true, and counts once. */
#ifndef ATTRIBUTE_DKIM_H
#define ATTRIBUTE_DKIM_H

#include "base/arena.h"
#include "base/err.h"

struct dkim_verifier;

/* Finds the key record of a name such as "s1._domainkey.example.com": 0 and its text (in a; absent:
 * memory ended);
 * -ENOENT: there is none; any other -Exxx: it can't be said now. */
typedef int (*dkim_key_fn)(void *ctx, struct arena *a, struct str name, struct str *ret);

enum dkim_outcome {
    DKIM_OUTCOME_PASS,
    DKIM_OUTCOME_UNSIGNED,  /* no signature of a listed source */
    DKIM_OUTCOME_REFUSED,   /* there is one, and it does not hold */
    DKIM_OUTCOME_UNDECIDED, /* its key could not be looked up */
};
const char *dkim_outcome_name(enum dkim_outcome outcome);

struct dkim_verdict {
    enum dkim_outcome outcome;
    struct str domain; /* the listed d=; absent when DKIM_OUTCOME_UNSIGNED */
    const char *why;   /* in words; static, "" when it passed */
};

/* More signatures of listed sources in one message are not looked at. */
enum { DKIM_SIGNATURES_MAX = 4, DKIM_KEY_MAX = 4096 };

/* domains: lower-case A-labels; they and ctx have to stay. -ENOMEM, -EIO. */
int dkim_verifier_new(const char *const *domains, size_t domains_n, dkim_key_fn key, void *ctx,
                      struct dkim_verifier **ret, struct err *e);
void dkim_verifier_free(struct dkim_verifier *v);

/* Judges a whole message as it was received (a truncated one can't hold: do not ask). from is the
 * address in its From field, as its reader understood it. -ENOMEM. */
int dkim_verifier_check(struct dkim_verifier *v, struct arena *a, struct str message,
                        struct str from, int64_t received, struct dkim_verdict *ret);

#endif
