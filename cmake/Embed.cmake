# Files that a program carries inside: a source with their bytes.
#
# strowger_embed(TARGET HEADER NAMESPACE FUNCTION FOLDER file...): `const EmbeddedFile* FUNCTION(name)`, as HEADER
# declares it, is added to the target.
function(strowger_embed target header namespace folder)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded_files.cpp)
  set(paths)
  foreach(name ${ARGN})
    list(APPEND paths ${folder}/${name})
  endforeach()
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DHEADER=${header} -DNAMESPACE=${namespace} -DFOLDER=${folder}
            "-DNAMES=${ARGN}" -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${paths} ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
    COMMENT "Embedding ${ARGN}" VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
