# Writes build_info.h with version, commit, compiler and flags at every build, so that an output file
# says what made it. The file is only touched when its content changes.
set(WIDTHWISE_GENERATED ${CMAKE_CURRENT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${WIDTHWISE_GENERATED})
string(TOUPPER "${CMAKE_BUILD_TYPE}" widthwise_build_type)
add_custom_target(
    source-version
    COMMAND
        ${CMAKE_COMMAND} -DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}
        -DOUTPUT=${WIDTHWISE_GENERATED}/build_info.h -DVERSION=${PROJECT_VERSION}
        "-DCOMPILER=${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}"
        "-DFLAGS=${CMAKE_BUILD_TYPE}: ${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${widthwise_build_type}} -ffp-contract=off"
        -P ${CMAKE_CURRENT_LIST_DIR}/WriteBuildInfo.cmake
    BYPRODUCTS ${WIDTHWISE_GENERATED}/build_info.h
    VERBATIM)
