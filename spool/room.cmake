room_library(spool record.c libxxhash)
find_package(Threads REQUIRED)
target_link_libraries(bouncemx_spool PUBLIC Threads::Threads)
