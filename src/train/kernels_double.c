#include "train/vectors.h"

#include <cblas.h>

#define WW_REAL double
#define WW_KERNEL(name) ww_kernel_##name
#define WW_BLAS(routine) cblas_d##routine
#define WW_SINGLE_PRODUCTS(rows, count, length, vector, products)                                  \
    ww_vector_products(rows, count, length, vector, length, products, 1)

#include "train/kernels_real.h"
