room_library(returnpath token.c libcrypto)
room_library(returnpath pattern.c libpcre2-8)
