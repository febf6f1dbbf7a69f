# The steps of migrations/ go into the program: one C file, written when a step changes.
file(GLOB steps CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/migrations/*.sql)
set(steps_c ${CMAKE_BINARY_DIR}/generated/db_steps.c)
add_custom_command(OUTPUT ${steps_c}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${steps_c} -DFOLDER=${CMAKE_SOURCE_DIR}/migrations
        -P ${CMAKE_SOURCE_DIR}/cmake/Steps.cmake
    DEPENDS ${steps} ${CMAKE_SOURCE_DIR}/cmake/Steps.cmake
    COMMENT "Steps of migrations/"
    VERBATIM)
target_sources(bouncemx_db PRIVATE ${steps_c})
