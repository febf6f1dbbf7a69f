/* replay_tls.c - plays transcripts inside TLS. Usage: replay_tls FILE...
 *
 * Each session of a transcript that knows nothing of TLS begins encrypted; one that says STARTTLS
 * is encrypted from T: on. What is in clear by its nature is left out: no T:, or @in-clear. Played
 * in records of one octet that come octet by octet; in two records cut at every octet of the plain
 * text; and in one record whose wire comes in two pieces, cut at every octet of it. Long ones are
 * cut at CUTS places of each kind, spread over them. The replies are read by the client. */
#include "base/require.h"
#include "receiver/tls.h"
#include "secure.h"
#include "transcript.h"

#include <stdio.h>
#include <stdlib.h>

enum { CUTS = 600 };

struct play {
    const struct transcript *t;
    struct secure *secure;
    struct smtp_session *session;
    struct outcome o;
    struct buf heard; /* by the client */
    struct buf plain; /* what one push decrypts to */
    size_t told;      /* of the replies */
    size_t at;        /* of the client's bytes */
};

static void tell(struct play *p)
{
    struct str replies = str_from(buf_str(&p->o.replies), p->told);
    secure_server_write(p->secure, replies, &p->heard);
    p->told += replies.n;
}

static struct play start(const struct transcript *t, struct secure *secure)
{
    struct play p = {.t = t, .secure = secure};
    buf_init(&p.heard, BYTES_MAX);
    buf_init(&p.plain, BYTES_MAX);
    bool begins_in_clear = t->secured_at < SIZE_MAX;
    p.session = transcript_start(t, !begins_in_clear, &p.o);
    if (begins_in_clear) {
        struct str clear = str_sub(buf_str(&t->client), 0, t->secured_at);
        transcript_feed(t, p.session, clear, &p.o);
        smtp_session_secured(p.session);
        p.at = t->secured_at;
        REQUIRE(buf_add(&p.heard, buf_str(&p.o.replies)) == 0);
        p.told = p.o.replies.n;
    }
    tell(&p);
    return p;
}

/* The client writes the next n octets as one record. */
static void record(struct play *p, size_t n)
{
    secure_client_write(p->secure, str_sub(buf_str(&p->t->client), p->at, p->at + n));
    p->at += n;
}

/* The wire comes in pieces, each but the last of so many octets. */
static void carry(struct play *p, size_t piece, bool once)
{
    struct str wire = secure_wire(p->secure);
    while (wire.n > 0) {
        struct str now = str_sub(wire, 0, piece);
        wire = str_from(wire, now.n);
        buf_clear(&p->plain);
        secure_server_read(p->secure, now, &p->plain);
        transcript_feed(p->t, p->session, buf_str(&p->plain), &p->o);
        tell(p);
        if (once)
            piece = SIZE_MAX;
    }
}

static void end(struct play *p, const char *how)
{
    const struct transcript *t = p->t;
    bool always = t->secured_at == SIZE_MAX && !t->implicit;
    transcript_compare(t, &p->o, always, how);
    transcript_compare_replies(t, t->expected.n, &p->heard, how);
    smtp_session_free(p->session);
    outcome_free(&p->o);
    buf_free(&p->heard);
    buf_free(&p->plain);
}

static size_t play(const struct transcript *t, struct secure *secure)
{
    char how[80];
    size_t plays = 0, n = t->client.n;
    size_t from = t->secured_at < SIZE_MAX ? t->secured_at : 0;
    if (n - from <= 4 * CUTS) {
        struct play p = start(t, secure);
        while (p.at < n) {
            record(&p, 1);
            carry(&p, 1, false);
        }
        end(&p, "inside TLS, octet by octet");
        plays++;
    }
    for (size_t at = from; at <= n; at += (n - from) / CUTS + 1, plays++) {
        struct play p = start(t, secure);
        record(&p, at - from);
        carry(&p, SIZE_MAX, false);
        record(&p, n - at);
        carry(&p, SIZE_MAX, false);
        snprintf(how, sizeof(how), "inside TLS, in records cut at octet %zu", at);
        end(&p, how);
    }
    size_t wire = 1;
    for (size_t at = 1; at <= wire; at += wire / CUTS + 1, plays++) {
        struct play p = start(t, secure);
        record(&p, n - from);
        wire = n - from + 22 * ((n - from) / TLS_RECORD_MAX + 1); /* of TLS 1.3 */
        carry(&p, at, true);
        snprintf(how, sizeof(how), "inside TLS, wire cut at octet %zu", at);
        end(&p, how);
    }
    return plays;
}

int main(int argc, char **argv)
{
    struct secure *secure = secure_new();
    size_t plays = 0, transcripts = 0;
    for (int i = 1; i < argc; i++) {
        struct transcript *t = transcript_read(argv[i]);
        bool of_tls = t->config.starttls || t->config.tls_require;
        if (!t->in_clear && (!of_tls || t->secured_at < SIZE_MAX)) {
            plays += play(t, secure);
            transcripts++;
        }
        transcript_free(t);
    }
    secure_free(secure);
    printf("%zu transcripts, played %zu times\n", transcripts, plays);
    return 0;
}
