# cmake -DINPUT=... -DOUTPUT=... -P embed.cmake: a file's bytes as a C array.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "((0x..,){20})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "/* Made from classify/rules/shipped.rules by classify/embed.cmake. */
#include \"classify/shipped.h\"

const unsigned char shipped_rules[] = {
${bytes}
};
const size_t shipped_rules_n = sizeof(shipped_rules);
")
