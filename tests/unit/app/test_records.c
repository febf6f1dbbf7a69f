#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/export_text.h"
#include "app/json_split.h"
#include "app/providers.h"
#include "app/time_text.h"

#include <errno.h>
#include <stdlib.h>

/* ---- records ---- */

/* All records of a file as "line:name=value,... ", what can't be read as "line:! ", the end as its
 * errno. */
static void read_all(const char *bytes, size_t n, char *out, size_t room)
{
    FILE *in = fmemopen((void *)(uintptr_t)bytes, n, "r"), *to = fmemopen(out, room, "w");
    struct records *r = NULL;
    struct record rec;
    struct err e;
    int rc = records_open(in, &r, &e);
    while (rc == 0) {
        int got = records_next(r, &rec, &e);
        if (got == 0 || (got < 0 && got != -EBADMSG)) {
            rc = got;
            break;
        }
        fprintf(to, "%llu:%s", (unsigned long long)rec.line, got < 0 ? "!" : "");
        for (size_t i = 0; got == 1 && i < rec.n; i++)
            fprintf(to, "%.*s=%.*s,", STR_ARG(rec.names[i]), STR_ARG(rec.values[i]));
        fputc(' ', to);
    }
    fprintf(to, "%s", rc == 0 ? "end" : rc == -EINVAL ? "bad" : "other");
    fclose(to);
    records_free(r);
    fclose(in);
}

static void test_records(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } t[] = {
        {"A B,c_D\n1,2\n", "2:ab=1,cd=2, end"},
        {"\xef\xbb\xbf"
         "a;b\r\n1;\"2;\"\"3\"\r\n",
         "2:a=1,b=2;\"3, end"},
        {"a\tb\r1\t2\r", "2:a=1,b=2, end"},
        {"a,b\n\n\"x\ny\",2\nz\n", "3:a=x\ny,b=2, 5:a=z, end"},
        {"a,b\n1,2,3\n4,5,,\n6,7", "2:! 3:a=4,b=5, 4:a=6,b=7, end"},
        {"a,b", "end"},
        {"[{\"a\":1,\"B c\":\"x\"},\n{\"a\":true,\"l\":[1,{\"a\":3}]}]",
         "1:a=1,bc=x, 2:a=true,l=, end"},
        {"{\"a\":1}\n{\"a\":1.5}\n", "1:a=1, 2:a=1.5, end"},
        {"{\"x\":{\"items\":1},\"items\":[{\"a\":\"]}\\\"\"}],\"p\":{\"a\":2}}\n{\"items\":[{\"a\":"
         "3}]}",
         "1:a=]}\", 2:a=3, end"},
        {"{\"a\":1}\n{\"a\":}\n{\"a\":2}\n", "1:a=1, 2:! 3:a=2, end"},
        {"{\"format\":\"bouncemx\",\"cursor\":\"1.2\"}\n{\"address\":\"x\"}", "2:address=x, end"},
        {"[]", "end"},
        {"{]", "bad"},
        {"[}", "bad"},
        {"[{\"a\":1}", "1:a=1, bad"},
        {"{\"a\":1}}", "1:a=1, bad"},
        {"\xff\xfe"
         "a",
         "bad"},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char out[512] = "";
        read_all(t[i].in, strlen(t[i].in), out, sizeof(out));
        assert_string_equal(out, t[i].want);
    }
}

/* Nothing grows with the file. */
static void test_bounds(void **state)
{
    (void)state;
    size_t n = (size_t)JSON_OBJECT_MAX * 3;
    char *big = malloc(n), out[256] = "";
    assert_non_null(big);
    memset(big, 'x', n);
    memcpy(big, "a,b\n\"", 5);
    read_all(big, n, out, sizeof(out));
    assert_string_equal(out, "bad");
    memcpy(big, "{\"a\":\"", 6);
    read_all(big, n, out, sizeof(out));
    assert_string_equal(out, "bad");
    memset(big, '[', n);
    read_all(big, n, out, sizeof(out));
    assert_string_equal(out, "bad");
    free(big);
}

/* ---- times ---- */

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } t[] = {
        {"0", "1970-01-01T00:00:00.000000Z"},
        {"1700000000", "2023-11-14T22:13:20.000000Z"},
        {"1700000000123", "2023-11-14T22:13:20.123000Z"},
        {"1700000000.25", "2023-11-14T22:13:20.250000Z"},
        {"2026-01-31", "2026-01-31T00:00:00.000000Z"},
        {"2026-01-31 08:09", "2026-01-31T08:09:00.000000Z"},
        {"2026-01-31T08:09:10.5Z", "2026-01-31T08:09:10.500000Z"},
        {"2026-01-31T08:09:10+02:00", "2026-01-31T06:09:10.000000Z"},
        {"2026-01-31 08:09:10 UTC", "2026-01-31T08:09:10.000000Z"},
        {"2026-01-31 08:09:10-0530", "2026-01-31T13:39:10.000000Z"},
        {"Sat, 31 Jan 2026 08:09:10 GMT", "2026-01-31T08:09:10.000000Z"},
        {"1 Feb 2026 08:09:10 +0100", "2026-02-01T07:09:10.000000Z"},
        {"", NULL},
        {"yesterday", NULL},
        {"-1", NULL},
        {"2026-02-30", NULL},
        {"2026-01-31 25:00", NULL},
        {"2026-01-31 08:09:10 EST", NULL},
        {"31 Foo 2026 08:09:10 GMT", NULL},
        {"99999999999999999999", NULL},
        {"1700000000.5x", NULL},
        {"31/01/2026", NULL},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char text[CLOCK_TEXT];
        int64_t got = 0;
        bool good = time_text_read(str_c(t[i].in), &got);
        if (good != (t[i].want != NULL))
            fail_msg("%s: %d", t[i].in, good);
        if (good)
            assert_string_equal(clock_format_rfc3339(got, text), t[i].want);
    }
}

