// The products of kernels.h in one precision. Read once for each, by a source that has defined
//   WW_REAL             the type,
//   WW_KERNEL(name)     the name of a kernel in this precision,
//   WW_BLAS(routine)    the name of a routine of BLAS in it,
//   WW_SINGLE_PRODUCTS  products[i] = <row i, vector> for i < count, rows [count, length].
// Hence no guard against being read twice.

#include "train/kernels.h"

#include "widthwise/memory.h"

// Every `stride`-th of the units, beginning with the first: all of them, or those of one parity.
static void preactivations_of(int64_t stride, const WW_REAL *weights, int64_t units,
                              const WW_REAL *inputs, int64_t samples, int64_t dimension,
                              WW_REAL *preactivations)
{
    WW_BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(units / stride), ww_int(samples),
     ww_int(dimension), 1, weights, ww_int(stride * dimension), inputs, ww_int(dimension), 0,
     preactivations, ww_int(stride * samples));
}

static void outputs_of(int64_t stride, const WW_REAL *activations, const WW_REAL *output_weights,
                       int64_t units, int64_t samples, int64_t k, WW_REAL *outputs)
{
    WW_BLAS(gemm)
    (CblasRowMajor, CblasTrans, CblasNoTrans, ww_int(samples), ww_int(k), ww_int(units / stride), 1,
     activations, ww_int(stride * samples), output_weights, ww_int(stride * k), 0, outputs,
     ww_int(k));
}

void WW_KERNEL(preactivations)(bool pairs, const WW_REAL *weights, int64_t units,
                               const WW_REAL *inputs, int64_t samples, int64_t dimension,
                               WW_REAL *preactivations)
{
    if (samples == 1) { // whose rows are summed without regard to their neighbours
        WW_SINGLE_PRODUCTS(weights, units, dimension, inputs, preactivations);
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

void WW_KERNEL(layer_preactivations)(const WW_REAL *weights, int64_t units,
                                     const WW_REAL *activations, int64_t samples, int64_t columns,
                                     WW_REAL *preactivations)
{
    if (samples == 1) {
        WW_SINGLE_PRODUCTS(weights, units, columns, activations, preactivations);
        return;
    }
    WW_BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasNoTrans, ww_int(units), ww_int(samples), ww_int(columns), 1,
     weights, ww_int(columns), activations, ww_int(samples), 0, preactivations, ww_int(samples));
}

void WW_KERNEL(outputs)(bool pairs, const WW_REAL *activations, const WW_REAL *output_weights,
                        int64_t units, int64_t samples, int64_t k, WW_REAL *outputs)
{
    if (!pairs) {
        outputs_of(1, activations, output_weights, units, samples, k, outputs);
        return;
    }
    WW_ASSERT(units % 2 == 0);
    WW_REAL *odd = outputs + samples * k;
    outputs_of(2, activations, output_weights, units, samples, k, outputs);
    outputs_of(2, activations + samples, output_weights + k, units, samples, k, odd);
    for (int64_t i = 0; i < samples * k; i++)
        outputs[i] += odd[i];
}

void WW_KERNEL(coefficients)(const WW_REAL *output_weights, const WW_REAL *gradients, int64_t units,
                             int64_t samples, int64_t k, WW_REAL *coefficients)
{
    if (samples == 1) {
        WW_BLAS(gemv)
        (CblasRowMajor, CblasNoTrans, ww_int(units), ww_int(k), 1, output_weights, ww_int(k),
         gradients, 1, 0, coefficients, 1);
        return;
    }
    WW_BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(units), ww_int(samples), ww_int(k), 1,
     output_weights, ww_int(k), gradients, ww_int(k), 0, coefficients, ww_int(samples));
}

// rows [units, columns] += scale * coefficients [units] vector^T. From so many columns on it is
// faster than a product of matrices, by up to a factor of three.
enum { LEAST_COLUMNS = 256 };

static bool moves_by_one(int64_t samples, int64_t columns)
{
    return samples == 1 && columns >= LEAST_COLUMNS;
}

