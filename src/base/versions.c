#include "widthwise/versions.h"

bool ww_version_is_here(ww_version version)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (version == WW_VERSION_AVX2)
        return __builtin_cpu_supports("avx2");
    if (version == WW_VERSION_AVX512)
        return __builtin_cpu_supports("avx512f");
#endif
    return version == WW_VERSION_PLAIN;
}

ww_version ww_version_best(void)
{
    for (int version = WW_VERSIONS - 1; version > WW_VERSION_PLAIN; version--)
        if (ww_version_is_here((ww_version)version))
            return (ww_version)version;
    return WW_VERSION_PLAIN;
}
