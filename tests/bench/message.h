/* message.h - the message that a load program sends, each time with another number in it. */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

/* Reads the file; every "@@@@@@@@@@@@" in it is a place for the number. dot: with the end of data
 * behind it. 0, or -1 with errno. */
int message_load(const char *path, bool dot);
void message_unload(void);

size_t message_size(void);
/* Writes message_size() octets. */
void message_write(char *to, unsigned long number);

#endif
