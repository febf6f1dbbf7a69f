# Compiler and linker flags of every target of ours.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(BOUNCEMX_SANITIZE "" CACHE STRING "Sanitizers, comma separated")
option(BOUNCEMX_HARDEN "Hardening and link-time optimisation" OFF)
option(BOUNCEMX_FUZZ "Build the libFuzzer targets" OFF)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
    -Wall -Wextra -Werror -Wshadow -Wvla -Wpointer-arith -Wcast-qual -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wundef -Wformat=2 -Wwrite-strings
    -Wimplicit-fallthrough -Wconversion -Wno-sign-conversion
    # snprintf into a bounded text is how we cut; where it matters the result is checked.
    -Wno-format-truncation -Wno-unknown-warning-option
    -fno-common -fno-omit-frame-pointer)
include_directories(${CMAKE_SOURCE_DIR})

if(BOUNCEMX_SANITIZE)
    add_compile_options(-fsanitize=${BOUNCEMX_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${BOUNCEMX_SANITIZE})
endif()
if(BOUNCEMX_FUZZ)
    # Coverage in every object; only the fuzz targets link libFuzzer's main.
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(BOUNCEMX_HARDEN)
    set(harden -fstack-protector-strong -fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        list(APPEND harden -fcf-protection)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
        list(APPEND harden -mbranch-protection=standard)
    endif()
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 ${harden})
    # Link-time optimisation makes the code at the link: it needs the same flags there.
    add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -pie ${harden})
    include(CheckIPOSupported)
    check_ipo_supported(RESULT ipo OUTPUT ipo_why LANGUAGES C)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${ipo})
endif()
