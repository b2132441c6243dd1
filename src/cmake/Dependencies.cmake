# Finds what Widthwise stands on. Everything missing is collected and named together, with its Debian
# and its Spack package, so that one installation mends it.

find_package(PkgConfig QUIET)
set(WIDTHWISE_MISSING "")

function(widthwise_missing what debian spack)
    set(WIDTHWISE_MISSING
        "${WIDTHWISE_MISSING}\n  ${what}: Debian package ${debian}, Spack package ${spack}"
        PARENT_SCOPE)
endfunction()

# Adds imported target WIDTHWISE::<name> from the first pkg-config module found, else from a header
# and a library looked for in the usual places (clusters' modules set CMAKE_PREFIX_PATH or CPATH).
function(widthwise_find name modules header library debian spack)
    set(found FALSE)
    if(PkgConfig_FOUND)
        foreach(module IN LISTS modules)
            pkg_check_modules(WIDTHWISE_${name} QUIET IMPORTED_TARGET ${module})
            if(WIDTHWISE_${name}_FOUND)
                add_library(WIDTHWISE::${name} ALIAS PkgConfig::WIDTHWISE_${name})
                set(WIDTHWISE_${name}_VERSION ${WIDTHWISE_${name}_VERSION} PARENT_SCOPE)
                set(found TRUE)
                break()
            endif()
        endforeach()
    endif()
    if(NOT found)
        add_library(WIDTHWISE_${name} INTERFACE)
        set(found TRUE)
        if(header)
            find_path(WIDTHWISE_${name}_INCLUDE ${header})
            if(WIDTHWISE_${name}_INCLUDE)
                target_include_directories(WIDTHWISE_${name} SYSTEM
                                           INTERFACE ${WIDTHWISE_${name}_INCLUDE})
            else()
                set(found FALSE)
            endif()
        endif()
        if(library)
            find_library(WIDTHWISE_${name}_LIBRARY NAMES ${library})
            if(WIDTHWISE_${name}_LIBRARY)
                target_link_libraries(WIDTHWISE_${name} INTERFACE ${WIDTHWISE_${name}_LIBRARY})
            else()
                set(found FALSE)
            endif()
        endif()
        add_library(WIDTHWISE::${name} ALIAS WIDTHWISE_${name})
    endif()
    if(NOT found)
        widthwise_missing("${name}" ${debian} ${spack})
        set(WIDTHWISE_MISSING "${WIDTHWISE_MISSING}" PARENT_SCOPE)
    endif()
endfunction()

find_package(MPI QUIET COMPONENTS C)
if(NOT MPI_C_FOUND)
    widthwise_missing("Open MPI" libopenmpi-dev openmpi)
endif()
find_package(OpenMP QUIET COMPONENTS C)
if(NOT OpenMP_C_FOUND)
    widthwise_missing("OpenMP" gcc gcc)
endif()
widthwise_find(HDF5 "hdf5-openmpi;hdf5" hdf5.h hdf5 libhdf5-openmpi-dev "hdf5+mpi")
widthwise_find(OpenBLAS "openblas" cblas.h openblas libopenblas-dev openblas)
widthwise_find(ScaLAPACK "scalapack-openmpi;scalapack" "" "scalapack-openmpi;scalapack"
               libscalapack-openmpi-dev netlib-scalapack)
widthwise_find(YAML "yaml-0.1" yaml.h yaml libyaml-dev libyaml)
widthwise_find(Random123 "random123" Random123/philox.h "" librandom123-dev random123)
widthwise_find(xxHash "libxxhash" xxhash.h xxhash libxxhash-dev xxhash)
widthwise_find(ZLIB "zlib" zlib.h z zlib1g-dev zlib)
if(WIDTHWISE_TESTS)
    widthwise_find(cmocka "cmocka" cmocka.h cmocka libcmocka-dev cmocka)
endif()