static void move_by_one(WW_REAL scale, const WW_REAL *coefficients, const WW_REAL *vector,
                        int64_t units, int64_t columns, WW_REAL *rows)
{
    WW_BLAS(ger)
    (CblasRowMajor, ww_int(units), ww_int(columns), scale, coefficients, 1, vector, 1, rows,
     ww_int(columns));
}

void WW_KERNEL(rows)(WW_REAL scale, const WW_REAL *coefficients, const WW_REAL *inputs,
                     int64_t units, int64_t samples, int64_t dimension, WW_REAL keep, WW_REAL *rows)
{
    if (keep == 1 && moves_by_one(samples, dimension)) {
        move_by_one(scale, coefficients, inputs, units, dimension, rows);
        return;
    }
    WW_BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasNoTrans, ww_int(units), ww_int(dimension), ww_int(samples),
     scale, coefficients, ww_int(samples), inputs, ww_int(dimension), keep, rows,
     ww_int(dimension));
}

void WW_KERNEL(layer_rows)(WW_REAL scale, const WW_REAL *derivatives, const WW_REAL *activations,
                           int64_t units, int64_t samples, int64_t columns, WW_REAL *rows)
{
    if (moves_by_one(samples, columns)) {
        move_by_one(scale, derivatives, activations, units, columns, rows);
        return;
    }
    WW_BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(units), ww_int(columns), ww_int(samples),
     scale, derivatives, ww_int(samples), activations, ww_int(samples), 1, rows, ww_int(columns));
}

void WW_KERNEL(products)(const WW_REAL *left, int64_t left_columns, int64_t left_stride,
                         const WW_REAL *right, int64_t right_columns, int64_t units,
                         WW_REAL *products)
{
    if (right_columns == 1) {
        WW_BLAS(gemv)
        (CblasRowMajor, CblasTrans, ww_int(units), ww_int(left_columns), 1, left,
         ww_int(left_stride), right, 1, 0, products, 1);
        return;
    }
    WW_BLAS(gemm)
    (CblasRowMajor, CblasTrans, CblasNoTrans, ww_int(left_columns), ww_int(right_columns),
     ww_int(units), 1, left, ww_int(left_stride), right, ww_int(right_columns), 0, products,
     ww_int(right_columns));
}

void WW_KERNEL(square)(const WW_REAL *values, int64_t columns, int64_t units, WW_REAL *products)
{
    WW_BLAS(syrk)
    (CblasRowMajor, CblasUpper, CblasTrans, ww_int(columns), ww_int(units), 1, values,
     ww_int(columns), 0, products, ww_int(columns));
}

enum { CHECKED_UNITS = 128, CHECKED_SAMPLES = 67, CHECKED_COLUMNS = 259, CHECKED_OUTPUTS = 10 };

// Compares a product [rows, columns] of BLAS with plain sums over `inner`, both of them multiplied
// with a vector: a run has no time to form the product anew at its start. What is wrong in a row
// goes unseen only where errors cancel under the weights of that vector, no two neighbours of which
// are alike. left(i, l) and right(l, j) stand at strides in their arrays. The numbers have few
// bits, 7 each and 6 the weights: in double every order of summation is exact.
static bool agrees(const WW_REAL *product, int64_t rows, int64_t columns, int64_t inner,
                   const WW_REAL *left, const int64_t left_stride[2], const WW_REAL *right,
                   const int64_t right_stride[2])
{
    double weights[CHECKED_COLUMNS];
    double sums[CHECKED_COLUMNS]; // right times weights
    WW_ASSERT(columns <= CHECKED_COLUMNS && inner <= CHECKED_COLUMNS);
    for (int64_t j = 0; j < columns; j++)
        weights[j] = (double)(1 + j * 29 % 61);
    for (int64_t l = 0; l < inner; l++) {
        sums[l] = 0.0;
        for (int64_t j = 0; j < columns; j++)
            sums[l] += (double)right[l * right_stride[0] + j * right_stride[1]] * weights[j];
    }
    for (int64_t i = 0; i < rows; i++) {
        double expected = 0.0;
        double found = 0.0;
        for (int64_t l = 0; l < inner; l++)
            expected += (double)left[i * left_stride[0] + l * left_stride[1]] * sums[l];
        for (int64_t j = 0; j < columns; j++)
            found += (double)product[i * columns + j] * weights[j];
        if (found != expected) // so is NaN
            return false;
    }
    return true;
}

