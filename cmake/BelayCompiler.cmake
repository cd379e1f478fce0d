# How every target of the project is compiled: warnings, sanitizer exceptions, ccache, precompiled header.

set(BELAY_SANITIZER "" CACHE STRING "address, thread, fuzzer or empty: what the preset's flags switch on")

find_program(BELAY_CCACHE ccache)
if(BELAY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER AND PROJECT_IS_TOP_LEVEL)
  # Without this sloppiness ccache refuses every file that uses a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${BELAY_CCACHE}")
endif()

add_library(belay_options INTERFACE)
target_compile_features(belay_options INTERFACE cxx_std_20)
target_compile_options(belay_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<BOOL:${BELAY_WARNINGS_AS_ERRORS}>:-Werror>
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
# Asio names no locale, no deprecated executor API: keep ours from leaning on what newer versions removed.
target_compile_definitions(belay_options INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
# Builds with tests let a simulation misbehave at the library's buggify points (belay/core/buggify.hpp).
target_compile_definitions(belay_options INTERFACE $<$<BOOL:${BELAY_BUILD_TESTS}>:BELAY_SIMULATION>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Once g++ 12 optimises or instruments, it takes an empty std::optional for an object that nobody initialised.
  target_compile_options(belay_options INTERFACE -Wno-maybe-uninitialized)
endif()
if(BELAY_SANITIZER STREQUAL "thread")
  target_compile_options(belay_options INTERFACE -Wno-tsan)
endif()

# spdlog as it is linked: under ThreadSanitizer from its headers, because Debian's library is not instrumented, and the
# last reference to a logger, dropped there, would look like a race with those dropped here.
set(BELAY_SPDLOG spdlog::spdlog)
if(BELAY_SANITIZER STREQUAL "thread")
  set(BELAY_SPDLOG spdlog::spdlog_header_only)
endif()

# The light precompiled header: what nearly every file includes and nothing that only some do.
function(belay_precompile target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    if(NOT TARGET belay_pch)
      file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/belay_pch.cpp" CONTENT "" @ONLY)
      add_library(belay_pch OBJECT "${PROJECT_BINARY_DIR}/belay_pch.cpp")
      target_link_libraries(belay_pch PRIVATE belay_options Threads::Threads)
      target_precompile_headers(belay_pch PRIVATE <algorithm> <chrono> <cstdint> <functional> <memory> <optional>
        <span> <string> <string_view> <variant> <vector> <boost/asio/awaitable.hpp>)
    endif()
    target_precompile_headers(${target} REUSE_FROM belay_pch)
  endif()
endfunction()
