#include <cblas.h>

#define WW_REAL float
#define WW_KERNEL(name) ww_kernel_##name##_single
#define WW_BLAS(routine) cblas_s##routine
#define WW_SINGLE_PRODUCTS(rows, count, length, vector, products)                                  \
    cblas_sgemv(CblasRowMajor, CblasNoTrans, ww_int(count), ww_int(length), 1.0F, rows,            \
                ww_int(length), vector, 1, 0.0F, products, 1)

#include "train/kernels_real.h"
