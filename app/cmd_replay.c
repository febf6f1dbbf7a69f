/* replay: stored mail through today's reader and rules; what would change, or changes it. */
#include "app/progress.h"
#include "app/replay_answer.h"
#include "app/stored.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

enum {
    PAGE = 200,  /* messages asked for at once; the database bounds their bytes */
    BATCH = 300, /* events written in one transaction */
    BATCH_BYTES = 16 << 20,
    ARENA_MAX = 512 << 20,
};

struct replay {
    const struct command_line *line;
    bool apply;
    int64_t since, until, now;
    uint64_t limit; /* messages; 0: all */
    struct str stream;
    struct answer messages;
    struct answer events; /* beside it: on the same connection */
    size_t event;         /* the next one of the page */
    struct reading_kit kit;
    struct db_replay_job job;
    struct arena reading; /* of one message */
    struct arena arena;   /* of the batch */
    struct replay_change changes[BATCH];
    size_t changes_n;
    struct replay_answer said;
};

/* ---- a batch ---- */

static int put_batch(struct replay *r, struct err *e)
{
    struct db_replay_event events[BATCH];
    struct str effects, effect;
    for (size_t i = 0; i < r->changes_n; i++)
        events[i] = r->changes[i].event;
    int rc = r->changes_n == 0 ? 0
                               : db_replay_apply(r->messages.db, &r->arena, &r->job, events,
                                                 r->changes_n, r->now, &r->said.done, &effects, e);
    for (size_t i = 0; rc == 0 && i < r->changes_n; i++) {
        replay_count(&r->said, &r->changes[i]);
        effect = str_cut(&effects, ' ');
        if (command_flag(r->line, "--json") && replay_print_change(&r->changes[i], effect) < 0)
            rc = err_set(e, -EIO, "standard output");
    }
    r->changes_n = 0;
    arena_reset(&r->arena);
    return rc;
}

static struct str cell(const struct replay *r, const char *column)
{
    return answer_cell(&r->events, r->event, column);
}

static bool is_same(struct str a, struct str b)
{
    return str_is_absent(a) == str_is_absent(b) && str_eq(a, b);
}

/* Confidence is bounded by how sure the address is, and that was settled when the mail came. */
static void cap(struct str was, struct str *confidence)
{
    if (str_eq(*confidence, STR("high")))
        *confidence = str_eq(was, STR("high")) ? was : STR("medium");
}

static int compare(struct replay *r, const struct db_message *m, struct id id, struct err *e)
{
    static const char *const names[REPLAY_COLUMNS] = {
#define X(id, name) name,
        DB_REPLAY_COLUMNS(X)
#undef X
    };
    struct replay_change *c = &r->changes[r->changes_n];
    struct str is[REPLAY_COLUMNS];
    struct arena *a = &r->arena;
    bool changed = false;
    int rc = db_replay_texts(&r->reading, &m->events[id_ordinal(id) - 1], is);
    if (rc < 0)
        return err_set(e, rc, "out of memory");
    if (str_eq(cell(r, "capped"), STR("true")))
        cap(cell(r, "confidence"), &is[REPLAY_CONFIDENCE]);
    for (size_t i = 0; i < REPLAY_COMPARED; i++)
        changed |= !is_same(cell(r, names[i]), is[i]);
    r->said.events++;
    if (!changed)
        return 0;
    *c = (struct replay_change){.event = {.id = id, .received_at = m->received_at}};
    for (size_t i = 0; i < REPLAY_COLUMNS; i++)
        c->event.texts[i] = arena_str(a, is[i]);
    for (size_t i = 0; i < REPLAY_COMPARED; i++)
        c->was[i] = arena_str(a, cell(r, names[i]));
    c->tenant = arena_str(a, cell(r, "tenant"));
    c->stream = arena_str(a, cell(r, "stream"));
    c->address = arena_str(a, cell(r, "address"));
    c->effect = arena_str(a, cell(r, "effect"));
    c->time = arena_str(a, cell(r, "received_at"));
    if (rc == 0 && str_is_absent(cell(r, "token")) && !str_is_absent(cell(r, "address_key")))
        rc = db_replay_content(a, m->body, c->tenant, c->stream, cell(r, "address_key"),
                               &c->event.content);
    if (rc < 0 || arena_failed(a))
        return err_set(e, -ENOMEM, "out of memory");
    if (++r->changes_n == BATCH || a->used > BATCH_BYTES)
        return put_batch(r, e);
    return 0;
}

/* ---- a message ---- */

static bool is_of(struct id message, struct id event)
{
    return id_eq(id_with_ordinal(event, 0), message);
}

/* Are the events that stand those that are read today? They are, where each names the recipient
 * that it named; one that named none may name one now, when there are as many as there were. */
