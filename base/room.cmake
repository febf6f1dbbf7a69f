room_library(base domain.c libidn2)
room_library(base domain.c libpsl)
