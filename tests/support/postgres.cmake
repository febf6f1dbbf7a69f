# One PostgreSQL cluster for all tests that ask for it, started before the first of them and stopped
# after the last; each test uses databases of its own in it.
set(BOUNCEMX_POSTGRES_SH ${CMAKE_SOURCE_DIR}/tests/support/postgres.sh)
set(BOUNCEMX_TEST_CLUSTER ${CMAKE_BINARY_DIR}/tests/postgres-folder)

add_test(NAME postgres/start COMMAND ${BOUNCEMX_POSTGRES_SH} start-temp ${BOUNCEMX_TEST_CLUSTER})
add_test(NAME postgres/stop COMMAND ${BOUNCEMX_POSTGRES_SH} stop-temp ${BOUNCEMX_TEST_CLUSTER})
set_tests_properties(postgres/start PROPERTIES FIXTURES_SETUP postgres LABELS quick TIMEOUT 120)
set_tests_properties(postgres/stop PROPERTIES FIXTURES_CLEANUP postgres LABELS quick TIMEOUT 120)

# needs_postgres(test...): in the same folder as their add_test.
function(needs_postgres)
    foreach(test ${ARGN})
        set_property(TEST ${test} APPEND PROPERTY FIXTURES_REQUIRED postgres)
        set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT
            BOUNCEMX_TEST_CLUSTER=${BOUNCEMX_TEST_CLUSTER}
            BOUNCEMX_POSTGRES_SH=${BOUNCEMX_POSTGRES_SH})
    endforeach()
endfunction()
