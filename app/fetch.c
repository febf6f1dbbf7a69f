/* The only file of this room that sees libcurl's types. */
#include "app/fetch.h"

#include "base/buf.h"

#include <curl/curl.h>
#include <errno.h>

struct transfer {
    CURL *curl;
    struct curl_slist *resolve;
    struct buf body;
    bool cut;
};

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    struct str part = str_of(p, size * n);
    size_t room = t->body.max - t->body.n;
    t->cut = part.n > room;
    if (buf_add(&t->body, t->cut ? str_sub(part, 0, room) : part) < 0)
        return 0;
    return t->cut ? 0 : part.n;
}

/* "host:443:192.0.2.1,[2001:db8::1]": libcurl then asks no DNS of its own. */
static struct curl_slist *pinned(struct arena *a, const struct fetch_config *c)
{
    struct str line = arena_fmt(a, "%.*s:%u:", STR_ARG(c->host), c->port);
    for (size_t i = 0; i < c->addresses_n; i++) {
        bool six = str_chr(c->addresses[i], ':', 0) < c->addresses[i].n;
        line = arena_fmt(a, "%.*s%s%s%.*s%s", STR_ARG(line), i ? "," : "", six ? "[" : "",
                         STR_ARG(c->addresses[i]), six ? "]" : "");
    }
    return str_is_absent(line) ? NULL : curl_slist_append(NULL, line.p);
}

static CURLcode set_up(struct transfer *t, const struct fetch_config *c, struct str url)
{
    CURLcode rc = curl_easy_setopt(t->curl, CURLOPT_URL, url.p);
    rc = rc ? rc : curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "https");
    rc = rc ? rc : curl_easy_setopt(t->curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    rc = rc ? rc : curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl_easy_setopt(t->curl, CURLOPT_RESOLVE, t->resolve);
    rc = rc ? rc : curl_easy_setopt(t->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (c->authorities)
        rc = rc ? rc : curl_easy_setopt(t->curl, CURLOPT_CAINFO, c->authorities);
    rc = rc ? rc : curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
    rc = rc ? rc : curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    return rc ? rc : curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long)(c->timeout / 1000) + 1);
}

static int answer_of(struct transfer *t, struct arena *a, struct fetch_answer *ret, struct err *e)
{
    const char *type = NULL;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &ret->status);
    curl_easy_getinfo(t->curl, CURLINFO_CONTENT_TYPE, &type);
    struct str words = str_c(type);
    ret->type = type ? arena_str(a, str_trim(str_cut(&words, ';'))) : str_c(NULL);
    ret->body = arena_str(a, buf_str(&t->body));
    ret->cut = t->cut;
    return arena_failed(a) ? err_set(e, -ENOMEM, "out of memory") : 0;
}

int fetch_https(const struct fetch_config *c, struct arena *a, struct fetch_answer *ret,
                struct err *e)
{
    struct transfer t = {.curl = curl_easy_init(), .resolve = pinned(a, c)};
    struct str url =
        arena_fmt(a, "https://%.*s:%u%.*s", STR_ARG(c->host), c->port, STR_ARG(c->path));
    CURLcode code = t.curl && t.resolve && !str_is_absent(url) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    buf_init(&t.body, c->max_bytes);
    code = code ? code : set_up(&t, c, url);
    code = code ? code : curl_easy_perform(t.curl);
    int rc;
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && t.cut))
        rc = answer_of(&t, a, ret, e);
    else if (code == CURLE_OUT_OF_MEMORY || code == CURLE_WRITE_ERROR)
        rc = err_set(e, -ENOMEM, "out of memory");
    else
        rc = err_set(e, -EAGAIN, "%s", curl_easy_strerror(code));
    buf_free(&t.body);
    curl_slist_free_all(t.resolve);
    curl_easy_cleanup(t.curl);
    return rc;
}
