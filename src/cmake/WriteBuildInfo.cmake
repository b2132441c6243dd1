# Run at build time by SourceVersion.cmake.
execute_process(
    COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE commit
    OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET)
if(NOT commit)
    set(commit "unknown")
endif()
set(content
    "#ifndef WIDTHWISE_BUILD_INFO_H
#define WIDTHWISE_BUILD_INFO_H
#define WW_VERSION \"${VERSION}\"
#define WW_COMMIT \"${commit}\"
#define WW_COMPILER \"${COMPILER}\"
#define WW_FLAGS \"${FLAGS}\"
#endif
")
if(EXISTS ${OUTPUT})
    file(READ ${OUTPUT} old)
endif()
if(NOT "${old}" STREQUAL "${content}")
    file(WRITE ${OUTPUT} "${content}")
endif()