static int has_shape(struct replay *r, const struct db_message *m, size_t events_n, bool *ret)
{
    unsigned last = 0;
    bool unnamed = false, good = true;
    size_t first = r->event;
    int rc = 0;
    for (; rc == 0 && good && r->event < first + events_n; r->event++) {
        struct id id;
        struct str was = cell(r, "final_recipient"), is;
        good = id_parse(cell(r, "id"), &id) && id_ordinal(id) <= m->events_n;
        if (!good)
            break;
        last = id_ordinal(id);
        unnamed |= str_is_absent(was);
        rc = db_replay_recipient(&r->reading, &m->events[last - 1], &is);
        good = str_is_absent(was) || str_eq(was, is);
    }
    r->event = first;
    *ret = good && (!unnamed || last == m->events_n);
    return rc;
}

/* Behind the events of earlier messages; how many there are of this one. */
static size_t find_events(struct replay *r, struct id message)
{
    size_t n = 0;
    struct id id;
    while (r->event < r->events.table.rows_n && id_parse(cell(r, "id"), &id) &&
           memcmp(id.b, message.b, sizeof(id.b)) < 0)
        r->event++;
    size_t first = r->event;
    while (r->event < r->events.table.rows_n && id_parse(cell(r, "id"), &id) &&
           is_of(message, id)) {
        r->event++;
        n++;
    }
    r->event = first;
    return n;
}

/* Records of a sender's log are not mail, and have readers of their own. */
static bool is_mail(struct str reader)
{
    static const char *const logs[] = {"postfix-log", "kumomta-json", "powermta-csv"};
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++)
        if (str_eq(reader, str_c(logs[i])))
            return false;
    return true;
}

static int replay_message(struct replay *r, size_t row, struct err *e)
{
    struct spool_record record;
    struct db_message m;
    bool good = false;
    r->said.messages++;
    if (!is_mail(answer_cell(&r->messages, row, "reader"))) {
        r->said.skipped++;
        return 0;
    }
    arena_reset(&r->reading);
    int rc = stored_record(&r->messages, row, r->kit.reading.returnpath, &r->reading, &record, e);
    if (rc == 0)
        rc = reading_message(&r->kit.reading, &r->reading, &record, &m, e);
    size_t n = rc == 0 ? find_events(r, m.id) : 0;
    if (rc == 0)
        rc = has_shape(r, &m, n, &good);
    if (rc == -ENOMEM) {
        r->said.unreadable++;
        return 0;
    }
    if (rc == 0 && !good)
        r->said.reshaped++;
    for (size_t end = r->event + n; rc == 0 && good && r->event < end; r->event++) {
        struct id id;
        if (id_parse(cell(r, "id"), &id) &&
            (str_is_absent(r->stream) || str_eq(cell(r, "stream"), r->stream)))
            rc = compare(r, &m, id, e);
    }
    return rc;
}

/* ---- pages ---- */

static uint64_t count_messages(struct replay *r)
{
    char text[2][24];
    const struct str params[] = {answer_time(r->since, text[0]), answer_time(r->until, text[1])};
    uint64_t n = 0;
    if (!str_is_absent(r->stream) ||
        answer_ask(r->line, &r->messages, DB_ASK_REPLAY_COUNT, params, 2) < 0 ||
        !str_to_u64(answer_cell(&r->messages, 0, "count"), &n))
        return 0;
    return r->limit && r->limit < n ? r->limit : n;
}

/* The next page: messages, and their events. Negative after a message. */
static int ask_page(struct replay *r, struct str after)
{
    char text[3][24];
    uint64_t room = r->limit ? r->limit - r->said.messages : PAGE;
    struct str times[] = {answer_time(r->since, text[0]), answer_time(r->until, text[1])};
    const struct str page[] = {times[0], times[1], r->stream, after,
                               answer_time((int64_t)(room < PAGE ? room : PAGE), text[2])};
    int rc = answer_ask(r->line, &r->messages, DB_ASK_REPLAY_MESSAGES, page, 5);
    size_t n = r->messages.table.rows_n;
    if (rc < 0 || n == 0)
        return rc;
    const struct str which[] = {times[0], times[1], answer_cell(&r->messages, 0, "id"),
                                answer_cell(&r->messages, n - 1, "id")};
    r->event = 0;
    return answer_ask(r->line, &r->events, DB_ASK_REPLAY_EVENTS, which, 4);
}

static int replay_all(struct replay *r)
{
    struct progress bar = progress_start("messages", clock_monotonic());
    uint64_t total = bar.on ? count_messages(r) : 0;
    char last[ID_TEXT] = "";
    struct err e;
    int rc = 0;
    while (rc == 0 && (!r->limit || r->said.messages < r->limit)) {
        rc = ask_page(r, *last ? str_c(last) : (struct str){NULL, 0});
        size_t n = r->messages.table.rows_n;
        if (rc < 0 || n == 0)
            break;
        for (size_t i = 0; rc == 0 && i < n; i++) {
            rc = replay_message(r, i, &e);
            progress_step(&bar, r->said.messages, total, clock_monotonic());
        }
        if (rc == 0)
            rc = put_batch(r, &e);
        if (rc < 0)
            command_fail(r->line, 0, "%s", e.text);
        snprintf(last, sizeof(last), "%.*s", STR_ARG(answer_cell(&r->messages, n - 1, "id")));
    }
    progress_end(&bar);
    return rc;
}

