/* What a delivery wrote on top of a stored message: its envelope and its time. */
#include "app/mail_ingest.h"
#include "base/clock.h"

enum { HEADER_BYTES = 256 << 10, HEADERS_MAX = 200, DATE_MAX = 200 };

/* ---- dates ---- */

static bool number(struct str word, size_t least, size_t most, uint32_t max, uint32_t *ret)
{
    uint32_t n;
    if (word.n < least || word.n > most || !str_to_u32(word, &n) || n > max)
        return false;
    *ret = n;
    return true;
}

static struct str word_of(struct str *rest)
{
    *rest = str_trim(*rest);
    size_t n = 0;
    while (n < rest->n && !ascii_is_space(rest->p[n]))
        n++;
    struct str word = str_sub(*rest, 0, n);
    *rest = str_from(*rest, n);
    return word;
}

/* Seconds ahead of UTC; letters that nobody knows count as UTC (RFC 5322 section 4.3). */
static bool zone_read(struct str word, int64_t *ret)
{
    static const struct {
        struct str name;
        int hours;
    } names[] = {{STR_INIT("EDT"), -4}, {STR_INIT("EST"), -5}, {STR_INIT("CDT"), -5},
                 {STR_INIT("CST"), -6}, {STR_INIT("MDT"), -6}, {STR_INIT("MST"), -7},
                 {STR_INIT("PDT"), -7}, {STR_INIT("PST"), -8}};
    uint32_t h, m;
    *ret = 0;
    if (word.n && (word.p[0] == '+' || word.p[0] == '-')) {
        if (word.n != 5 || !number(str_sub(word, 1, 3), 2, 2, 23, &h) ||
            !number(str_from(word, 3), 2, 2, 59, &m))
            return false;
        *ret = ((int64_t)h * 3600 + m * 60) * (word.p[0] == '-' ? -1 : 1);
        return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_ieq(word, names[i].name))
            *ret = names[i].hours * 3600;
    return true;
}

bool mail_date_read(struct str text, int64_t *ret)
{
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t day, year, h, m, s = 0;
    char name[3];
    size_t comma = str_chr(text, ',', 0);
    struct str rest = comma < text.n ? str_from(text, comma + 1) : text;
    if (!number(word_of(&rest), 1, 2, 31, &day))
        return false;
    struct str month = word_of(&rest);
    for (size_t i = 0; i < 3 && i < month.n; i++)
        name[i] = ascii_lower(month.p[i]);
    size_t at = month.n == 3 ? str_find(str_c(months), str_of(name, 3), 0) : sizeof(months);
    if (at % 3 != 0 || at >= sizeof(months) - 1 || day < 1 || day > days[at / 3])
        return false;
    if (!number(word_of(&rest), 2, 4, 9999, &year))
        return false;
    year += year < 50 ? 2000 : year < 1000 ? 1900 : 0;
    struct str time = word_of(&rest), hours = str_cut(&time, ':'), minutes = str_cut(&time, ':');
    int64_t ahead;
    if (!number(hours, 1, 2, 23, &h) || !number(minutes, 2, 2, 59, &m) ||
        (time.n && !number(time, 2, 2, 60, &s)) || !zone_read(word_of(&rest), &ahead))
        return false;
    int64_t seconds = clock_days((int)year, (int)at / 3 + 1, (int)day) * 86400 + (int64_t)h * 3600 +
                      m * 60 + (s == 60 ? 59 : s) - ahead;
    if (year < 1970 || seconds < 0)
        return false;
    *ret = seconds * CLOCK_SECOND;
    return true;
}

/* ---- headers ---- */

/* A field with the lines that continue it; false at the end of the header. */
static bool field_of(struct str *rest, struct str *ret_name, struct str *ret_value)
{
    struct str line, next;
    if (!str_line(rest, &line) || !line.n)
        return false;
    const char *from = line.p;
    while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t') && str_line(rest, &next))
        line.n = (size_t)(next.p + next.n - from);
    size_t colon = str_chr(line, ':', 0);
    *ret_name = str_trim(str_sub(line, 0, colon));
    *ret_value = str_trim(str_from(line, colon + 1));
    return true;
}

static struct str bare(struct str s)
{
    return s.n > 1 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? str_sub(s, 1, s.n - 1) : s;
}

static void rcpt_add(struct mail_envelope *m, struct str address)
{
    for (size_t i = 0; i < m->rcpt_n; i++)
        if (str_eq(m->rcpt[i], address))
            return;
    if (address.n && m->rcpt_n < MAIL_ENVELOPE_RCPT_MAX)
        m->rcpt[m->rcpt_n++] = address;
}

void mail_envelope_read(struct str message, struct mail_envelope *ret)
{
    struct str rest = str_sub(message, 0, HEADER_BYTES), name, value;
    int64_t date = CLOCK_UNKNOWN;
    *ret = (struct mail_envelope){.received = CLOCK_UNKNOWN};
    for (size_t i = 0; i < HEADERS_MAX && field_of(&rest, &name, &value); i++) {
        if (str_ieq(name, STR("Delivered-To")) || str_ieq(name, STR("X-Original-To"))) {
            rcpt_add(ret, bare(value));
        } else if (str_ieq(name, STR("Return-Path")) && str_is_absent(ret->mail_from)) {
            ret->mail_from = bare(value);
        } else if (str_ieq(name, STR("Received")) && ret->received == CLOCK_UNKNOWN) {
            size_t semicolon = str_rchr(value, ';');
            mail_date_read(str_sub(value, semicolon + 1, semicolon + 1 + DATE_MAX), &ret->received);
        } else if (str_ieq(name, STR("Date")) && date == CLOCK_UNKNOWN) {
            mail_date_read(str_sub(value, 0, DATE_MAX), &date);
        }
    }
    if (ret->received == CLOCK_UNKNOWN)
        ret->received = date;
}
