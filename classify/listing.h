/* listing.h - which of our hosts a refusal speaks of, on whose list it stands, and where to look.
 *
 * What a block tells besides its category (RFC 5782 describes the lists that most of them mean):
 *
 *   554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org;
 *   https://www.spamhaus.org/query/ip/192.0.2.1
 *
 * No opinion and no look-up: parts of the words only. */
#ifndef CLASSIFY_LISTING_H
#define CLASSIFY_LISTING_H

#include "base/str.h"

/* Slices of the text they were found in; absent when it does not say. */
struct listing {
    struct str address; /* the sending host's IP address, IPv4 or IPv6 without brackets */
    struct str list;    /* the block list's name in DNS as written; else of a known list's site */
    struct str url;     /* http or https: where the listing is explained or taken back */
};

/* Looks at the first 8 KiB of text, one reply or the words of a report around it. An address that
 * the text gives to the refusing host ("host mx.example[192.0.2.9] said:") is not the sender's. */
struct listing listing_find(struct str text);

#endif
