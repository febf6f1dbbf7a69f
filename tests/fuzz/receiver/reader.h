/* reader.h - what takes recipients in the fuzz targets of sessions. */
#ifndef FUZZ_RECEIVER_READER_H
#define FUZZ_RECEIVER_READER_H

#include "base/require.h"
#include "returnpath/returnpath.h"

/* Made once and kept: OpenSSL's set-up would take longer than a session. */
static inline struct returnpath_reader *reader_once(const struct returnpath_domain *list, size_t n)
{
    static struct returnpath_reader *reader;
    if (!reader) {
        const struct returnpath_set_config config = {.domains = list, .domains_n = n};
        struct returnpath_set *set = NULL;
        REQUIRE(returnpath_set_new(&config, &set, NULL) == 0);
        REQUIRE(returnpath_reader_new(set, &reader) == 0);
        returnpath_set_unref(set);
    }
    return reader;
}

#endif
