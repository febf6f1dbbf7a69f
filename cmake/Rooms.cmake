# room(name USES rooms... HEADERS headers...): one static library from the room's own *.c files.
# USES links other rooms; HEADERS names the single foreign headers that the room may include.
# Foreign libraries are attached in the room's own room.cmake, each to the one file that sees its
# types (see room_library).
find_package(PkgConfig REQUIRED)

function(room name)
    cmake_parse_arguments(ROOM "" "" "USES;HEADERS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.c)
    add_library(bouncemx_${name} STATIC ${sources})
    target_compile_options(bouncemx_${name} PRIVATE -include base/banned.h)
    foreach(used ${ROOM_USES})
        target_link_libraries(bouncemx_${name} PUBLIC bouncemx_${used})
    endforeach()
    set_property(TARGET bouncemx_${name} PROPERTY ROOM_USES "${ROOM_USES}")
    set_property(TARGET bouncemx_${name} PROPERTY ROOM_HEADERS "${ROOM_HEADERS}")
    if(EXISTS ${CMAKE_SOURCE_DIR}/${name}/room.cmake)
        include(${CMAKE_SOURCE_DIR}/${name}/room.cmake)
    endif()
endfunction()

# room_library(room file.c pkg): file.c is the one file that includes the library's headers.
function(room_library room file package)
    string(MAKE_C_IDENTIFIER ${package} id)
    pkg_check_modules(${id} REQUIRED IMPORTED_TARGET ${package})
    set_property(SOURCE ${CMAKE_SOURCE_DIR}/${room}/${file} TARGET_DIRECTORY bouncemx_${room}
        APPEND PROPERTY INCLUDE_DIRECTORIES ${${id}_INCLUDE_DIRS})
    target_link_libraries(bouncemx_${room} PUBLIC ${${id}_LINK_LIBRARIES})
endfunction()
