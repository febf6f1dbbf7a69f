/* report_check.h - what holds for every report, whatever the message was. */
#ifndef TESTS_SUPPORT_REPORT_CHECK_H
#define TESTS_SUPPORT_REPORT_CHECK_H

#include "base/address.h"
#include "base/require.h"
#include "parser/report.h"

static inline void report_check_text(struct str s, size_t max)
{
    REQUIRE(s.n <= max);
    REQUIRE(s.n == 0 || s.p != NULL);
    REQUIRE(str_is_utf8(s));
    REQUIRE(str_chr(s, '\0', 0) == s.n && str_chr(s, '\r', 0) == s.n && str_chr(s, '\n', 0) == s.n);
}

static inline void report_check(const struct report *r, const struct report_limits *limits)
{
    size_t max = limits->text_bytes;
    REQUIRE((size_t)r->kind < REPORT_KIND_COUNT && r->reader);
    REQUIRE(r->recipients_n <= limits->recipients);
    if (r->kind == REPORT_BOUNCE || r->kind == REPORT_DELAYED || r->kind == REPORT_DELIVERED)
        REQUIRE(r->recipients_n > 0);
    for (size_t i = 0; i < r->recipients_n; i++) {
        const struct report_recipient *to = &r->recipients[i];
        REQUIRE((size_t)to->action < REPORT_ACTION_COUNT);
        REQUIRE(to->reply_code == 0 || (to->reply_code >= 200 && to->reply_code < 600));
        REQUIRE(to->status.n == 0 || (to->status.n >= 5 && to->status.n <= 9));
        report_check_text(to->original_recipient, ADDRESS_MAX);
        report_check_text(to->final_recipient, ADDRESS_MAX);
        report_check_text(to->status, max);
        report_check_text(to->diagnostic, max);
        report_check_text(to->remote_mta, max);
    }
    const struct str texts[] = {r->reporting_mta,
                                r->arrival_date,
                                r->envelope_id,
                                r->feedback_type,
                                r->user_agent,
                                r->source_ip,
                                r->original.message_id,
                                r->original.date,
                                r->original.feedback_id,
                                r->original.list_id,
                                r->original.list_unsubscribe};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        report_check_text(texts[i], max);
    const struct str addresses[] = {r->from, r->original.from, r->original.to,
                                    r->original.return_path, r->original.mail_from};
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
        report_check_text(addresses[i], ADDRESS_MAX);
    REQUIRE(r->original.kept_n <= REPORT_KEPT_MAX);
    for (size_t i = 0; i < r->original.kept_n; i++)
        report_check_text(r->original.kept[i].value, max);
    enum { SUBJECT_MAX = 1000 };
    report_check_text(r->subject, SUBJECT_MAX);
}

/* Reads head + data + tail as one message and checks what comes of it. */
static inline void report_check_message(const char *head, const void *data, size_t n,
                                        const char *tail)
{
    static bool ready;
    if (!ready)
        report_init();
    ready = true;
    struct arena a = arena_make((size_t)64 << 20);
    size_t head_n = strlen(head), tail_n = strlen(tail);
    char *p = arena_alloc(&a, head_n + n + tail_n);
    REQUIRE(p != NULL);
    memcpy(p, head, head_n);
    if (n > 0)
        memcpy(p + head_n, data, n);
    memcpy(p + head_n + n, tail, tail_n);
    struct report *r = NULL;
    struct err e;
    REQUIRE(report_read(&a, str_of(p, head_n + n + tail_n), &report_limits_default, &r, &e) == 0);
    report_check(r, &report_limits_default);
    arena_free(&a);
}

#endif
