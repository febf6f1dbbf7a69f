room_library(receiver stream.c libuv)
room_library(receiver listener.c libuv)
room_library(receiver tls.c libssl)
room_library(receiver tls.c libcrypto)
