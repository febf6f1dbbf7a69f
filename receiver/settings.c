#include "receiver/settings.h"

#include "receiver/tls.h"

#include <stdlib.h>

struct settings *settings_new(const struct receiver_settings *s)
{
    struct settings *ret = calloc(1, sizeof(*ret));
    if (!ret)
        return NULL;
    ret->s = *s;
    ret->s.tls = tls_context_ref(s->tls);
    ret->s.returnpath = returnpath_set_ref(s->returnpath);
    atomic_store(&ret->references, 1);
    return ret;
}

struct settings *settings_ref(struct settings *s)
{
    if (s)
        atomic_fetch_add(&s->references, 1);
    return s;
}

void settings_unref(struct settings *s)
{
    if (!s || atomic_fetch_sub(&s->references, 1) > 1)
        return;
    returnpath_set_unref(s->s.returnpath);
    tls_context_unref(s->s.tls);
    if (s->s.release)
        s->s.release(s->s.owner);
    free(s);
}
