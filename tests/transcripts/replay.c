/* replay.c - plays one transcript against the SMTP session. Usage: replay_transcript FILE
 *
 * See transcript.h for the format. Played line by line, when each S must come at its place, then
 * byte by byte, all at once, and cut in two at every byte: always the same replies. */
#include "base/require.h"
#include "transcript.h"

#include <stdio.h>
#include <stdlib.h>

/* Plays these bytes of the client, and the end of the handshake where it stands among them. */
static void play_range(const struct transcript *t, struct smtp_session *s, size_t from, size_t to,
                       struct outcome *o)
{
    struct str bytes = buf_str(&t->client);
    if (!o->secured && t->secured_at >= from && t->secured_at < to) {
        transcript_feed(t, s, str_sub(bytes, from, t->secured_at), o);
        REQUIRE(smtp_session_phase(s) == SMTP_PHASE_TLS); /* else T: without STARTTLS */
        smtp_session_secured(s);
        o->secured = true;
        from = t->secured_at;
    }
    /* A copy of its own lets ASan see a session that keeps a pointer to what was fed. */
    char *copy = malloc(to - from + 1);
    REQUIRE(copy);
    if (to > from)
        memcpy(copy, bytes.p + from, to - from);
    transcript_feed(t, s, str_of(copy, to - from), o);
    free(copy);
}

static void play_lines(const struct transcript *t)
{
    struct outcome o;
    struct smtp_session *s = transcript_start(t, t->implicit, &o);
    for (size_t i = 0; i < t->steps_n; i++) {
        const struct transcript_step *step = &t->steps[i];
        if (step->is_client)
            play_range(t, s, step->from, step->to, &o);
        else if (i + 1 == t->steps_n || t->steps[i + 1].is_client)
            transcript_compare_replies(t, step->to, &o.replies, "line by line");
    }
    transcript_compare(t, &o, false, "line by line");
    smtp_session_free(s);
    outcome_free(&o);
}

static void play_bytes(const struct transcript *t)
{
    struct outcome o;
    struct smtp_session *s = transcript_start(t, t->implicit, &o);
    for (size_t i = 0; i < t->client.n; i++)
        play_range(t, s, i, i + 1, &o);
    transcript_compare(t, &o, false, "byte by byte");
    smtp_session_free(s);
    outcome_free(&o);
}

static void play_cut(const struct transcript *t, size_t at)
{
    struct outcome o;
    struct smtp_session *s = transcript_start(t, t->implicit, &o);
    play_range(t, s, 0, at, &o);
    play_range(t, s, at, t->client.n, &o);
    char how[64];
    snprintf(how, sizeof(how), "cut at byte %zu", at);
    transcript_compare(t, &o, false, how);
    smtp_session_free(s);
    outcome_free(&o);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE\n", argv[0]);
        return 2;
    }
    struct transcript *t = transcript_read(argv[1]);
    play_lines(t);
    play_bytes(t);
    /* Every cut of a short transcript; of a long one a few thousand, spread over it. */
    size_t stride = t->client.n / 4000 + 1;
    for (size_t at = 0; at <= t->client.n; at += stride)
        play_cut(t, at);
    transcript_free(t);
    return 0;
}
