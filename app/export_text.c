#include "app/export_text.h"

#include "app/time_text.h"

#include <inttypes.h>

static const char *const names[EXPORT_COLUMNS] = {
#define X(id, name) name,
    DB_EXPORT_COLUMNS(X)
#undef X
};

bool export_format_parse(struct str name, enum export_format *ret)
{
    static const char *const formats[] = {
#define X(id, name) name,
        EXPORT_FORMATS(X)
#undef X
    };
    for (size_t i = 0; i < EXPORT_FORMATS_N; i++)
        if (str_eq(name, str_c(formats[i]))) {
            *ret = (enum export_format)i;
            return true;
        }
    return false;
}

bool export_is_of_one_kind(enum export_format f)
{
    return f == EXPORT_SENDGRID || f == EXPORT_MAILGUN || f == EXPORT_MAILCHIMP;
}

/* ---- CSV (RFC 4180) ---- */

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r')
            return true;
    /* Readers cut white space that is not quoted. */
    return s.n && (ascii_is_space(s.p[0]) || ascii_is_space(s.p[s.n - 1]));
}

static int add_cell(struct buf *out, struct str s)
{
    if (!needs_quotes(s))
        return buf_add(out, s);
    int rc = buf_add_byte(out, '"');
    while (rc == 0 && s.n) {
        size_t quote = str_chr(s, '"', 0);
        rc = buf_add(out, str_sub(s, 0, quote < s.n ? quote + 1 : quote));
        if (rc == 0 && quote < s.n)
            rc = buf_add_byte(out, '"');
        s = str_from(s, quote + 1);
    }
    return rc == 0 ? buf_add_byte(out, '"') : rc;
}

static int add_cells(struct buf *out, const struct str *cells, size_t n)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (i)
            rc = buf_add_byte(out, ',');
        if (rc == 0)
            rc = add_cell(out, cells[i]);
    }
    return rc;
}

static int add_line(struct buf *out, const struct str *cells, size_t n)
{
    int rc = add_cells(out, cells, n);
    return rc == 0 ? buf_add(out, STR("\r\n")) : rc;
}

/* ---- NDJSON: what comes from PostgreSQL is UTF-8, so only quotes and controls need care ---- */

static int add_json_text(struct buf *out, struct str s)
{
    int rc = buf_add_byte(out, '"');
    while (rc == 0 && s.n) {
        size_t plain = 0;
        while (plain < s.n && (uint8_t)s.p[plain] >= 0x20 && s.p[plain] != '"' &&
               s.p[plain] != '\\')
            plain++;
        rc = buf_add(out, str_sub(s, 0, plain));
        if (rc == 0 && plain < s.n)
            rc = buf_fmt(out, "\\u%04x", (unsigned)(uint8_t)s.p[plain]);
        s = str_from(s, plain + 1);
    }
    return rc == 0 ? buf_add_byte(out, '"') : rc;
}

static int add_object(struct buf *out, const struct str cells[EXPORT_COLUMNS])
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < EXPORT_COLUMNS; i++) {
        rc = buf_add(out, i ? STR(",\"") : STR("{\""));
        if (rc == 0)
            rc = buf_add(out, str_c(names[i]));
        if (rc == 0)
            rc = buf_add(out, STR("\":"));
        if (rc == 0)
            rc = str_is_absent(cells[i]) ? buf_add(out, STR("null")) : add_json_text(out, cells[i]);
    }
    return rc == 0 ? buf_add(out, STR("}\n")) : rc;
}

/* ---- what providers call it ---- */

static bool is(struct str s, const char *word)
{
    return str_eq(s, str_c(word));
}

static struct str unix_time(struct str time, char text[24])
{
    int64_t t = 0;
    time_text_read(time, &t);
    snprintf(text, 24, "%" PRId64, t / CLOCK_SECOND);
    return str_c(text);
}

/* Mailgun: the code that the words begin with; 550 where there is none. */
static struct str code_of(struct str words)
{
    uint32_t n;
    struct str code = str_sub(words, 0, 3);
    return str_to_u32(code, &n) && n >= 400 && n < 600 ? code : STR("550");
}

static int ses_row(const struct str c[EXPORT_COLUMNS], struct buf *out, bool *ret_said)
{
    const struct str cells[] = {c[EXPORT_ADDRESS],
                                is(c[EXPORT_KIND], "complaint") ? STR("COMPLAINT") : STR("BOUNCE"),
                                c[EXPORT_EVENT_AT]};
    /* It knows no other reasons. */
    *ret_said = is(c[EXPORT_KIND], "bounce") || is(c[EXPORT_KIND], "complaint");
    return *ret_said ? add_line(out, cells, 3) : 0;
}

static int postmark_row(const struct str c[EXPORT_COLUMNS], struct buf *out)
{
    struct str kind = c[EXPORT_KIND];
    const struct str cells[] = {c[EXPORT_ADDRESS],
                                is(kind, "bounce")      ? STR("HardBounce")
                                : is(kind, "complaint") ? STR("SpamComplaint")
                                                        : STR("ManualSuppression"),
                                is(kind, "other") ? STR("Customer") : STR("Recipient"),
                                c[EXPORT_EVENT_AT]};
    return add_line(out, cells, 4);
}

