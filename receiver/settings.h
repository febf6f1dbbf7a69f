/* settings.h - settings of a receiver that somebody uses: counted, never changed. */
#ifndef RECEIVER_SETTINGS_H
#define RECEIVER_SETTINGS_H

#include "receiver/receiver.h"

struct settings {
    struct receiver_settings s;
    _Atomic unsigned references;
};

/* One reference, the caller's. NULL: no memory; s.release is not called then. */
struct settings *settings_new(const struct receiver_settings *s);
/* Any thread; the last unref calls s.release. NULL is fine. */
struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings *s);

#endif
