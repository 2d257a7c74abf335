# The Debian package: cmake --build --preset release --target package.
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)  # the prefix is compiled in
set(CPACK_PACKAGE_NAME holdfast)
set(CPACK_PACKAGE_CONTACT "Holdfast developers <holdfast@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "backup jobs run by systemd, driven over D-Bus")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Holdfast prepares a source (such as the git repository of a boot drive), streams it into
any rclone remote, and cleans up whatever happens. Every run is a systemd unit
with limits and a sandbox of its own; polkit decides who may start what.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd (>= 252), default-dbus-system-bus | dbus-system-bus, polkitd, rclone, tar")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA postinst prerm postrm)
list(TRANSFORM CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA PREPEND ${PROJECT_SOURCE_DIR}/packaging/debian/)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
if(NOT HOLDFAST_SANITIZE)
  set(CPACK_STRIP_FILES ON)
endif()
include(CPack)
