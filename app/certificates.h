/* certificates.h - the certificates and keys that the configuration names, for the receiver. */
#ifndef APP_CERTIFICATES_H
#define APP_CERTIFICATES_H

#include "app/config.h"
#include "base/err.h"

struct tls_context;

/* Reads the files. *ret is NULL when the configuration names none. The errors of tls_context_new.
 */
int certificates_load(const struct config *c, struct tls_context **ret, struct err *e);

#endif
