/* The only file that sees libcurl's types. */
#include "deliver/relay.h"

#include "base/arena.h"
#include "base/buf.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>

enum { CONNECT_MAX_MS = 30000, ADDRESS_ARENA = 16 << 10 };

struct relay {
    CURL *curl;
    char url[600];
    bool (*stop)(void *ctx);
    void *stop_ctx;
    long timeout;    /* ms */
    struct str left; /* of the message in hand */
    bool mail_begun; /* MAIL was said: a refusal is about the message */
    bool quit;       /* what it answers to that is of no interest */
    char reply[256]; /* the last line of the server's */
};

static size_t on_read(char *p, size_t size, size_t n, void *ctx)
{
    struct relay *r = ctx;
    struct str part = str_sub(r->left, 0, size * n);
    if (part.n)
        memcpy(p, part.p, part.n);
    r->left = str_from(r->left, part.n);
    return part.n;
}

/* What was said by whom: an error code of libcurl tells neither stage nor words. */
static int on_line(CURL *curl, curl_infotype type, char *p, size_t n, void *ctx)
{
    struct relay *r = ctx;
    (void)curl;
    if (type == CURLINFO_HEADER_OUT && str_starts(str_of(p, n), STR("MAIL ")))
        r->mail_begun = true;
    if (type == CURLINFO_HEADER_OUT && str_starts(str_of(p, n), STR("QUIT")))
        r->quit = true;
    if (type == CURLINFO_HEADER_IN && !r->quit)
        snprintf(r->reply, sizeof(r->reply), "%.*s", STR_ARG(str_trim(str_of(p, n))));
    return 0;
}

static int on_progress(void *ctx, curl_off_t down, curl_off_t down_now, curl_off_t up,
                       curl_off_t up_now)
{
    const struct relay *r = ctx;
    (void)down;
    (void)down_now;
    (void)up;
    (void)up_now;
    return r->stop(r->stop_ctx);
}

static int set_up(struct relay *r)
{
    CURL *c = r->curl;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, r->url);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp");
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PROXY, ""); /* whatever the environment says */
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_READDATA, r);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_VERBOSE, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_DEBUGFUNCTION, on_line);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_DEBUGDATA, r);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_XFERINFODATA, r);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, r->timeout);
    rc = rc ? rc
            : curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                               r->timeout < CONNECT_MAX_MS ? r->timeout : CONNECT_MAX_MS);
    return rc == CURLE_OK ? 0 : -ENOMEM;
}

int relay_new(const struct relay_config *config, struct relay **ret, struct err *e)
{
    struct relay *r = calloc(1, sizeof(*r));
    if (r)
        r->curl = curl_easy_init();
    if (!r || !r->curl) {
        free(r);
        return err_set(e, -ENOMEM, "out of memory");
    }
    snprintf(r->url, sizeof(r->url), "smtp://%.300s/%.253s", config->server, config->hostname);
    r->timeout = (long)(config->timeout / 1000);
    r->stop = config->stop;
    r->stop_ctx = config->stop_ctx;
    if (set_up(r) < 0) {
        relay_free(r);
        return err_set(e, -ENOMEM, "out of memory");
    }
    *ret = r;
    return 0;
}

void relay_free(struct relay *r)
{
    if (!r)
        return;
    curl_easy_cleanup(r->curl);
    free(r);
}

/* Every line end as CRLF. */
static int network_lines(struct buf *b, struct str message)
{
    struct str rest = message, line;
    int rc = 0;
    while (rc == 0 && str_line(&rest, &line)) {
        rc = buf_add(b, line);
        if (rc == 0)
            rc = buf_add(b, STR("\r\n"));
    }
    return rc;
}

static int failure(const struct relay *r, CURLcode code, struct err *e)
{
    const char *words = curl_easy_strerror(code);
    bool refused = r->reply[0] == '4' || r->reply[0] == '5';
    if (code == CURLE_OUT_OF_MEMORY)
        return err_set(e, -ENOMEM, "out of memory");
    if (!refused || code == CURLE_OPERATION_TIMEDOUT)
        return err_set(e, -EAGAIN, "%s%s%s", words, r->reply[0] ? "; it said last: " : "",
                       r->reply);
    if (!r->mail_begun)
        return err_set(e, -EAGAIN, "it said: %s", r->reply);
    return err_set(e, r->reply[0] == '4' ? -EBUSY : -EPERM, "it said: %s", r->reply);
}

static int transfer(struct relay *r, const char *from, const char *to, struct str message,
                    struct err *e)
{
    struct curl_slist *list = curl_slist_append(NULL, to);
    CURLcode rc = list ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    r->left = message;
    r->mail_begun = r->quit = false;
    r->reply[0] = '\0';
    rc = rc ? rc : curl_easy_setopt(r->curl, CURLOPT_MAIL_FROM, from);
    rc = rc ? rc : curl_easy_setopt(r->curl, CURLOPT_MAIL_RCPT, list);
    rc = rc ? rc : curl_easy_setopt(r->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)message.n);
    rc = rc ? rc : curl_easy_perform(r->curl);
    int code = rc == CURLE_OK ? 0 : failure(r, rc, e);
    curl_easy_setopt(r->curl, CURLOPT_MAIL_RCPT, NULL);
    curl_slist_free_all(list);
    return code;
}

int relay_send(struct relay *r, struct str from, const char *to, struct str message, struct err *e)
{
    struct arena a = arena_make(ADDRESS_ARENA);
    struct str sender = arena_str(&a, str_is_absent(from) ? STR("") : from);
    struct buf b;
    buf_init(&b, 2 * message.n + 2);
    int rc = str_is_absent(sender) ? -ENOMEM : network_lines(&b, message);
    rc = rc < 0 ? err_sys(e, rc, "message") : transfer(r, sender.p, to, buf_str(&b), e);
    buf_free(&b);
    arena_free(&a);
    return rc;
}
