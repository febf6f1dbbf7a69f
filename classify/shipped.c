/* The bytes of two files, put in by the assembler: as C arrays they would take a compiler minutes.
 * SHIPPED_RULES and SHIPPED_DATABASE are paths, set by room.cmake. */
#include "classify/shipped.h"

#define EMBED(name, path)                            \
    __asm__(".section .rodata\n"                     \
            ".balign 64\n"                           \
            ".globl " #name "\n" #name ":\n"         \
            ".incbin \"" path "\"\n"                 \
            ".globl " #name "_end\n" #name "_end:\n" \
            ".byte 0\n"                              \
            ".text\n")

EMBED(shipped_rules_bytes, SHIPPED_RULES);
EMBED(shipped_database_bytes, SHIPPED_DATABASE);

extern const char shipped_rules_bytes[], shipped_rules_bytes_end[];
extern const char shipped_database_bytes[], shipped_database_bytes_end[];

struct str shipped_rules(void)
{
    return str_of(shipped_rules_bytes, (size_t)(shipped_rules_bytes_end - shipped_rules_bytes));
}

struct str shipped_database(void)
{
    return str_of(shipped_database_bytes,
                  (size_t)(shipped_database_bytes_end - shipped_database_bytes));
}
