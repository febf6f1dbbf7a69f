/* delivered: deliveries that the sender tells, which let soft bounces before them count no longer.
 */
#include "app/by_hand.h"
#include "app/progress.h"
#include "app/time_text.h"
#include "base/address.h"
#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>

enum { BATCH = 5000, BATCH_BYTES = 4 << 20, FIELDS = 4 };

struct told {
    const struct command_line *line;
    struct answer answer;
    struct str tenant;         /* of lines that name none */
    struct buf column[FIELDS]; /* keys, tenants, streams, times: a line each */
    struct progress progress;
    uint64_t n, all, wrong, reset;
};

static int flush(struct told *t)
{
    struct str params[FIELDS];
    uint64_t reset = 0;
    if (t->n == 0)
        return 0;
    for (size_t i = 0; i < FIELDS; i++)
        params[i] = buf_str(&t->column[i]);
    int rc = answer_ask(t->line, &t->answer, DB_DO_DELIVERED, params, FIELDS);
    if (rc == 0 && str_to_u64(answer_cell(&t->answer, 0, "reset"), &reset))
        t->reset += reset;
    for (size_t i = 0; i < FIELDS; i++)
        buf_clear(&t->column[i]);
    t->n = 0;
    progress_step(&t->progress, t->all, 0, clock_monotonic());
    return rc;
}

static int refuse(struct told *t, const char *place, struct str what, const char *expected)
{
    t->wrong++;
    progress_end(&t->progress);
    command_fail(t->line, 0, "%s%.*s: %s", place, STR_ARG(str_sub(what, 0, 254)), expected);
    return 0;
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return s.n <= 255 && str_is_utf8(s);
}

/* The next field; in quotes it may hold a comma (RFC 4180), "" is a quote in it. Written back in
 * place, so line is a copy of ours. */
static bool field(char *line, size_t n, size_t *at, struct str *ret)
{
    size_t from = *at, to = *at;
    bool quoted = from < n && line[from] == '"';
    size_t i = from + quoted;
    for (; i < n && (quoted || line[i] != ','); i++) {
        if (quoted && line[i] == '"') {
            if (i + 1 >= n || line[i + 1] != '"')
                break;
            i++;
        }
        line[to++] = line[i];
    }
    if (quoted && (i >= n || (i + 1 < n && line[i + 1] != ',')))
        return false;
    *ret = str_trim(str_of(line + from, to - from));
    *at = i + quoted + 1;
    return true;
}

/* "address,time[,stream[,tenant]]"; of an argument the time may be left out. */
static int one(struct told *t, const char *place, bool argument, struct str text)
{
    struct arena a = arena_make(256 << 10);
    struct str f[FIELDS] = {{NULL, 0}};
    char *copy = arena_alloc(&a, text.n + 1);
    size_t at = 0, n = 0;
    int64_t when = clock_now();
    int rc = 0;
    if (!copy) {
        arena_free(&a);
        return refuse(t, place, text, "expected a shorter line");
    }
    memcpy(copy, text.p, text.n);
    for (; at <= text.n && n < FIELDS + 1; n++) {
        struct str value;
        if (!field(copy, text.n, &at, &value)) {
            n = FIELDS + 1;
            break;
        }
        if (n < FIELDS)
            f[n] = value;
    }
    struct str key = address_key(&a, f[0]);
    if (n > FIELDS || (n < 2 && !argument))
        refuse(t, place, text, "expected address,time[,stream[,tenant]]");
    else if (str_is_absent(key))
        refuse(t, place, f[0], "expected an address such as user@example.com");
    else if (n > 1 && !time_text_read(f[1], &when))
        refuse(t, place, f[1], "expected a time such as 2026-01-31T08:09:10Z");
    else if (when > clock_now() + CLOCK_DAY)
        refuse(t, place, f[1], "is still to come");
    else if (!is_word(f[2]) || !is_word(f[3]))
        refuse(t, place, text, "expected a stream and a tenant of at most 255 octets of UTF-8");
    else {
        char time[CLOCK_TEXT];
        struct str values[FIELDS] = {key, f[3].n ? f[3] : t->tenant, f[2],
                                     str_c(clock_format_rfc3339(when, time))};
        for (size_t i = 0; rc == 0 && i < FIELDS; i++)
            if (buf_add(&t->column[i], values[i].n ? values[i] : STR("")) < 0 ||
                buf_add_byte(&t->column[i], '\n') < 0)
                rc = command_fail(t->line, -ENOMEM, "out of memory");
        t->n++;
        t->all++;
    }
    arena_free(&a);
    return rc == 0 && t->n == BATCH ? flush(t) : rc;
}

static int delivered(const struct command_line *l)
{
    struct told t = {.line = l};
    struct by_hand_lines in;
    struct str text;
    if (by_hand_lines_open(l, &in) < 0)
        return EXIT_USAGE;
    if (answer_open(l, &t.answer) < 0) {
        by_hand_lines_close(&in);
        return EXIT_NO;
    }
    int rc = by_hand_tenant(l, &t.answer, &t.tenant), code = rc < 0 ? EXIT_USAGE : EXIT_NO;
    for (size_t i = 0; i < FIELDS; i++)
        buf_init(&t.column[i], BATCH_BYTES);
    t.progress = progress_start("deliveries", clock_monotonic());
    while (rc == 0 && by_hand_lines_next(&in, &text))
        /* A heading is what tools write first. */
        if (in.number != 1 || !str_istarts(text, STR("address,")))
            rc = one(&t, in.place, in.file == NULL, text);
    if (rc == 0)
        rc = flush(&t);
    progress_end(&t.progress);
    if (rc == 0 && command_flag(l, "--json"))
        printf("{\"deliveries\":%llu,\"refused\":%llu,\"reset\":%llu}\n", (unsigned long long)t.all,
               (unsigned long long)t.wrong, (unsigned long long)t.reset);
    else if (rc == 0)
        printf("%llu deliveries, %llu refused, %llu scores begin anew\n", (unsigned long long)t.all,
               (unsigned long long)t.wrong, (unsigned long long)t.reset);
    if (rc == 0 && !in.failed && t.wrong == 0)
        code = EXIT_GOOD;
    for (size_t i = 0; i < FIELDS; i++)
        buf_free(&t.column[i]);
    by_hand_lines_close(&in);
    answer_close(&t.answer);
    return code;
}

const struct command commands_delivered[] = {
    {"delivered",
     "ADDRESS[,TIME]...|-",
     0,
     UINT32_MAX,
     "Tell deliveries: soft bounces before them count no longer",
     "Of arguments, standard input (-) or a file of CSV lines address,time[,stream[,tenant]], "
     "with\n"
     "or without that heading. Times are UTC. Lines that are refused are told with their number, "
     "and\n"
     "make the exit code 1; all others count. Tell each delivery once: the circuit breaker counts\n"
     "them.",
     {COMMAND_CONFIG,
      COMMAND_JSON,
      {"--file", "FILE", "the lines of this file"},
      {"--tenant", "NAME", "of lines that name none (needed where there are several)"}},
     delivered},
    {.name = NULL},
};
