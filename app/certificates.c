#include "app/certificates.h"

#include "receiver/tls.h"

#include <errno.h>
#include <stdlib.h>

int certificates_load(const struct config *c, struct tls_context **ret, struct err *e)
{
    if (c->certificates_n == 0) {
        *ret = NULL;
        return 0;
    }
    struct tls_pair *pairs = calloc(c->certificates_n, sizeof(*pairs));
    if (!pairs)
        return err_set(e, -ENOMEM, "out of memory");
    for (size_t i = 0; i < c->certificates_n; i++)
        pairs[i] = (struct tls_pair){c->certificates[i].certificate, c->certificates[i].key};
    int rc = tls_context_new(pairs, c->certificates_n, ret, e);
    free(pairs);
    return rc;
}
