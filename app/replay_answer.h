/* replay_answer.h - what a replay found, counted by category, and told. */
#ifndef APP_REPLAY_ANSWER_H
#define APP_REPLAY_ANSWER_H

#include "base/str.h"
#include "db/replay.h"

/* The words are those of fixed lists, so there are few of them. */
enum { REPLAY_PAIRS_MAX = 4096, REPLAY_WORD = 40 };

struct replay_answer {
    uint64_t messages, events;
    uint64_t skipped;    /* messages whose reader is not in this program */
    uint64_t reshaped;   /* those whose recipients are read in another way: left alone */
    uint64_t unreadable; /* those that could not be read */
    struct db_replay_counts done;
    struct replay_pair {
        char was[REPLAY_WORD], is[REPLAY_WORD];
        uint64_t events;
    } pairs[REPLAY_PAIRS_MAX];
    size_t pairs_n;
};

/* An event that changes, as it stands and as it is read now. */
struct replay_change {
    struct db_replay_event event;
    struct str was[REPLAY_COLUMNS];
    struct str tenant, stream, address, effect;
    struct str time; /* received_at as text */
};

void replay_count(struct replay_answer *r, const struct replay_change *c);

/* One JSON line of an event; effect: what it does now. */
int replay_print_change(const struct replay_change *c, struct str effect);

/* The table and the counts, or the counts as one JSON line. */
int replay_print(const struct replay_answer *r, bool applied, bool as_json);

#endif