/* ---- whose columns ---- */

static void test_detect(void **state)
{
    (void)state;
    static const struct {
        const char *header, *file, *want;
    } t[] = {
        {"address,scope,kind,created_at", "x", "own -"},
        {"EmailAddress,Reason,LastUpdateTime", "x", "ses -"},
        {"EmailAddress,SuppressionReason,Origin,CreatedAt", "x", "postmark -"},
        {"recipient,type,source", "x", "sparkpost -"},
        {"Email Address,First Name,CLEAN_TIME", "x", "mailchimp cleaned"},
        {"Email Address,UNSUB_TIME", "x", "mailchimp unsubscribes"},
        {"Email Address,OPTIN_TIME", "x", ""},
        {"status,reason,email,created", "a/suppression_bounces.csv", "sendgrid bounces"},
        {"status,reason,email,created", "blocks.csv", ""},
        {"status,reason,email,created", "blocks/x.csv", ""},
        {"email,reason,created", "x", "sendgrid invalid_emails"},
        {"email,created,ip", "x", "sendgrid complaints"},
        {"email,created", "x", "sendgrid unsubscribes"},
        {"address,code,error,created_at", "x", "mailgun bounces"},
        {"address,tags,created_at", "x", "mailgun unsubscribes"},
        {"address,created_at", "x", ""},
        {"address,created_at", "complaints.csv", "mailgun complaints"},
        {"name,mail", "x", ""},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        FILE *in = fmemopen((void *)(uintptr_t)t[i].header, strlen(t[i].header), "r");
        struct records *r = NULL;
        enum provider p;
        enum provider_list l;
        struct err e;
        char got[64] = "";
        assert_int_equal(records_open(in, &r, &e), 0);
        if (provider_detect(r, str_c(t[i].file), NULL, NULL, &p, &l, &e) == 0)
            snprintf(got, sizeof(got), "%s %s", provider_name(p), provider_list_name(l));
        assert_string_equal(got, t[i].want);
        records_free(r);
        fclose(in);
    }
}

/* ---- lines of an export ---- */

static void test_export(void **state)
{
    (void)state;
    struct str cells[EXPORT_COLUMNS] = {[EXPORT_ADDRESS] = STR("a@x"),
                                        [EXPORT_KIND] = STR("bounce"),
                                        [EXPORT_STATUS] = STR("5.1.1"),
                                        [EXPORT_DIAGNOSTIC] = STR("451 \"so\",\n"),
                                        [EXPORT_EVENT_AT] = STR("2026-01-31T08:09:10.5Z")};
    static const struct {
        enum export_format format;
        const char *want;
    } t[] = {
        {EXPORT_OWN,
         "a@x,,,,bounce,,,,,,,,5.1.1,\"451 \"\"so\"\",\n\",,2026-01-31T08:09:10.5Z,,,,,\r\n"},
        {EXPORT_SES, "a@x,BOUNCE,2026-01-31T08:09:10.5Z\r\n"},
        {EXPORT_SENDGRID, "a@x,1769846950,\"451 \"\"so\"\",\n\",5.1.1\r\n"},
        {EXPORT_MAILGUN, "a@x,451,\"451 \"\"so\"\",\n\",2026-01-31T08:09:10.5Z\r\n"},
        {EXPORT_POSTMARK, "a@x,HardBounce,Recipient,2026-01-31T08:09:10.5Z\r\n"},
        {EXPORT_MAILCHIMP, "a@x,2026-01-31T08:09:10.5Z\r\n"},
    };
    struct buf out;
    bool said;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        buf_clear(&out);
        assert_int_equal(export_row(t[i].format, STR("bounce"), cells, &out, &said), 0);
        assert_true(said);
        assert_true(str_eq(buf_str(&out), str_c(t[i].want)));
    }
    buf_clear(&out);
    cells[EXPORT_KIND] = STR("unsubscribe");
    assert_int_equal(export_row(EXPORT_SES, STR(""), cells, &out, &said), 0);
    assert_true(!said && out.n == 0);
    assert_int_equal(export_row(EXPORT_NDJSON, STR(""), cells, &out, &said), 0);
    assert_true(str_find(buf_str(&out), STR("\"diagnostic\":\"451 \\u0022so\\u0022,\\u000a\""), 0) <
                out.n);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records), cmocka_unit_test(test_bounds), cmocka_unit_test(test_times),
        cmocka_unit_test(test_detect),  cmocka_unit_test(test_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
