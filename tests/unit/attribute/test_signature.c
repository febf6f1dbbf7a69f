#include "attribute/signature.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t received = INT64_C(1500000000) * CLOCK_SECOND;

/* ---- splitting ---- */

static const struct {
    const char *message;
    size_t fields;
    const char *body;
    const char *why; /* part of it; NULL: it is split */
} splits[] = {
    {"A: 1\r\nB: 2\r\n\r\nbody\r\n", 2, "body\r\n", NULL},
    {"A: 1\r\n\tfolded\r\nB: 2\r\n\r\n", 2, "", NULL},
    {"\r\nbody\r\n", 0, "body\r\n", NULL},
    {"A:\r\n\r\n\r\n", 1, "\r\n", NULL},
    {"A: 1\r\nB: 2\r\n", 0, NULL, "no CRLF"},
    {"A: 1\nB: 2\n\nbody\n", 0, NULL, "no CRLF"},
    {"A: 1\rB: 2\r\n\r\nbody\r\n", 0, NULL, "no CRLF"},
    {"", 0, NULL, "no CRLF"},
    {" folded\r\n\r\n", 0, NULL, "folded"},
    {"A : 1\r\n\r\n", 0, NULL, "no field"},
    {"A 1\r\n\r\n", 0, NULL, "no field"},
    {": 1\r\n\r\n", 0, NULL, "no field"},
    {"\xc3\xa9: 1\r\n\r\n", 0, NULL, "no field"},
    {"A: 1\r\n\r\nbody\n", 0, NULL, "line of the body"},
    {"A: 1\r\n\r\n\nbody\r\n", 0, NULL, "line of the body"},
    {"A: 1\r\n\r\nbody\r", 0, NULL, "line of the body"},
    {"A: 1\r\n\r\nbo\rdy\r\n", 0, NULL, "line of the body"},
};

static bool says(const char *why, const char *part)
{
    if (!why || !part)
        return why == part;
    return str_find(str_c(why), str_c(part), 0) < strlen(why);
}

static void split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
        struct arena a = arena_make(1 << 20);
        struct signature_message m;
        const char *why = signature_split(&a, str_c(splits[i].message), &m);
        if (!says(why, splits[i].why))
            fail_msg("%s: %s", splits[i].message, why ? why : "split");
        if (!why) {
            assert_int_equal(m.fields_n, splits[i].fields);
            assert_true(str_eq(m.body, str_c(splits[i].body)));
        }
        arena_free(&a);
    }
}

static void split_limits(void **state)
{
    (void)state;
    struct arena a = arena_make(16 << 20);
    struct signature_message m;
    static char many[4 * (SIGNATURE_FIELDS_MAX + 1) + 3], wide[SIGNATURE_HEADER_MAX + 32];
    for (size_t i = 0; i <= SIGNATURE_FIELDS_MAX; i++)
        memcpy(many + 4 * i, "A:\r\n", 4);
    memcpy(many + 4 * (SIGNATURE_FIELDS_MAX + 1), "\r\n", 2);
    assert_true(says(signature_split(&a, str_of(many, sizeof(many) - 1), &m), "too many"));
    assert_null(signature_split(&a, str_of(many + 4, sizeof(many) - 5), &m));
    memset(wide, 'x', sizeof(wide));
    memcpy(wide, "A:", 2);
    memcpy(wide + sizeof(wide) - 4, "\r\n\r\n", 4);
    assert_true(says(signature_split(&a, str_of(wide, sizeof(wide)), &m), "too long"));
    arena_free(&a);
}

/* ---- reading ---- */

#define REST "; bh=x; b=y"
#define GOOD "v=1; a=rsa-sha256; d=F.example; s=S1; h=From:To"

