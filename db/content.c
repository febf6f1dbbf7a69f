#include "db/content.h"

#include "db/db.h"

#include <errno.h>
#include <openssl/evp.h>
#include <unistd.h>

/* The parts with a NUL behind each. */
static bool hash(const struct str *parts, size_t n, uint8_t ret[CONTENT_HASH])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(c, parts[i].p, parts[i].n) == 1 && EVP_DigestUpdate(c, "", 1) == 1;
    ok = ok && EVP_DigestFinal_ex(c, ret, NULL) == 1;
    EVP_MD_CTX_free(c);
    return ok;
}

bool content_hash(struct str message, uint8_t ret[CONTENT_HASH])
{
    size_t end = str_find(message, STR("\r\n\r\n"), 0), bare = str_find(message, STR("\n\n"), 0);
    struct str body = str_from(message, bare < end ? bare + 2 : end < message.n ? end + 4 : 0);
    return hash(&body, 1, ret);
}

bool content_of_event(const uint8_t body[CONTENT_HASH], struct str tenant, struct str stream,
                      struct str key, uint8_t ret[CONTENT_HASH])
{
    const struct str parts[] = {str_of(body, CONTENT_HASH), tenant, stream, key};
    return hash(parts, 4, ret);
}

int content_of_file(int fd, struct str more, uint8_t ret[CONTENT_HASH])
{
    char bytes[64 << 10];
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;
    off_t at = 0;
    ssize_t got = 0;
    while (ok && ((got = pread(fd, bytes, sizeof(bytes), at)) > 0 || (got < 0 && errno == EINTR))) {
        ok = got < 0 || EVP_DigestUpdate(c, bytes, (size_t)got) == 1;
        at += got > 0 ? got : 0;
    }
    int rc = got < 0 ? -errno : 0;
    ok = ok && EVP_DigestUpdate(c, "", 1) == 1 && EVP_DigestUpdate(c, more.p, more.n) == 1 &&
         EVP_DigestFinal_ex(c, ret, NULL) == 1;
    EVP_MD_CTX_free(c);
    return rc < 0 ? rc : ok ? 0 : -ENOMEM;
}

bool db_id_of(int64_t received_at, const struct str *parts, size_t n, struct id *ret)
{
    uint8_t digest[CONTENT_HASH];
    if (!hash(parts, n, digest))
        return false;
    *ret = id_derive(received_at, digest);
    return true;
}

_Static_assert(CONTENT_HASH == (int)DB_SOURCE, "one digest for both");

bool db_source_of(const struct str *parts, size_t n, uint8_t ret[DB_SOURCE])
{
    return hash(parts, n, ret);
}