static int sparkpost_row(const struct str c[EXPORT_COLUMNS], struct buf *out)
{
    struct str kind = c[EXPORT_KIND];
    bool wide = is(kind, "bounce") || is(kind, "other");
    const struct str cells[] = {c[EXPORT_ADDRESS],
                                wide ? STR("true") : STR("false"),
                                STR("true"),
                                wide ? STR("transactional") : STR("non_transactional"),
                                is(kind, "bounce")        ? STR("Bounce Rule")
                                : is(kind, "complaint")   ? STR("Spam Complaint")
                                : is(kind, "unsubscribe") ? STR("Unsubscribe Link")
                                                          : STR("Manually Added"),
                                is(kind, "bounce") ? c[EXPORT_DIAGNOSTIC] : c[EXPORT_REASON],
                                c[EXPORT_EVENT_AT]};
    return add_line(out, cells, 7);
}

/* The lists of one kind: bounces have words, the others address and time. */
static int listed_row(enum export_format f, const struct str c[EXPORT_COLUMNS], struct buf *out)
{
    char text[24];
    bool bounce = is(c[EXPORT_KIND], "bounce");
    struct str address = c[EXPORT_ADDRESS], at = c[EXPORT_EVENT_AT], words = c[EXPORT_DIAGNOSTIC];
    if (f == EXPORT_SENDGRID) {
        const struct str cells[] = {address, unix_time(at, text),
                                    is(c[EXPORT_KIND], "complaint") ? STR("") : words,
                                    c[EXPORT_STATUS]};
        return add_line(out, cells, bounce ? 4 : is(c[EXPORT_KIND], "complaint") ? 3 : 2);
    }
    if (f == EXPORT_MAILCHIMP) {
        const struct str cells[] = {address, at};
        return add_line(out, cells, 2);
    }
    const struct str bounces[] = {address, code_of(words), words, at};
    const struct str others[] = {address, STR("*"), at};
    return bounce                              ? add_line(out, bounces, 4)
           : is(c[EXPORT_KIND], "unsubscribe") ? add_line(out, others, 3)
                                               : add_line(out, (struct str[]){address, at}, 2);
}

static const char *header_of(enum export_format f, struct str kind)
{
    bool bounce = is(kind, "bounce"), complaint = is(kind, "complaint");
    switch (f) {
    case EXPORT_SES:
        return "EmailAddress,Reason,LastUpdateTime\r\n";
    case EXPORT_POSTMARK:
        return "EmailAddress,SuppressionReason,Origin,CreatedAt\r\n";
    case EXPORT_SPARKPOST:
        return "recipient,transactional,non_transactional,type,source,description,created\r\n";
    case EXPORT_SENDGRID:
        return bounce      ? "email,created,reason,status\r\n"
               : complaint ? "email,created,ip\r\n"
                           : "email,created\r\n";
    case EXPORT_MAILGUN:
        return bounce      ? "address,code,error,created_at\r\n"
               : complaint ? "address,created_at\r\n"
                           : "address,tags,created_at\r\n";
    default:
        return bounce ? "Email Address,CLEAN_TIME\r\n" : "Email Address,UNSUB_TIME\r\n";
    }
}

int export_header(enum export_format f, struct str kind, struct str cursor, int64_t now,
                  struct buf *out)
{
    char text[CLOCK_TEXT];
    int rc = 0;
    if (f == EXPORT_NDJSON) {
        rc = buf_add(out, STR("{\"format\":\"bouncemx\",\"cursor\":"));
        if (rc == 0)
            rc = add_json_text(out, cursor);
        return rc == 0 ? buf_fmt(out, ",\"at\":\"%s\"}\n", clock_format_rfc3339(now, text)) : rc;
    }
    if (f > EXPORT_NDJSON)
        return buf_add(out, str_c(header_of(f, kind)));
    for (size_t i = 0; rc == 0 && i < EXPORT_COLUMNS; i++) {
        rc = buf_add(out, str_c(names[i]));
        if (rc == 0)
            rc = buf_add_byte(out, ',');
    }
    if (rc == 0)
        rc = buf_add(out, STR("cursor:"));
    if (rc == 0)
        rc = buf_add(out, cursor);
    return rc == 0 ? buf_add(out, STR("\r\n")) : rc;
}

int export_row(enum export_format f, struct str kind, const struct str cells[EXPORT_COLUMNS],
               struct buf *out, bool *ret_said)
{
    *ret_said = true;
    switch (f) {
    case EXPORT_NDJSON:
        return add_object(out, cells);
    case EXPORT_SES:
        return ses_row(cells, out, ret_said);
    case EXPORT_POSTMARK:
        return postmark_row(cells, out);
    case EXPORT_SPARKPOST:
        return sparkpost_row(cells, out);
    case EXPORT_SENDGRID:
    case EXPORT_MAILGUN:
    case EXPORT_MAILCHIMP:
        *ret_said = str_eq(kind, cells[EXPORT_KIND]);
        return *ret_said ? listed_row(f, cells, out) : 0;
    default: {
        int rc = add_cells(out, cells, EXPORT_COLUMNS);
        return rc == 0 ? buf_add(out, STR(",\r\n")) : rc;
    }
    }
}
