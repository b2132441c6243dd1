/// Loops over many numbers are compiled in several versions, for processors with wider vectors. The
/// widest that the processor has is taken when the program runs. All give the same bits: a lane
/// does what one number would do, without contraction.
///
/// A source has the loop once, inlined into one function a version; a table of these functions, by
/// version, lets tests compare them.
#ifndef WIDTHWISE_VERSIONS_H
#define WIDTHWISE_VERSIONS_H

#include <stdbool.h>

typedef enum ww_version {
    WW_VERSION_PLAIN, ///< what every processor has
    WW_VERSION_AVX2,
    WW_VERSION_AVX512, ///< AVX-512F
    WW_VERSIONS
} ww_version;

#if defined(__x86_64__) && defined(__GNUC__)
#define WW_TARGET_AVX2 __attribute__((target("avx2")))
#define WW_TARGET_AVX512 __attribute__((target("avx512f")))
#else
#define WW_TARGET_AVX2
#define WW_TARGET_AVX512
#endif

/// What goes into each version.
#define WW_INLINED static inline __attribute__((always_inline))

/// Whether this processor has what a version needs. Pure.
bool ww_version_is_here(ww_version version);
/// The widest of those. Pure.
ww_version ww_version_best(void);

#endif
