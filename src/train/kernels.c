#include "train/kernels.h"

#include "widthwise/memory.h"

#include <cblas.h>
#include <stdlib.h>

int64_t ww_block_size(int64_t samples, int64_t start)
{
    return samples - start < WW_SAMPLE_BLOCK ? samples - start : WW_SAMPLE_BLOCK;
}

size_t ww_kernel_output_room(bool pairs, int64_t samples, int64_t k)
{
    return (size_t)(samples * k) * (pairs ? 2 : 1);
}

ww_status ww_kernel_check(ww_error *error)
{
    const size_t size = WW_KERNEL_CHECK_SIZE;
    double *left = ww_allocate(size, sizeof(double), "a check of BLAS", error);
    double *right = ww_allocate(size, sizeof(double), "a check of BLAS", error);
    void *room = ww_allocate(3 * size, sizeof(double), "a check of BLAS", error);
    ww_status status = left && right && room ? WW_OK : WW_FAILED;
    for (size_t i = 0; status == WW_OK && i < size; i++) {
        left[i] = (double)(i * 37 % 101) / 64.0 - 0.75;
        right[i] = (double)(i * 53 % 103) / 128.0 - 0.375;
    }
    if (status == WW_OK &&
        !(ww_kernel_is_right(left, right, room) && ww_kernel_is_right_single(left, right, room)))
        status = ww_fail(error, WW_FAILED,
                         "the BLAS library multiplies wrongly on this processor (its kernel is "
                         "%s): set OPENBLAS_CORETYPE=Haswell, or use another build of OpenBLAS",
                         openblas_get_corename());
    free(left);
    free(right);
    free(room);
    return status;
}
