room_library(classify rules.c libhs)

# The shipped rules become part of the program and are rebuilt into it whenever they change.
set(shipped_rules ${CMAKE_SOURCE_DIR}/classify/rules/shipped.rules)
set(shipped_source ${CMAKE_BINARY_DIR}/classify/shipped_rules.c)
add_custom_command(OUTPUT ${shipped_source}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${shipped_rules} -DOUTPUT=${shipped_source}
            -P ${CMAKE_SOURCE_DIR}/classify/embed.cmake
    DEPENDS ${shipped_rules} ${CMAKE_SOURCE_DIR}/classify/embed.cmake
    COMMENT "Embedding shipped.rules")
target_sources(bouncemx_classify PRIVATE ${shipped_source})

# To read, and to copy from: the program does not need the file.
install(FILES ${shipped_rules} DESTINATION ${CMAKE_INSTALL_DOCDIR}/rules)
