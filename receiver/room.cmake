room_library(receiver conn.c libuv)
room_library(receiver listener.c libuv)
