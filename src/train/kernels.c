#include "train/kernels.h"

#include "train/vectors.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <stdlib.h>

int64_t ww_block_size(int64_t samples, int64_t start)
{
    return samples - start < WW_SAMPLE_BLOCK ? samples - start : WW_SAMPLE_BLOCK;
}

// Every `stride`-th of the units, beginning with the first: all of them, or those of one parity.
static void preactivations_of(int64_t stride, const double *weights, int64_t units,
                              const double *inputs, int64_t samples, int64_t dimension,
                              double *preactivations)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(units / stride), ww_int(samples),
                ww_int(dimension), 1.0, weights, ww_int(stride * dimension), inputs,
                ww_int(dimension), 0.0, preactivations, ww_int(stride * samples));
}

static void outputs_of(int64_t stride, const double *activations, const double *output_weights,
                       int64_t units, int64_t samples, int64_t k, double *outputs)
{
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, ww_int(samples), ww_int(k),
                ww_int(units / stride), 1.0, activations, ww_int(stride * samples), output_weights,
                ww_int(stride * k), 0.0, outputs, ww_int(k));
}

void ww_kernel_preactivations(bool pairs, const double *weights, int64_t units,
                              const double *inputs, int64_t samples, int64_t dimension,
                              double *preactivations)
{
    if (samples == 1) { // whose rows are summed without regard to their neighbours
        ww_vector_products(weights, units, dimension, inputs, dimension, preactivations, 1);
        return;
    }
    if (!pairs) {
        preactivations_of(1, weights, units, inputs, samples, dimension, preactivations);
        return;
    }
    WW_ASSERT(units % 2 == 0);
    preactivations_of(2, weights, units, inputs, samples, dimension, preactivations);
    preactivations_of(2, weights + dimension, units, inputs, samples, dimension,
                      preactivations + samples);
}

size_t ww_kernel_output_room(bool pairs, int64_t samples, int64_t k)
{
    return (size_t)(samples * k) * (pairs ? 2 : 1);
}

void ww_kernel_outputs(bool pairs, const double *activations, const double *output_weights,
                       int64_t units, int64_t samples, int64_t k, double *outputs)
{
    if (!pairs) {
        outputs_of(1, activations, output_weights, units, samples, k, outputs);
        return;
    }
    WW_ASSERT(units % 2 == 0);
    double *odd = outputs + samples * k;
    outputs_of(2, activations, output_weights, units, samples, k, outputs);
    outputs_of(2, activations + samples, output_weights + k, units, samples, k, odd);
    for (int64_t i = 0; i < samples * k; i++)
        outputs[i] += odd[i];
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

// Compares a product [rows, columns] of BLAS with plain sums over `inner`. left(i, l) and right(l,
// j) stand at strides in their arrays. The numbers have few bits: every order of summation is
// exact.
static bool agrees(const double *product, int64_t rows, int64_t columns, int64_t inner,
                   const double *left, const int64_t left_stride[2], const double *right,
                   const int64_t right_stride[2])
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            double expected = 0.0;
            for (int64_t l = 0; l < inner; l++)
                expected += left[i * left_stride[0] + l * left_stride[1]] *
                            right[l * right_stride[0] + j * right_stride[1]];
            if (product[i * columns + j] != expected)
                return false;
        }
    return true;
}

ww_status ww_kernel_check(ww_error *error)
{
    enum { UNITS = 128, SAMPLES = 67, DIMENSION = 259, OUTPUTS = 10, LARGEST = 259 };
    const size_t size = (size_t)LARGEST * LARGEST;
    double *a = ww_allocate(size, sizeof(double), "a check of BLAS", error);
    double *b = ww_allocate(size, sizeof(double), "a check of BLAS", error);
    double *product = ww_allocate(size, sizeof(double), "a check of BLAS", error);
    ww_status status = a && b && product ? WW_OK : WW_FAILED;
    for (size_t i = 0; status == WW_OK && i < size; i++) {
        a[i] = (double)(i * 37 % 101) / 64.0 - 0.75;
        b[i] = (double)(i * 53 % 103) / 128.0 - 0.375;
    }
    bool right = status == WW_OK;
    for (int pairs = 0; right && pairs < 2; pairs++) { // every kernel at the shape of a tile
        ww_kernel_preactivations(pairs != 0, a, UNITS, b, SAMPLES, DIMENSION, product);
        right = agrees(product, UNITS, SAMPLES, DIMENSION, a, (int64_t[]){DIMENSION, 1}, b,
                       (int64_t[]){1, DIMENSION});
    }
    for (int pairs = 0; right && pairs < 2; pairs++) {
        ww_kernel_outputs(pairs != 0, a, b, UNITS, SAMPLES, OUTPUTS, product);
        right = agrees(product, SAMPLES, OUTPUTS, UNITS, a, (int64_t[]){1, SAMPLES}, b,
                       (int64_t[]){OUTPUTS, 1});
    }
    if (right) {
        ww_kernel_coefficients(a, b, UNITS, SAMPLES, OUTPUTS, product);
        right = agrees(product, UNITS, SAMPLES, OUTPUTS, a, (int64_t[]){OUTPUTS, 1}, b,
                       (int64_t[]){1, OUTPUTS});
    }
    if (right) {
        ww_kernel_rows(1.0, a, b, UNITS, SAMPLES, DIMENSION, 0.0, product);
        right = agrees(product, UNITS, DIMENSION, SAMPLES, a, (int64_t[]){SAMPLES, 1}, b,
                       (int64_t[]){DIMENSION, 1});
    }
    if (status == WW_OK && !right)
        status = ww_fail(error, WW_FAILED,
                         "the BLAS library multiplies wrongly on this processor (its kernel is "
                         "%s): set OPENBLAS_CORETYPE=Haswell, or use another build of OpenBLAS",
                         openblas_get_corename());
    free(a);
    free(b);
    free(product);
    return status;
}
