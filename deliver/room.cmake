room_library(deliver relay.c libcurl)
