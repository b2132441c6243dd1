#include "network/activation_versions.h"
#include "widthwise/network.h"

#include <string.h>

double ww_negative_slope(const ww_config *config)
{
    return config->network.activation.kind == WW_ACTIVATION_LEAKY_RELU
               ? config->network.activation.slope
               : 0.0;
}

// Both sides are made, and one is chosen by its bits: signs are in no order that a processor could
// foresee, and a choice between doubles the compiler turns back into a branch.
WW_INLINED double chosen(uint64_t mask, double where_set, double elsewhere)
{
    uint64_t set = 0;
    uint64_t other = 0;
    double result = 0.0;
    memcpy(&set, &where_set, sizeof set);
    memcpy(&other, &elsewhere, sizeof other);
    set = (set & mask) | (other & ~mask);
    memcpy(&result, &set, sizeof result);
    return result;
}

WW_INLINED void activate(double slope, double *restrict values, size_t count,
                         uint8_t *restrict active)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t mask = 0 - (uint64_t)(values[i] >= 0.0);
        active[i] = (uint8_t)(mask & 1);
        values[i] = chosen(mask, values[i], slope * values[i]);
    }
}

WW_INLINED void find_patterns(const double *restrict values, size_t count, uint8_t *restrict active)
{
    for (size_t i = 0; i < count; i++)
        active[i] = values[i] >= 0.0;
}

WW_INLINED void activate_by(double slope, const uint8_t *restrict active,
                            const double *restrict values, size_t count,
                            double *restrict activations)
{
    for (size_t i = 0; i < count; i++)
        activations[i] = chosen(0 - (uint64_t)active[i], values[i], slope * values[i]);
}

#define ACTIVATE(name, target)                                                                     \
    target static void activate_##name(double slope, double *values, size_t count,                 \
                                       uint8_t *active)                                            \
    {                                                                                              \
        activate(slope, values, count, active);                                                    \
    }
#define PATTERNS(name, target)                                                                     \
    target static void patterns_##name(const double *values, size_t count, uint8_t *active)        \
    {                                                                                              \
        find_patterns(values, count, active);                                                      \
    }
#define ACTIVATE_BY(name, target)                                                                  \
    target static void activate_by_##name(double slope, const uint8_t *active,                     \
                                          const double *values, size_t count, double *activations) \
    {                                                                                              \
        activate_by(slope, active, values, count, activations);                                    \
    }
#define VERSION(name, target)                                                                      \
    ACTIVATE(name, target) PATTERNS(name, target) ACTIVATE_BY(name, target)
#define AS_IT_IS
VERSION(plain, AS_IT_IS)
VERSION(avx2, WW_TARGET_AVX2)
VERSION(avx512, WW_TARGET_AVX512)

const ww_activation_version ww_activation_versions[WW_VERSIONS] = {
    [WW_VERSION_PLAIN] = {activate_plain, patterns_plain, activate_by_plain},
    [WW_VERSION_AVX2] = {activate_avx2, patterns_avx2, activate_by_avx2},
    [WW_VERSION_AVX512] = {activate_avx512, patterns_avx512, activate_by_avx512},
};

void ww_activate(double slope, double *preactivations, size_t count, uint8_t *active)
{
    ww_activation_versions[ww_version_best()].activate(slope, preactivations, count, active);
}

void ww_patterns(const double *preactivations, size_t count, uint8_t *active)
{
    ww_activation_versions[ww_version_best()].patterns(preactivations, count, active);
}

void ww_activate_by(double slope, const uint8_t *active, const double *preactivations, size_t count,
                    double *activations)
{
    ww_activation_versions[ww_version_best()].activate_by(slope, active, preactivations, count,
                                                          activations);
}
