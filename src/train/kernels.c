#include "train/kernels.h"

#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

int64_t ww_block_size(int64_t samples, int64_t start)
{
    return samples - start < WW_SAMPLE_BLOCK ? samples - start : WW_SAMPLE_BLOCK;
}

void ww_kernel_preactivations(const double *weights, int64_t units, const double *inputs,
                              int64_t samples, int64_t dimension, double *preactivations)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(units), ww_int(samples),
                ww_int(dimension), 1.0, weights, ww_int(dimension), inputs, ww_int(dimension), 0.0,
                preactivations, ww_int(samples));
}

void ww_kernel_outputs(const double *activations, const double *output_weights, int64_t units,
                       int64_t samples, int64_t k, double *outputs)
{
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, ww_int(samples), ww_int(k), ww_int(units),
                1.0, activations, ww_int(samples), output_weights, ww_int(k), 0.0, outputs,
                ww_int(k));
}

void ww_kernel_coefficients(const double *output_weights, const double *gradients, int64_t units,
                            int64_t samples, int64_t k, double *coefficients)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(units), ww_int(samples), ww_int(k),
                1.0, output_weights, ww_int(k), gradients, ww_int(k), 0.0, coefficients,
                ww_int(samples));
}

void ww_kernel_rows(double scale, const double *coefficients, const double *inputs, int64_t units,
                    int64_t samples, int64_t dimension, double keep, double *rows)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ww_int(units), ww_int(dimension),
                ww_int(samples), scale, coefficients, ww_int(samples), inputs, ww_int(dimension),
                keep, rows, ww_int(dimension));
}

ww_status ww_kernel_check(ww_error *error)
{
    enum { UNITS = 128, SAMPLES = 67, DIMENSION = 259 };
    double *weights =
        ww_allocate((size_t)UNITS * DIMENSION, sizeof(double), "a check of BLAS", error);
    double *inputs =
        ww_allocate((size_t)SAMPLES * DIMENSION, sizeof(double), "a check of BLAS", error);
    double *product =
        ww_allocate((size_t)UNITS * SAMPLES, sizeof(double), "a check of BLAS", error);
    ww_status status = weights && inputs && product ? WW_OK : WW_FAILED;
    if (status == WW_OK) {
        for (int i = 0; i < UNITS * DIMENSION; i++)
            weights[i] = (double)(i * 37 % 101) / 64.0 - 0.75;
        for (int i = 0; i < SAMPLES * DIMENSION; i++)
            inputs[i] = (double)(i * 53 % 103) / 128.0 - 0.375;
        ww_kernel_preactivations(weights, UNITS, inputs, SAMPLES, DIMENSION, product);
        // These numbers have few bits: every order of summation is exact, so BLAS must agree fully.
        for (int unit = 0; unit < UNITS && status == WW_OK; unit++) {
            for (int sample = 0; sample < SAMPLES && status == WW_OK; sample++) {
                double expected = 0.0;
                for (int j = 0; j < DIMENSION; j++)
                    expected += weights[unit * DIMENSION + j] * inputs[sample * DIMENSION + j];
                if (product[unit * SAMPLES + sample] != expected)
                    status = ww_fail(error, WW_FAILED,
                                     "the BLAS library multiplies wrongly on this processor (its "
                                     "kernel is %s): set OPENBLAS_CORETYPE=Haswell, or use another "
                                     "build of OpenBLAS",
                                     openblas_get_corename());
            }
        }
    }
    free(weights);
    free(inputs);
    free(product);
    return status;
}
