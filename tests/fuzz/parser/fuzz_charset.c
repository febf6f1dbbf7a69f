/* Charset names and bytes of a message's making. First line: the charset; rest: the bytes. */
#include "base/require.h"
#include "parser/charset.h"
#include "parser/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_of(data, size), charset = {NULL, 0};
    if (str_chr(bytes, '\n', 0) < bytes.n)
        charset = str_cut(&bytes, '\n');
    static const size_t rooms[] = {0, 1, 7, 100, 100000};
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        struct arena a = arena_make(1 << 22);
        struct str utf8 = charset_to_utf8(&a, bytes, charset, rooms[i]);
        REQUIRE(utf8.n <= rooms[i] && str_is_utf8(utf8));
        struct str line = text_line(&a, bytes, charset, rooms[i]);
        REQUIRE(line.n <= rooms[i] && str_is_utf8(line));
        REQUIRE(str_chr(line, '\n', 0) == line.n && str_chr(line, '\r', 0) == line.n);
        struct str text = text_from_html(&a, utf8, rooms[i]);
        REQUIRE(text.n <= utf8.n + 1);
        arena_free(&a);
    }
    return 0;
}
