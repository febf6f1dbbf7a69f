room_library(attribute dkim.c opendkim)
