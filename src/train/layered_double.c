#define WW_REAL double
#define WW_KERNEL(name) ww_kernel_##name
#define WW_ADD ww_column_sum_add
#define WW_WORDS 2
#define WW_NUMBERS ww_activations_double
#define WW_METHODS ww_layered_double

#include "train/layered_real.h"
