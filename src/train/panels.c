#include "train/panels.h"

static int64_t whole_lanes(int64_t count, size_t size)
{
    const int64_t lanes = WW_LANES_BYTES / (int64_t)size;
    return (count + lanes - 1) / lanes * lanes;
}

bool ww_panel_has(ww_panel_version version)
{
#if defined(__x86_64__)
    if (version == WW_PANEL_NARROW)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (version == WW_PANEL_WIDE)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    return version == WW_PANEL_PLAIN;
}

ww_panel_version ww_panel_best(void)
{
    for (int version = WW_PANEL_VERSIONS - 1; version > WW_PANEL_PLAIN; version--)
        if (ww_panel_has((ww_panel_version)version))
            return (ww_panel_version)version;
    return WW_PANEL_PLAIN;
}

size_t ww_panel_values(int64_t samples, int64_t dimension, size_t size)
{
    return (size_t)(whole_lanes(samples, size) * dimension);
}

size_t ww_strip_values(int64_t samples, int64_t dimension, size_t size)
{
    return (size_t)(samples * whole_lanes(dimension, size));
}
