#define WW_REAL float
#define WW_KERNEL(name) ww_kernel_##name##_single
#define WW_METHODS ww_activations_single

#include "train/activations_real.h"
