# Its keys are made with OpenSSL.
pkg_check_modules(libcrypto REQUIRED IMPORTED_TARGET libcrypto)
target_link_libraries(unit_attribute_dkim PRIVATE PkgConfig::libcrypto)