// What takes a tile of units forward, of the first layer and of one after it.
static bool forward_is_right(const WW_REAL *a, const WW_REAL *b, WW_REAL *product)
{
    const int64_t units = CHECKED_UNITS, samples = CHECKED_SAMPLES, columns = CHECKED_COLUMNS;
    bool right = true;
    for (int pairs = 0; right && pairs < 2; pairs++) { // every kernel at the shape of a tile
        WW_KERNEL(preactivations)(pairs != 0, a, units, b, samples, columns, product);
        right = agrees(product, units, samples, columns, a, (int64_t[]){columns, 1}, b,
                       (int64_t[]){1, columns});
    }
    for (int pairs = 0; right && pairs < 2; pairs++) {
        WW_KERNEL(outputs)(pairs != 0, a, b, units, samples, CHECKED_OUTPUTS, product);
        right = agrees(product, samples, CHECKED_OUTPUTS, units, a, (int64_t[]){1, samples}, b,
                       (int64_t[]){CHECKED_OUTPUTS, 1});
    }
    for (int64_t count = 1; right && count <= samples; count += samples - 1) {
        WW_KERNEL(layer_preactivations)(a, units, b, count, columns, product);
        right = agrees(product, units, count, columns, a, (int64_t[]){columns, 1}, b,
                       (int64_t[]){count, 1});
    }
    return right;
}

// What takes a tile back, of `samples` samples: where these are one there are kernels for it.
static bool backward_is_right(int64_t samples, const WW_REAL *a, const WW_REAL *b, WW_REAL *product)
{
    const int64_t units = CHECKED_UNITS, columns = CHECKED_COLUMNS;
    WW_KERNEL(coefficients)(a, b, units, samples, CHECKED_OUTPUTS, product);
    bool right = agrees(product, units, samples, CHECKED_OUTPUTS, a,
                        (int64_t[]){CHECKED_OUTPUTS, 1}, b, (int64_t[]){1, CHECKED_OUTPUTS});
    for (int keep = 0; right && keep < 2; keep++) {
        for (int64_t i = 0; i < units * columns; i++)
            product[i] = 0;
        WW_KERNEL(rows)(1, a, b, units, samples, columns, (WW_REAL)keep, product);
        right = agrees(product, units, columns, samples, a, (int64_t[]){samples, 1}, b,
                       (int64_t[]){columns, 1});
    }
    if (right) {
        for (int64_t i = 0; i < units * columns; i++)
            product[i] = 0;
        WW_KERNEL(layer_rows)(1, a, b, units, samples, columns, product);
        right = agrees(product, units, columns, samples, a, (int64_t[]){samples, 1}, b,
                       (int64_t[]){1, samples});
    }
    if (right) {
        WW_KERNEL(products)(a, columns, columns, b, samples, units, product);
        right = agrees(product, columns, samples, units, a, (int64_t[]){1, columns}, b,
                       (int64_t[]){samples, 1});
    }
    return right;
}

static bool square_is_right(const WW_REAL *a, WW_REAL *product)
{
    const int64_t units = CHECKED_UNITS, columns = CHECKED_COLUMNS;
    WW_KERNEL(square)(a, columns, units, product);
    for (int64_t i = 0; i < columns; i++)
        for (int64_t j = 0; j < i; j++)
            product[i * columns + j] = product[j * columns + i];
    return agrees(product, columns, columns, units, a, (int64_t[]){1, columns}, a,
                  (int64_t[]){columns, 1});
}

bool WW_KERNEL(is_right)(const double *left, const double *right, WW_REAL *room)
{
    WW_REAL *a = room;
    WW_REAL *b = room + WW_KERNEL_CHECK_SIZE;
    WW_REAL *product = b + WW_KERNEL_CHECK_SIZE;
    for (int64_t i = 0; i < WW_KERNEL_CHECK_SIZE; i++) {
        a[i] = (WW_REAL)left[i];
        b[i] = (WW_REAL)right[i];
    }
    return forward_is_right(a, b, product) && backward_is_right(CHECKED_SAMPLES, a, b, product) &&
           backward_is_right(1, a, b, product) && square_is_right(a, product);
}
