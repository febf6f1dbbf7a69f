/* recipient.h - whom a load program's messages go to. */
#ifndef BENCH_RECIPIENT_H
#define BENCH_RECIPIENT_H

#include <stdbool.h>

/* to: the RCPT TO of each message; signs: it is minted for to, in which "@@@@@@@@@@@@" becomes the
 * message's number, at bounces.example.test with key a of the tests. False: no memory. */
bool recipient_open(const char *to, bool signs);
void recipient_close(void);

/* Of this message; until the next call. NULL: it can't be signed. */
const char *recipient_of(unsigned long number);

#endif
