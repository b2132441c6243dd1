#define WW_REAL double
#define WW_KERNEL(name) ww_kernel_##name
#define WW_METHODS ww_activations_double

#include "train/activations_real.h"