static const struct {
    const char *value, *domain, *why;
} reads[] = {
    {GOOD REST, "f.example", NULL},
    {"v=1;\r\n\ta=rsa-sha256;\r\n\td=f.example ;s=s1; h= From :\r\n\tTo; bh=x; b=y;", "f.example",
     NULL},
    {"v=1; a=Ed25519-SHA256; d=f.example; s=s; h=From" REST, "f.example", NULL},
    {GOOD "; t=1500000000; x=1500000001" REST, "f.example", NULL},
    {GOOD "; t=1500003600" REST, "f.example", NULL},
    {GOOD "; t=1500003601" REST, "f.example", "future"},
    {GOOD "; x=1500000000" REST, "f.example", "expired"},
    {GOOD "; x=0" REST, "f.example", "expired"},
    {GOOD "; t=1500000100; x=1500000050" REST, "f.example", "before it was made"},
    {GOOD "; x=99999999999999" REST, "f.example", "no number"},
    {GOOD "; x=-1" REST, "f.example", "no number"},
    {GOOD "; x=" REST, "f.example", "no number"},
    {GOOD "; l=0" REST, "f.example", "l="},
    {GOOD "; l=" REST, "f.example", "l="},
    {GOOD "; d=evil.example" REST, NULL, "stands twice"},
    {"v=1; a=rsa-sha1; d=f.example; s=s; h=From" REST, "f.example", "neither"},
    {"v=1; d=f.example; s=s; h=From" REST, "f.example", "neither"},
    {"a=rsa-sha256; d=f.example; s=s; h=From" REST, "f.example", "version"},
    {"v=2; a=rsa-sha256; d=f.example; s=s; h=From" REST, "f.example", "version"},
    {"v=1; a=rsa-sha256; d=f.example; h=From" REST, "f.example", "selector"},
    {"v=1; a=rsa-sha256; d=f.example; s=a..b; h=From" REST, "f.example", "selector"},
    {"v=1; a=rsa-sha256; s=s; h=From" REST, NULL, "no domain"},
    {"v=1; a=rsa-sha256; d=a b; s=s; h=From" REST, NULL, "no domain"},
    {"v=1; a", NULL, "no value"},
    {"", NULL, "no domain"},
};

static void read_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        struct arena a = arena_make(1 << 20);
        struct str text = arena_fmt(&a, "DKIM-Signature: %s", reads[i].value);
        struct signature_field field = {str_sub(text, 0, 14), text};
        struct signature s;
        const char *why = signature_read(&a, &field, received, &s);
        if (!says(why, reads[i].why))
            fail_msg("%s: %s", reads[i].value, why ? why : "read");
        assert_true(str_eq(s.domain, str_c(reads[i].domain)));
        arena_free(&a);
    }
}

/* ---- what is signed ---- */

static const struct {
    const char *header, *signs, *why;
} covers[] = {
    {"From: a\r\n", "from", NULL},
    {"From: a\r\n", "to : FROM", NULL},
    {"From: a\r\n", "to", "From is not signed"},
    {"From: a\r\n", "fro", "From is not signed"},
    {"From: a\r\n", "", "From is not signed"},
    {"To: a\r\n", "from:to", "no From"},
    {"From: a\r\nFROM: b\r\n", "from:from", "From stands more"},
    {"From: a\r\nContent-Type: b\r\n", "from", "Content-Type is not"},
    {"From: a\r\nContent-Type: b\r\n", "from:content-type", NULL},
    {"From: a\r\ncontent-type: b\r\nContent-Type: c\r\n", "from:content-type:content-type",
     "Content-Type stands"},
    {"From: a\r\nMIME-Version: b\r\n", "from", "MIME-Version is not"},
    {"From: a\r\nDKIM-Signature: b\r\n", "from:dkim-signature", "signs other"},
};

static void covered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++) {
        struct arena a = arena_make(1 << 20);
        struct signature_message m;
        struct signature s = {STR("f.example"), STR("s"), str_c(covers[i].signs)};
        struct str text = arena_fmt(&a, "%s\r\n", covers[i].header);
        assert_null(signature_split(&a, text, &m));
        const char *why = signature_covers(&s, &m);
        if (!says(why, covers[i].why))
            fail_msg("%s: %s: %s", covers[i].header, covers[i].signs, why ? why : "covered");
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split),
        cmocka_unit_test(split_limits),
        cmocka_unit_test(read_fields),
        cmocka_unit_test(covered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
