# Warnings, language and what keeps the bits the same: no contraction into fused multiply-adds.
add_library(WidthwiseOptions INTERFACE)
target_compile_features(WidthwiseOptions INTERFACE c_std_11)
target_compile_definitions(WidthwiseOptions INTERFACE _GNU_SOURCE)
target_compile_options(
    WidthwiseOptions
    INTERFACE -Wall
              -Wextra
              -Wpedantic
              -Wshadow
              -Wconversion
              -Wstrict-prototypes
              -Wmissing-prototypes
              -Wpointer-arith
              -Wwrite-strings
              -Wvla
              -Werror
              -ffp-contract=off
              $<$<CONFIG:Release>:-O3>
              $<$<CONFIG:Debug>:-O1>
              -g)
if(WIDTHWISE_SANITIZE)
    target_compile_options(WidthwiseOptions INTERFACE -fsanitize=address,undefined
                                                      -fno-omit-frame-pointer
                                                      -fno-sanitize-recover=undefined)
    target_link_options(WidthwiseOptions INTERFACE -fsanitize=address,undefined -rdynamic)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
