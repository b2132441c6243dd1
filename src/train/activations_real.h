// The methods of activations.h in one precision. Read once for each, by a source that has defined
//   WW_REAL           the type,
//   WW_KERNEL(name)   the name of a kernel in this precision,
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

static void activate(double slope, void *preactivations, int64_t count, uint8_t *active)
{
    activate_all((WW_REAL)slope, count, preactivations, active);
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

static bool are_neighbours(const int64_t *columns, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (columns[i] != columns[0] + i)
            return false;
    return count > 0;
}

static void take_columns(double scale, const void *from, int64_t from_stride,
                         const int64_t *columns, int64_t count, int64_t units, void *to,
                         int64_t to_stride)
{
    const WW_REAL *rows = from;
    WW_REAL *taken = to;
    const bool in_row = are_neighbours(columns, count);
    for (int64_t unit = 0; unit < units; unit++, rows += from_stride, taken += to_stride) {
        const WW_REAL *first = in_row ? rows + columns[0] : rows;
        for (int64_t i = 0; in_row && i < count; i++)
            taken[i] = (WW_REAL)scale * first[i];
        for (int64_t i = 0; !in_row && i < count; i++)
            taken[i] = (WW_REAL)scale * rows[columns[i]];
    }
}

static void add_columns(double scale, const void *from, int64_t from_stride, const int64_t *columns,
                        int64_t count, int64_t units, void *to, int64_t to_stride)
{
    const WW_REAL factor = (WW_REAL)scale;
    const WW_REAL *terms = from;
    WW_REAL *sums = to;
    const bool in_row = are_neighbours(columns, count);
    for (int64_t unit = 0; unit < units; unit++, terms += from_stride, sums += to_stride) {
        WW_REAL *first = in_row ? sums + columns[0] : sums;
        for (int64_t i = 0; in_row && i < count; i++)
            first[i] += factor * terms[i];
        for (int64_t i = 0; !in_row && i < count; i++)
            sums[columns[i]] += factor * terms[i];
    }
}

const ww_activation_methods WW_METHODS = {
    .size = sizeof(WW_REAL),
    .narrow = narrow,
    .widen = widen,
    .activate = activate,
    .mask = mask,
    .outputs = outputs,
    .derive = derive,
    .output_updates = output_updates,
    .add = add,
    .take_columns = take_columns,
    .add_columns = add_columns,
};
