/* PowerMTA's accounting files: CSV with a line of headings, which may stand again in the middle
 * when files were put together. libcsv stays here. */
#include "ingest/reader.h"

#include <csv.h>
#include <errno.h>

enum { FIELDS_MAX = 256 };

/* X(id, heading) */
#define COLUMNS(X)               \
    X(TYPE, "type")              \
    X(TIME_LOGGED, "timeLogged") \
    X(ORIG, "orig")              \
    X(RCPT, "rcpt")              \
    X(ORCPT, "orcpt")            \
    X(DSN_STATUS, "dsnStatus")   \
    X(DSN_DIAG, "dsnDiag")       \
    X(DSN_MTA, "dsnMta")         \
    X(JOB_ID, "jobId")           \
    X(ENV_ID, "envId")           \
    X(MESSAGE_ID, "header_Message-Id")

enum column {
#define X(id, heading) id,
    COLUMNS(X)
#undef X
        COLUMNS_N
};

static const struct str headings[COLUMNS_N] = {
#define X(id, heading) STR_INIT(heading),
    COLUMNS(X)
#undef X
};

struct powermta {
    struct csv_parser parser;
    const struct ingest_clock *clock;
    size_t place[COLUMNS_N]; /* of each column in a line; FIELDS_MAX: it has none */
    bool headed;
};

static void powermta_free(void *state)
{
    struct powermta *p = state;
    csv_free(&p->parser);
    free(p);
}

