# The Debian package: cmake --build --preset release --target package.
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES packaging/debian/lintian-overrides RENAME holdfast DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides)

# What the documentation links to lies elsewhere once installed.
function(documentation_link path target)
  get_filename_component(folder ${PROJECT_BINARY_DIR}/documentation/${path} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  file(CREATE_LINK ${target} ${PROJECT_BINARY_DIR}/documentation/${path} SYMBOLIC)
endfunction()
documentation_link(LICENSE ../../common-licenses/LGPL-2.1)
documentation_link(dbus/org.holdfast1.xml ../../../dbus-1/interfaces/org.holdfast1.xml)
documentation_link(src/job/job.schema.json ../../../../holdfast/job.schema.json)
install(DIRECTORY ${PROJECT_BINARY_DIR}/documentation/ DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(FILES ${PROJECT_BINARY_DIR}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)  # the prefix is compiled in
set(CPACK_PACKAGE_NAME holdfast)
set(CPACK_PACKAGE_CONTACT "Holdfast developers <holdfast@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "backup jobs run by systemd, driven over D-Bus")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Holdfast prepares a source (such as the git repository of a boot drive),
streams it into any rclone remote, and cleans up whatever happens. Every run
is a systemd unit with limits and a sandbox of its own; polkit decides who
may start what.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd (>= 252), default-dbus-system-bus | dbus-system-bus, polkitd, procps, rclone")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA postinst prerm postrm)
list(TRANSFORM CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA PREPEND ${PROJECT_SOURCE_DIR}/packaging/debian/)
if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo)
  set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
else()
  set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)  # faster; not every Debian tool can read it
endif()
if(NOT HOLDFAST_SANITIZE)
  set(CPACK_STRIP_FILES ON)
endif()
include(CPack)
