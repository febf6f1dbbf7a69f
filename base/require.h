/* require.h - REQUIRE: our own contract was broken. Always on; prints where and aborts.
 * Never for what a peer, a disk or a database did: those get an error. */
#ifndef BASE_REQUIRE_H
#define BASE_REQUIRE_H

_Noreturn void require_failed(const char *expr, const char *file, int line);

#define REQUIRE(expr) ((expr) ? (void)0 : require_failed(#expr, __FILE__, __LINE__))

#endif
