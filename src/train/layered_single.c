#define WW_REAL float
#define WW_KERNEL(name) ww_kernel_##name##_single
#define WW_ADD ww_column_sum_add_single
#define WW_WORDS 1
#define WW_NUMBERS ww_activations_single
#define WW_METHODS ww_layered_single

#include "train/layered_real.h"
