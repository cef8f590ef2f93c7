# The house: one library a folder, its unit tests beside it, the same rules for all.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers need these to be cacheable; several checkouts share what they compile.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wnon-virtual-dtor -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # GCC 12 sees ghosts in std::string and in coroutine frames.
  add_compile_options(-Wshadow=local -Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow
                      -Wno-array-bounds -Wno-dangling-pointer -Wno-mismatched-new-delete
                      -Wno-missing-field-initializers)
  add_compile_options(-fpch-preprocess)
else()
  add_compile_options(-Wno-missing-field-initializers -Wno-missing-designated-field-initializers)
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
endif()
if(STROWGER_SANITIZE)
  add_compile_options(-fsanitize=${STROWGER_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${STROWGER_SANITIZE})
endif()

# strowger_module(NAME [LINKS target...])
# All .cpp of the current folder become the library strowger_NAME; its *_test.cpp, test_NAME.
function(strowger_module name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(sources)
    add_library(strowger_${name} STATIC ${sources})
    target_include_directories(strowger_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(strowger_${name} PUBLIC ${ARG_LINKS})
    target_precompile_headers(strowger_${name} REUSE_FROM strowger_pch)
    target_link_libraries(strowger_${name} PUBLIC fmt::fmt)
  else()
    add_library(strowger_${name} INTERFACE)
    target_include_directories(strowger_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(strowger_${name} INTERFACE ${ARG_LINKS} fmt::fmt)
  endif()
  if(STROWGER_TESTS AND tests)
    add_executable(test_${name} ${tests})
    target_link_libraries(test_${name} PRIVATE strowger_${name} GTest::gtest GTest::gtest_main)
    target_precompile_headers(test_${name} REUSE_FROM strowger_test_pch)
    target_compile_definitions(test_${name} PRIVATE STROWGER_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  endif()
endfunction()

# strowger_fuzz(NAME LINKS target...): NAME.cpp beside it, corpus in corpus/NAME.
function(strowger_fuzz name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  add_executable(fuzz_${name} ${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINKS})
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
