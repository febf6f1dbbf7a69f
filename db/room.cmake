room_library(db pg.c libpq)
room_library(db content.c libcrypto)
include(${CMAKE_SOURCE_DIR}/db/steps.cmake)
