# What `cmake --install` puts where, beside the program (app/CMakeLists.txt). A configuration is
# installed as a sample only: /etc belongs to the operator.
install(FILES docs/man/bouncemx.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/bouncemx.yaml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)

file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/*.md ${CMAKE_SOURCE_DIR}/docs/*.svg)
install(FILES README.md CHANGELOG.md LICENSE ${pages} DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES conf/bouncemx.yaml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
# The shipped rules are inside the program; here they are to be read, and as an example of one's own.
install(FILES classify/rules/shipped.rules DESTINATION ${CMAKE_INSTALL_DATADIR}/bouncemx)

# systemd looks in /usr/local/lib as well as in /usr/lib: never in lib/<architecture>.
file(READ packaging/systemd/hardening.conf HARDENING)
foreach(unit bouncemx bouncemx-receive bouncemx-process bouncemx-keeper)
    configure_file(packaging/systemd/${unit}.service.in packaging/${unit}.service @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/packaging/${unit}.service DESTINATION lib/systemd/system)
endforeach()
install(FILES packaging/systemd/bouncemx.socket packaging/systemd/bouncemx-receive.socket
    DESTINATION lib/systemd/system)
install(FILES packaging/systemd/bouncemx.sysusers DESTINATION lib/sysusers.d RENAME bouncemx.conf)
install(FILES packaging/systemd/bouncemx.tmpfiles DESTINATION lib/tmpfiles.d RENAME bouncemx.conf)
