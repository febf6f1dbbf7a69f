/* Certificates as files; sees OpenSSL, as tls.c does. */
#include "receiver/certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

struct certificate {
    X509 *list[CERTIFICATE_CHAIN_MAX]; /* the server's own, then what signed it */
    size_t n;
};

enum { SELECTOR_CERTIFICATE, SELECTOR_KEY };
enum { MATCHING_EXACT, MATCHING_SHA256, MATCHING_SHA512 };
enum { USAGE_ANCHOR = 2, USAGE_SERVER = 3 };

int certificate_load(const char *path, struct certificate **ret, struct err *e)
{
    errno = 0;
    BIO *file = BIO_new_file(path, "r");
    if (!file)
        return err_sys(e, errno ? -errno : -EIO, "%s", path);
    struct certificate *c = calloc(1, sizeof(*c));
    int rc = c ? 0 : err_set(e, -ENOMEM, "out of memory");
    X509 *one;
    while (rc == 0 && (one = PEM_read_bio_X509(file, NULL, NULL, NULL))) {
        if (c->n == CERTIFICATE_CHAIN_MAX) {
            rc = err_set(e, -EINVAL, "%s: expected at most %d certificates", path,
                         CERTIFICATE_CHAIN_MAX);
            X509_free(one);
        } else {
            c->list[c->n++] = one;
        }
    }
    BIO_free(file);
    ERR_clear_error(); /* the end of the file is one */
    if (rc == 0 && c->n == 0)
        rc = err_set(e, -EINVAL, "%s: expected a certificate in PEM", path);
    if (rc < 0) {
        certificate_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void certificate_free(struct certificate *c)
{
    for (size_t i = 0; c && i < c->n; i++)
        X509_free(c->list[i]);
    free(c);
}

bool certificate_is_for(const struct certificate *c, const char *host)
{
    return X509_check_host(c->list[0], host, 0, 0, NULL) == 1;
}

int64_t certificate_end(const struct certificate *c)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(X509_get0_notAfter(c->list[0]), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* What the selector names, in DER; negative: it can't be told. Owner: OPENSSL_free(*ret). */
static int selected(X509 *x, unsigned selector, unsigned char **ret)
{
    *ret = NULL;
    if (selector == SELECTOR_CERTIFICATE)
        return i2d_X509(x, ret);
    return selector == SELECTOR_KEY ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), ret) : -1;
}

static bool fits(X509 *x, unsigned selector, unsigned matching, struct str data)
{
    unsigned char *der, digest[EVP_MAX_MD_SIZE];
    unsigned digest_n = 0;
    int n = selected(x, selector, &der);
    const EVP_MD *md = matching == MATCHING_SHA256   ? EVP_sha256()
                       : matching == MATCHING_SHA512 ? EVP_sha512()
                                                     : NULL;
    struct str found = {NULL, 0};
    if (n > 0 && matching == MATCHING_EXACT)
        found = str_of(der, (size_t)n);
    else if (n > 0 && md && EVP_Digest(der, (size_t)n, digest, &digest_n, md, NULL) == 1)
        found = str_of(digest, digest_n);
    bool same = !str_is_absent(found) && str_eq(found, data);
    OPENSSL_free(der);
    ERR_clear_error();
    return same;
}

bool certificate_has_tlsa(const struct certificate *c, unsigned usage, unsigned selector,
                          unsigned matching, struct str data)
{
    if (usage == USAGE_SERVER)
        return fits(c->list[0], selector, matching, data);
    for (size_t i = 1; usage == USAGE_ANCHOR && i < c->n; i++)
        if (fits(c->list[i], selector, matching, data))
            return true;
    return false;
}

bool certificate_key_digest(const struct certificate *c, char hex[CERTIFICATE_HEX])
{
    unsigned char *der, digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int der_n = selected(c->list[0], SELECTOR_KEY, &der);
    bool good = der_n > 0 && EVP_Digest(der, (size_t)der_n, digest, &n, EVP_sha256(), NULL) == 1;
    for (unsigned i = 0; good && i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    OPENSSL_free(der);
    ERR_clear_error();
    return good;
}
