// The methods of activations.h in one precision. Read once for each, by a source that has defined
//   WW_REAL           the type,
//   WW_KERNEL(name)   the name of a kernel in this precision,
//   WW_ACTIVATE(slope, values, count, active) and
//   WW_SEE(values, count, active), where there are functions for them in this precision,
//   WW_METHODS        the name of the methods.
// Hence no guard against being read twice.

#include "train/activations.h"

#include "train/kernels.h"

// Loops over elements, which have the same bits however many are done at once.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define VECTORISED __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define VECTORISED
#endif

static void narrow(const double *from, int64_t count, void *to)
{
    WW_REAL *numbers = to;
    for (int64_t i = 0; i < count; i++)
        numbers[i] = (WW_REAL)from[i];
}

static void widen(const void *from, int64_t count, double *to)
{
    const WW_REAL *numbers = from;
    if (from == (const void *)to)
        return;
    for (int64_t i = 0; i < count; i++)
        to[i] = (double)numbers[i];
}

#ifndef WW_ACTIVATE
VECTORISED static void activate_all(WW_REAL slope, int64_t count, WW_REAL *restrict values,
                                    uint8_t *restrict active)
{
    for (int64_t i = 0; i < count; i++) {
        const WW_REAL z = values[i];
        const WW_REAL below = slope * z;
        active[i] = z >= 0;
        values[i] = z >= 0 ? z : below;
    }
}

VECTORISED static void see_all(int64_t count, const WW_REAL *restrict values,
                               uint8_t *restrict active)
{
    for (int64_t i = 0; i < count; i++)
        active[i] = values[i] >= 0;
}

#define WW_ACTIVATE(slope, values, count, active)                                                  \
    activate_all((WW_REAL)(slope), count, values, active)
#define WW_SEE(values, count, active) see_all(count, values, active)
#endif

static void activate(double slope, void *preactivations, int64_t count, uint8_t *active)
{
    WW_ACTIVATE(slope, preactivations, count, active);
}

static void see(const void *preactivations, int64_t count, uint8_t *active)
{
    WW_SEE(preactivations, count, active);
}

VECTORISED static void mask_all(WW_REAL slope, const uint8_t *restrict active, int64_t count,
                                WW_REAL *restrict derivatives)
{
    for (int64_t i = 0; i < count; i++)
        derivatives[i] *= active[i] ? (WW_REAL)1 : slope;
}

static void mask(double slope, const uint8_t *active, int64_t count, void *derivatives)
{
    mask_all((WW_REAL)slope, active, count, derivatives);
}

static void outputs(bool pairs, const void *activations, const void *output_weights, int64_t units,
                    int64_t samples, int64_t k, void *sums)
{
    WW_KERNEL(outputs)(pairs, activations, output_weights, units, samples, k, sums);
}

static void derive(const void *output_weights, const void *gradients, int64_t units,
                   int64_t samples, int64_t k, void *derivatives)
{
    WW_KERNEL(coefficients)(output_weights, gradients, units, samples, k, derivatives);
}

static void output_updates(double scale, const void *activations, const void *gradients,
                           int64_t units, int64_t samples, int64_t k, bool adds, void *updates)
{
    WW_KERNEL(rows)
    ((WW_REAL)scale, activations, gradients, units, samples, k, adds ? 1 : 0, updates);
}

static void add(const void *changes, int64_t count, void *values)
{
    const WW_REAL *terms = changes;
    WW_REAL *sums = values;
    for (int64_t i = 0; i < count; i++)
        sums[i] += terms[i];
}

// Rows whose scattered columns are told to come soon, a row ahead of another.
enum { AHEAD = 6 };

static void take_columns(double scale, const void *from, int64_t from_stride,
                         const int64_t *columns, int64_t count, int64_t units, void *to,
                         int64_t to_stride)
{
    const WW_REAL *rows = from;
    WW_REAL *taken = to;
    for (int64_t unit = 0; columns == NULL && unit < units; unit++)
        for (int64_t i = 0; i < count; i++)
            taken[unit * to_stride + i] = (WW_REAL)scale * rows[unit * from_stride + i];
    for (int64_t unit = 0; columns != NULL && unit < units; unit++) {
        const WW_REAL *row = rows + unit * from_stride;
        const WW_REAL *later = unit + AHEAD < units ? row + AHEAD * from_stride : row;
        for (int64_t i = 0; i < count; i++) {
            __builtin_prefetch(later + columns[i]);
            taken[unit * to_stride + i] = (WW_REAL)scale * row[columns[i]];
        }
    }
}

// Columns that are taken together: what a line of memory has.
enum { LINE = 64 / sizeof(WW_REAL) };

static void add_columns(double scale, const void *from, int64_t from_stride, int64_t count,
                        int64_t units, const int64_t *rows, void *to)
{
    const WW_REAL factor = (WW_REAL)scale;
    const WW_REAL *terms = from;
    WW_REAL *sums = to;
    for (int64_t first = 0; first < count; first += LINE) {
        const int64_t end = first + LINE < count ? first + LINE : count;
        for (int64_t unit = 0; unit < units; unit++)
            for (int64_t i = first; i < end; i++)
                sums[rows[i] * units + unit] += factor * terms[unit * from_stride + i];
    }
}

static void turn(const void *from, int64_t rows, int64_t columns, void *to)
{
    const WW_REAL *values = from;
    WW_REAL *turned = to;
    for (int64_t first = 0; first < columns; first += LINE) {
        const int64_t end = first + LINE < columns ? first + LINE : columns;
        for (int64_t row = 0; row < rows; row++)
            for (int64_t i = first; i < end; i++)
                turned[i * rows + row] = values[row * columns + i];
    }
}

const ww_activation_methods WW_METHODS = {
    .size = sizeof(WW_REAL),
    .narrow = narrow,
    .widen = widen,
    .activate = activate,
    .see = see,
    .mask = mask,
    .outputs = outputs,
    .derive = derive,
    .output_updates = output_updates,
    .add = add,
    .take_columns = take_columns,
    .add_columns = add_columns,
    .turn = turn,
};
