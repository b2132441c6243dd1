/// The versions of what activation.c does, for tests that compare them. Private to src/network.
#ifndef WIDTHWISE_NETWORK_ACTIVATION_VERSIONS_H
#define WIDTHWISE_NETWORK_ACTIVATION_VERSIONS_H

#include "widthwise/versions.h"

#include <stddef.h>
#include <stdint.h>

/// As the functions of network.h: ww_activate, ww_patterns, ww_activate_by.
typedef struct ww_activation_version {
    void (*activate)(double slope, double *values, size_t count, uint8_t *active);
    void (*patterns)(const double *values, size_t count, uint8_t *active);
    void (*activate_by)(double slope, const uint8_t *active, const double *values, size_t count,
                        double *activations);
} ww_activation_version;

extern const ww_activation_version ww_activation_versions[WW_VERSIONS];

#endif