static void *powermta_make(const struct ingest_clock *clock)
{
    struct powermta *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->clock = clock;
    if (csv_init(&p->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        free(p);
        return NULL;
    }
    return p;
}

/* ---- the fields of a line ---- */

struct fields {
    struct arena *a;
    struct str list[FIELDS_MAX];
    size_t n;
};

static void on_field(void *bytes, size_t n, void *ctx)
{
    struct fields *f = ctx;
    if (f->n < FIELDS_MAX)
        f->list[f->n++] = ingest_text(f->a, str_trim(arena_str(f->a, str_of(bytes, n))));
}

static int split(struct powermta *p, struct str line, struct fields *f, struct err *e)
{
    bool good = csv_parse(&p->parser, line.p, line.n, on_field, NULL, f) == line.n;
    good = good && csv_fini(&p->parser, on_field, NULL, f) == 0;
    if (good)
        return 0;
    int why = csv_error(&p->parser);
    csv_free(&p->parser);
    csv_init(&p->parser, CSV_STRICT | CSV_STRICT_FINI);
    if (why == CSV_ENOMEM)
        return err_set(e, -ENOMEM, "out of memory");
    return err_set(e, -EINVAL,
                   "a quote (\") that is not closed, or stands in the middle of a "
                   "field: expected comma separated values");
}

static struct str field(const struct powermta *p, const struct fields *f, enum column c)
{
    struct str s = p->place[c] < f->n ? f->list[p->place[c]] : STR("");
    return s.n ? s : (struct str){NULL, 0};
}

/* ---- lines ---- */

static int head(struct powermta *p, const struct fields *f, struct err *e)
{
    static const enum column needed[] = {TYPE, TIME_LOGGED, RCPT, DSN_STATUS, DSN_DIAG};
    size_t place[COLUMNS_N];
    for (size_t c = 0; c < COLUMNS_N; c++) {
        place[c] = FIELDS_MAX;
        for (size_t i = 0; i < f->n && place[c] == FIELDS_MAX; i++)
            if (str_ieq(f->list[i], headings[c]))
                place[c] = i;
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (place[needed[i]] == FIELDS_MAX)
            return err_set(e, -EINVAL,
                           "there is no column %.*s: expected a line of headings with "
                           "type, timeLogged, rcpt, dsnStatus and dsnDiag first",
                           STR_ARG(headings[needed[i]]));
    memcpy(p->place, place, sizeof(place));
    p->headed = true;
    return 0;
}

/* What comes back as mail (rb, rs) or from feedback loops (f) comes to us as well. */
static bool kind_read(struct str type, enum ingest_kind *ret)
{
    static const struct {
        struct str type;
        enum ingest_kind kind;
    } t[] = {{STR_INIT("d"), INGEST_SENT},     {STR_INIT("b"), INGEST_BOUNCED},
             {STR_INIT("t"), INGEST_DEFERRED}, {STR_INIT("tq"), INGEST_DEFERRED},
             {STR_INIT("r"), INGEST_OTHER},    {STR_INIT("rb"), INGEST_OTHER},
             {STR_INIT("rs"), INGEST_OTHER},   {STR_INIT("f"), INGEST_OTHER},
             {STR_INIT("p"), INGEST_OTHER}};
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (str_eq(type, t[i].type)) {
            *ret = t[i].kind;
            return true;
        }
    return false;
}

/* "5.1.1 (bad destination mailbox address)": the code alone. */
static struct str status_of(struct str s)
{
    struct str code = str_cut(&s, ' ');
    return code.n ? code : (struct str){NULL, 0};
}

/* "smtp;550 5.1.1 ..." */
static struct str diagnostic_of(struct str s)
{
    return str_istarts(s, STR("smtp;")) ? str_trim(str_from(s, 5)) : s;
}

/* "mx.example (192.0.2.1)" */
static void host_split(struct str s, struct ingest_record *r)
{
    size_t open = str_chr(s, '(', 0), close = str_chr(s, ')', open);
    struct str host = str_trim(str_sub(s, 0, open));
    if (host.n)
        r->remote_host = host;
    if (close < s.n)
        r->remote_ip = str_sub(s, open + 1, close);
}

static struct str unbracketed(struct str s)
{
    return s.n > 1 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? str_sub(s, 1, s.n - 1) : s;
}

static int record(const struct powermta *p, struct arena *a, const struct fields *f,
                  enum ingest_kind kind, struct str line, struct ingest_records *ret, struct err *e)
{
    struct ingest_record *r = ARENA_NEW(a, struct ingest_record);
    struct str time = field(p, f, TIME_LOGGED);
    if (!r)
        return 0; /* the arena remembers */
    if (!ingest_time_iso(p->clock, &time, &r->time))
        return err_set(e, -EINVAL,
                       "timeLogged \"%.*s\": expected a time such as 2026-11-24 "
                       "01:02:03+0100",
                       STR_ARG(str_sub(time, 0, 40)));
    r->recipient = unbracketed(field(p, f, RCPT));
    if (!r->recipient.n)
        return err_set(e, -EINVAL, "rcpt is empty: expected an address");
    r->kind = kind;
    r->orig_to = field(p, f, ORCPT);
    r->sender = p->place[ORIG] < f->n ? unbracketed(f->list[p->place[ORIG]]) : r->sender;
    r->queue_id = field(p, f, ENV_ID);
    r->campaign = field(p, f, JOB_ID);
    r->message_id = unbracketed(field(p, f, MESSAGE_ID));
    host_split(field(p, f, DSN_MTA), r);
    r->status = status_of(field(p, f, DSN_STATUS));
    r->text = diagnostic_of(field(p, f, DSN_DIAG));
    ingest_codes(r->text, &r->reply_code, &r->status);
    r->evidence = arena_str(a, line);
    *ret = (struct ingest_records){r, 1, false};
    return 0;
}

static int powermta_read(void *state, struct arena *a, struct str line, struct ingest_records *ret,
                         struct err *e)
{
    struct powermta *p = state;
    struct fields f = {.a = a};
    enum ingest_kind kind;
    int rc = split(p, line, &f, e);
    if (rc < 0)
        return rc;
    if (!p->headed || (f.n && str_ieq(f.list[0], STR("type"))))
        return head(p, &f, e);
    struct str type = field(p, &f, TYPE);
    if (!kind_read(type, &kind))
        return err_set(e, -EINVAL, "type \"%.*s\": expected one of PowerMTA's, such as b or d",
                       STR_ARG(str_sub(type, 0, 40)));
    return kind == INGEST_OTHER ? 0 : record(p, a, &f, kind, line, ret, e);
}

const struct ingest_ops ingest_powermta = {powermta_make, powermta_free, powermta_read};
