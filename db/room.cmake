room_library(db pg.c libpq)
include(${CMAKE_SOURCE_DIR}/db/steps.cmake)
