# Installs every component: headers, library, CMake package and one pkg-config module each (belay-core, belay-sqlite …).
#
# What a component needs from elsewhere is read off the targets it links, and users are asked for that only when they
# ask for the component: whoever wants SQLite needs no libpq.

option(BELAY_INSTALL "Generate the install rules" ${PROJECT_IS_TOP_LEVEL})
if(NOT BELAY_INSTALL)
  return()
endif()
include(CMakePackageConfigHelpers)

# TARGET -> how a user's CMake finds it, the pkg-config modules that stand for it, and the flags where there is none.
function(belay_external target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FIND;MODULES;FLAGS" "")
  set_property(GLOBAL APPEND PROPERTY BELAY_EXTERNALS ${target})
  foreach(fact IN ITEMS FIND MODULES FLAGS)
    set_property(GLOBAL PROPERTY BELAY_EXTERNAL_${target}_${fact} "${arg_${fact}}")
  endforeach()
endfunction()

belay_external(Threads::Threads FIND "find_dependency(Threads)" FLAGS "-pthread")
belay_external(Boost::headers FIND "find_dependency(Boost 1.81 CONFIG COMPONENTS headers)")
belay_external(Boost::json FIND "find_dependency(Boost 1.81 CONFIG COMPONENTS headers json)" FLAGS "-lboost_json")
belay_external(OpenSSL::SSL FIND "find_dependency(OpenSSL 3.0)" MODULES "openssl")
belay_external(SQLite::SQLite3 FIND "find_dependency(SQLite3 3.40)" MODULES "sqlite3")
belay_external(PkgConfig::re2 MODULES "re2" FIND
  "find_dependency(PkgConfig)\n  if(NOT TARGET PkgConfig::re2)\n    pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)\n  endif()")
belay_external(fmt::fmt FIND "find_dependency(fmt)" MODULES "fmt")
belay_external(spdlog::spdlog FIND "find_dependency(spdlog)" MODULES "spdlog")
belay_external(GTest::gtest FIND "find_dependency(GTest)" MODULES "gtest")
belay_external(GTest::gmock FIND "find_dependency(GTest)" MODULES "gmock")

file(RELATIVE_PATH BELAY_PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
set(belay_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/belay")
get_property(belay_components GLOBAL PROPERTY BELAY_COMPONENTS)
get_property(belay_externals GLOBAL PROPERTY BELAY_EXTERNALS)

set(BELAY_COMPONENT_FACTS "set(_belay_components ${belay_components})\n")
foreach(component IN LISTS belay_components)
  get_target_property(linked belay_${component} LINK_LIBRARIES)
  list(TRANSFORM linked REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1")
  list(TRANSFORM linked REPLACE "^belay_" "belay::")
  set(needs "")
  set(finds "")
  set(BELAY_PC_REQUIRES "")
  set(BELAY_PC_LIBS "-lbelay_${component}")
  foreach(item IN LISTS linked)
    if(item MATCHES "^belay::(.+)$" AND CMAKE_MATCH_1 IN_LIST belay_components)
      list(APPEND needs ${CMAKE_MATCH_1})
      list(APPEND BELAY_PC_REQUIRES belay-${CMAKE_MATCH_1})
    elseif(item IN_LIST belay_externals)
      get_property(find GLOBAL PROPERTY BELAY_EXTERNAL_${item}_FIND)
      get_property(modules GLOBAL PROPERTY BELAY_EXTERNAL_${item}_MODULES)
      get_property(flags GLOBAL PROPERTY BELAY_EXTERNAL_${item}_FLAGS)
      string(APPEND finds "  ${find}\n")
      list(APPEND BELAY_PC_REQUIRES ${modules})
      string(APPEND BELAY_PC_LIBS " ${flags}")
    elseif(item AND NOT item MATCHES "^\\$<BUILD_INTERFACE:")
      message(FATAL_ERROR "component ${component} links ${item}: say with belay_external() how a user finds it")
    endif()
  endforeach()
  string(APPEND BELAY_COMPONENT_FACTS
    "set(_belay_${component}_needs ${needs})\nmacro(_belay_find_${component})\n${finds}endmacro()\n")

  list(JOIN BELAY_PC_REQUIRES " " BELAY_PC_REQUIRES)
  set(BELAY_PC_NAME ${component})
  configure_file("${PROJECT_SOURCE_DIR}/cmake/belay.pc.in" "${PROJECT_BINARY_DIR}/package/belay-${component}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/package/belay-${component}.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT library)
  install(TARGETS belay_${component} EXPORT belay-targets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT library)
endforeach()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/belay-config.cmake.in" "${PROJECT_BINARY_DIR}/package/belay-config.cmake"
  INSTALL_DESTINATION "${belay_package_dir}")
# Before 1.0 a minor version may break what the one before promised.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/belay-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/package/belay-config.cmake"
  "${PROJECT_BINARY_DIR}/package/belay-config-version.cmake"
  DESTINATION "${belay_package_dir}" COMPONENT library)
install(EXPORT belay-targets NAMESPACE belay:: DESTINATION "${belay_package_dir}" COMPONENT library)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT library)