# ELPA is a second eigensolver, built in where it is found.
set(WIDTHWISE_ELPA_FOUND FALSE)
if(NOT WIDTHWISE_ELPA STREQUAL "OFF")
    if(PkgConfig_FOUND)
        pkg_check_modules(WIDTHWISE_ELPA_MODULE QUIET elpa)
    endif()
    find_path(WIDTHWISE_ELPA_INCLUDE elpa/elpa.h HINTS ${WIDTHWISE_ELPA_MODULE_INCLUDE_DIRS}
                                                       /usr/include/elpa)
    find_library(WIDTHWISE_ELPA_LIBRARY NAMES elpa HINTS ${WIDTHWISE_ELPA_MODULE_LIBRARY_DIRS})
    if(WIDTHWISE_ELPA_INCLUDE AND WIDTHWISE_ELPA_LIBRARY)
        set(WIDTHWISE_ELPA_FOUND TRUE)
    elseif(WIDTHWISE_ELPA STREQUAL "ON")
        widthwise_missing("ELPA" libelpa-dev elpa)
    endif()
endif()

if(WIDTHWISE_MISSING)
    message(FATAL_ERROR "Widthwise needs what was not found here:${WIDTHWISE_MISSING}\n"
                        "Install these (Debian: apt-get install ...; Spack: spack install ...) "
                        "and configure again.")
endif()

# A serial HDF5 compiles until the first collective call; say it now.
include(CheckSymbolExists)
include(CMakePushCheckState)
cmake_push_check_state()
get_target_property(widthwise_hdf5_target WIDTHWISE::HDF5 ALIASED_TARGET)
set(CMAKE_REQUIRED_LIBRARIES ${widthwise_hdf5_target} MPI::MPI_C)
check_symbol_exists(H5Pset_fapl_mpio "mpi.h;hdf5.h" WIDTHWISE_HDF5_IS_PARALLEL)
cmake_pop_check_state()
if(NOT WIDTHWISE_HDF5_IS_PARALLEL)
    message(FATAL_ERROR "The HDF5 library found is not parallel: install Debian package "
                        "libhdf5-openmpi-dev or Spack package hdf5+mpi, and configure again.")
endif()

# Whether the maths library has its functions for vectors too, as glibc does (libmvec), and the
# compiler knows how to ask for them.
include(CheckCSourceCompiles)
cmake_push_check_state()
set(CMAKE_REQUIRED_FLAGS "-O3 -Werror -fno-math-errno -fopenmp-simd")
set(CMAKE_REQUIRED_LIBRARIES m)
check_c_source_compiles(
    "#include <math.h>
    __attribute__((simd(\"notinbranch\"))) double acos(double x);
    __attribute__((simd(\"notinbranch\"))) double atan2(double y, double x);
    __attribute__((target_clones(\"avx512f\", \"avx2\", \"default\")))
    void angles(double *restrict values);
    void angles(double *restrict values)
    {
    #pragma omp simd
        for (int i = 0; i < 256; i++)
            values[i] = acos(values[i]) + atan2(values[i], 2.0);
    }
    int main(int argc, char **argv)
    {
        double values[256] = {0.0};
        values[0] = argc / 100.0 + (argv == 0);
        angles(values);
        return values[0] > 1.0;
    }"
    WIDTHWISE_VECTOR_MATH)
cmake_pop_check_state()

add_library(WidthwiseDependencies INTERFACE)
if(WIDTHWISE_ELPA_FOUND)
    target_link_libraries(WidthwiseDependencies INTERFACE ${WIDTHWISE_ELPA_LIBRARY})
endif()
target_link_libraries(
    WidthwiseDependencies
    INTERFACE MPI::MPI_C
              OpenMP::OpenMP_C
              WIDTHWISE::HDF5
              WIDTHWISE::ScaLAPACK
              WIDTHWISE::OpenBLAS
              WIDTHWISE::YAML
              WIDTHWISE::Random123
              WIDTHWISE::xxHash
              WIDTHWISE::ZLIB
              m)
