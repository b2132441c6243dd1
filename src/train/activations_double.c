#include "widthwise/network.h"

#define WW_REAL double
#define WW_KERNEL(name) ww_kernel_##name
#define WW_ACTIVATE(slope, values, count, active)                                                  \
    ww_activate(slope, values, (size_t)(count), active)
#define WW_SEE(values, count, active) ww_patterns(values, (size_t)(count), active)
#define WW_METHODS ww_activations_double

#include "train/activations_real.h"
