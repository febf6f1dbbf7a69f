#include "returnpath/wrapped.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* inner NULL: it is not wrapped. domain NULL: it stays the same. */
static const struct {
    const char *local, *inner, *domain;
} cases[] = {
    /* BATV */
    {"prvs=1234abcdef=user", "user", NULL},
    {"PRVS=9999ABCDEF=b1ba=c-d", "b1ba=c-d", NULL},
    {"prvs=user/1234abcdef", "user", NULL},
    {"prvs=a/b/1234abcdef", "a/b", NULL},
    {"prvs=a=b.c/1234abcdef", "a=b.c", NULL},
    {"prvs=1234abcdef=", NULL, NULL},
    {"prvs=1234abcde=user", NULL, NULL},
    {"prvs=1234abcdef0=user", NULL, NULL},
    {"prvs=123aabcdef=user", NULL, NULL}, /* the day is digits */
    {"prvs=1234abcdeg=user", NULL, NULL},
    {"prvs=/1234abcdef", NULL, NULL},
    {"prvs=user/1234", NULL, NULL},
    {"prvs=", NULL, NULL},
    {"prvs", NULL, NULL},
    {"xprvs=1234abcdef=user", NULL, NULL},
    {"btv1==0a1b2c3d==user", "user", NULL},
    {"BTV1==x==a==b", "a==b", NULL},
    {"btv1==0a1b==", NULL, NULL},
    {"btv1====user", NULL, NULL},
    {"btv1==0a+b==user", NULL, NULL},
    {"btv1=0a1b==user", NULL, NULL},
    {"btv1==0a1b=user", NULL, NULL},
    {"btv1==", NULL, NULL},
    /* SRS */
    {"SRS0=HHHH=TT=a.example=user", "user", "a.example"},
    {"srs0=hhhh=tt=A.example=user", "user", "A.example"},
    {"SRS0+HHHH=TT=a.example=user", "user", "a.example"},
    {"SRS0-H/+H=TT=a.example=u=v-w+x", "u=v-w+x", "a.example"},
    {"SRS1=HHHH=f.example==HHHH=TT=a.example=user", "user", "a.example"},
    {"SRS1+HHHH=f.example=+HHHH=TT=a.example=user", "user", "a.example"},
    {"SRS1-HHHH=f.example=-HHHH=TT=a.example=b=c", "b=c", "a.example"},
    {"SRS0=HHHH=TT=a.example=", NULL, NULL},
    {"SRS0=HHHH=TT=a.example", NULL, NULL},
    {"SRS0=HHHH=TT=-a.example=user", NULL, NULL},
    {"SRS0=HHHH==a.example=user", NULL, NULL},
    {"SRS0==TT=a.example=user", NULL, NULL},
    {"SRS0=0123456789abcdef0123456789abcdef0=TT=a.example=user", NULL, NULL}, /* no hash so long */
    {"SRS0.HHHH=TT=a.example=user", NULL, NULL},
    {"SRS2=HHHH=TT=a.example=user", NULL, NULL},
    {"SRS1=HHHH=f.example=HHHH=TT=a.example=user", NULL, NULL},
    {"SRS1=HHHH=f_=x==HHHH=TT=a.example=user", NULL, NULL},
    {"SRS1=HHHH===HHHH=TT=a.example=user", NULL, NULL},
    {"SRS1=HHHH=f.example==HHHH=TT=a.example", NULL, NULL},
    {"SRS0", NULL, NULL},
    {"SRS1=", NULL, NULL},
    {"", NULL, NULL},
    {"user", NULL, NULL},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str inner = STR("untouched"), domain = STR("untouched");
        bool got = wrapped_open(str_c(cases[i].local), &inner, &domain);
        if (got != (cases[i].inner != NULL))
            fail_msg("%s: %d", cases[i].local, got);
        if (!got) {
            assert_true(str_eq(inner, STR("untouched")) && str_eq(domain, STR("untouched")));
            continue;
        }
        if (!str_eq(inner, str_c(cases[i].inner)) || !str_eq(domain, str_c(cases[i].domain)) ||
            str_is_absent(domain) != (cases[i].domain == NULL))
            fail_msg("%s: %.*s at %.*s", cases[i].local, STR_ARG(inner), STR_ARG(domain));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
