room_library(parser mime.c gmime-3.0)
