room_library(classify rules.c libhs)

# The shipped rules become part of the program, as text and as a compiled database, and both are
# made anew whenever they change.
set(shipped_rules ${CMAKE_SOURCE_DIR}/classify/rules/shipped.rules)
set(shipped_database ${CMAKE_BINARY_DIR}/classify/shipped.db)
set(rules_compiler_parts compiler/rules_compiler.c codes.c codes_table.c operator.c patterns.c
    rules.c rules_file.c verdict.c)
list(TRANSFORM rules_compiler_parts PREPEND ${CMAKE_SOURCE_DIR}/classify/)
add_executable(rules_compiler ${rules_compiler_parts})
target_compile_options(rules_compiler PRIVATE -include base/banned.h)
target_link_libraries(rules_compiler PRIVATE bouncemx_base PkgConfig::libhs)
add_custom_command(OUTPUT ${shipped_database}
    COMMAND rules_compiler ${shipped_rules} ${shipped_database}
    DEPENDS rules_compiler ${shipped_rules}
    COMMENT "Compiling shipped.rules")
add_custom_target(shipped_database DEPENDS ${shipped_database})
add_dependencies(bouncemx_classify shipped_database)
set_source_files_properties(${CMAKE_SOURCE_DIR}/classify/shipped.c PROPERTIES
    OBJECT_DEPENDS "${shipped_rules};${shipped_database}"
    COMPILE_DEFINITIONS "SHIPPED_RULES=\"${shipped_rules}\";SHIPPED_DATABASE=\"${shipped_database}\""
    # Link-time optimisation may lose symbols that only assembler defines.
    COMPILE_OPTIONS -fno-lto)

# To read, and to copy from: the program does not need the file.
install(FILES ${shipped_rules} DESTINATION ${CMAKE_INSTALL_DOCDIR}/rules)
