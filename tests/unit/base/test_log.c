#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char text[8192];
static int saved, pipes[2];

static void capture(void)
{
    assert_int_equal(pipe(pipes), 0);
    saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
    close(pipes[1]);
}

/* What was written since, without the time in front. */
static const char *captured(void)
{
    dup2(saved, STDERR_FILENO); /* closes the last writer */
    close(saved);
    ssize_t n = read(pipes[0], text, sizeof(text) - 1);
    close(pipes[0]);
    assert_true(n >= 0);
    text[n] = '\0';
    const char *space = strchr(text, ' ');
    return space ? space + 1 : text;
}

static void test_values(void **state)
{
    (void)state;
    log_configure(&(struct log_config){.level = LOG_INFO, .role = "r"});
    capture();
    log_info("event", KV("a", "plain"), KV("b", "two words"), KV("c", ""),
             KV("d", STR("q\"\\\n\x1b\xc3\xa4=")), KV("e", -5), KV("f", 7U), KV("g", UINT64_MAX),
             KV("h", (bool)true));
    assert_string_equal(captured(), "info r event a=plain b=\"two words\" c=\"\" "
                                    "d=\"q\\\"\\\\\\x0a\\x1b\\xc3\\xa4=\" e=-5 f=7 "
                                    "g=18446744073709551615 h=1\n");
}

static void test_addresses(void **state)
{
    (void)state;
    log_configure(&(struct log_config){.level = LOG_INFO});
    capture();
    log_warn("x", KV_ADDRESS("a", STR("john@b.example")), KV_ADDRESS("b", STR("\"j d\"@b.example")),
             KV_ADDRESS("c", STR("nobody")), KV_ADDRESS("d", STR("@b")), KV_ADDRESS("e", STR("")),
             KV_ADDRESS("f", STR("j@\nb")));
    assert_string_equal(captured(), "warning x a=j***@b.example b=\"\\\"***@b.example\" c=*** "
                                    "d=*** e=\"\" f=\"j***@\\x0ab\"\n");
    log_configure(&(struct log_config){.level = LOG_INFO, .full_addresses = true});
    capture();
    log_warn("x", KV_ADDRESS("a", STR("john@b.example")), KV_ADDRESS("c", STR("nobody")));
    assert_string_equal(captured(), "warning x a=john@b.example c=nobody\n");
}

static void test_levels(void **state)
{
    (void)state;
    log_configure(&(struct log_config){.level = LOG_WARN});
    capture();
    log_debug("a", KV("x", 1));
    log_info("b", KV("x", 1));
    log_error("c", KV("x", 1));
    assert_string_equal(captured(), "error c x=1\n");
    enum log_level level = LOG_INFO;
    assert_true(log_level_parse(STR("WARNING"), &level) && level == LOG_WARN);
    assert_false(log_level_parse(STR("loud"), &level));
    assert_int_equal(level, LOG_WARN);
}

/* A long line is cut, stays one line, and says so. */
static void test_cut(void **state)
{
    (void)state;
    static char many[5000];
    memset(many, 'x', sizeof(many));
    log_configure(&(struct log_config){.level = LOG_INFO});
    capture();
    log_info("e", KV("a", str_of(many, sizeof(many))), KV("b", 1));
    captured();
    size_t n = strlen(text);
    assert_true(n < 2048);
    assert_string_equal(text + n - 4, "...\n");
    assert_ptr_equal(strchr(text, '\n'), text + n - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
