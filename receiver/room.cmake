room_library(receiver stream.c libuv)
room_library(receiver listener.c libuv)