/* ---- what was asked for ---- */

static int read_options(struct replay *r)
{
    const struct command_line *l = r->line;
    r->now = clock_now();
    r->apply = command_flag(l, "--apply");
    r->stream = str_c(command_value(l, "--stream"));
    if (command_moment(l, "--since", r->now, 0, &r->since) < 0 ||
        command_moment(l, "--until", r->now, r->now, &r->until) < 0 ||
        command_number(l, "--limit", 1, INT64_MAX, 0, &r->limit) < 0)
        return -EINVAL;
    if (r->since >= r->until)
        return command_fail(l, -EINVAL, "--since: expected a time before that of --until");
    if (r->apply && (!command_value(l, "--reason") || !command_value(l, "--actor")))
        return command_fail(l, -EINVAL,
                            "--apply: expected --reason and --actor: why, and who does it");
    r->job = (struct db_replay_job){.id = id_random(),
                                    .reason = str_c(r->apply ? command_value(l, "--reason") : "-"),
                                    .actor = str_c(r->apply ? command_value(l, "--actor") : "-"),
                                    .dry = !r->apply};
    if (!r->job.reason.n || !r->job.actor.n)
        return command_fail(l, -EINVAL, "--reason and --actor: expected text that is not empty");
    return 0;
}

/* What the audit says that was replayed. */
static void name_job(struct replay *r, char *text, size_t room)
{
    char since[CLOCK_TEXT], until[CLOCK_TEXT];
    const char *rules = command_value(r->line, "--rules");
    const char *stream = command_value(r->line, "--stream");
    snprintf(text, room, "events from %s to %s%s%s%s%s", clock_format_rfc3339(r->since, since),
             clock_format_rfc3339(r->until, until), stream ? ", stream " : "", stream ? stream : "",
             rules ? ", rules " : "", rules ? rules : "");
    r->job.object = str_c(text);
}

static int replay(const struct command_line *l)
{
    char object[1024];
    struct err e;
    struct replay *r = calloc(1, sizeof(*r));
    if (!r)
        return command_fail(l, EXIT_NO, "out of memory");
    r->line = l;
    r->reading = arena_make(READING_ARENA_MAX);
    r->arena = arena_make(ARENA_MAX);
    int code = EXIT_USAGE;
    if (read_options(r) < 0)
        goto out;
    name_job(r, object, sizeof(object));
    code = EXIT_NO;
    if (answer_open(l, &r->messages) < 0)
        goto out;
    r->events = (struct answer){.db = r->messages.db, .arena = arena_make(ARENA_MAX)};
    int rc = reading_open(r->messages.config, command_value(l, "--rules"), &r->kit, &e);
    if (rc < 0) {
        command_fail(l, 0, "%s", e.text);
        goto out;
    }
    /* Whose an event is does not change, so nothing is asked of the DNS. */
    r->kit.reading.is_signed = NULL;
    r->kit.reading.uncapped = true;
    rc = replay_all(r);
    if (replay_print(&r->said, r->apply, command_flag(l, "--json")) == 0 && rc == 0)
        code = EXIT_GOOD;
out:
    reading_close(&r->kit);
    arena_free(&r->events.arena);
    arena_free(&r->reading);
    arena_free(&r->arena);
    answer_close(&r->messages);
    free(r);
    return code;
}

const struct command commands_replay[] = {
    {"replay",
     "",
     0,
     0,
     "Read stored mail again with today's rules",
     "Each message whose raw mail is kept is read as if it came now, and its events are compared\n"
     "with those that stand. Without --apply it is a dry run: what would change is counted by\n"
     "category, with the rows of the list that would come and go, and nothing is written. With\n"
     "--apply the events get their new verdicts and the list follows by today's policy. Whose an\n"
     "event is does not change, what a person undid stays undone, no token counts twice, and\n"
     "reports of past days keep their counts. What was interrupted is run again. TIME is a day\n"
     "(2026-01-31), a time (2026-01-31T08:09:10Z), or how long ago (24h).",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--since", "TIME", "received from then on (default: all whose mail is kept)"},
      {"--until", "TIME", "received before (default: now)"},
      {"--stream", "NAME", "only events of this stream"},
      {"--limit", "N", "at most so many messages, the oldest first"},
      {"--rules", "PATH", "rule file or directory, in place of those of the configuration"},
      {"--apply", NULL, "write it; without it nothing is written"},
      {"--reason", "TEXT", "why; stands in the audit and in the changes of the list"},
      {"--actor", "NAME", "who does it"}},
     replay},
    {.name = NULL},
};
