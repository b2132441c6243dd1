/// What is done to the activations of a tile of units, and to its output weights, in one precision.
/// Arrays of that precision are void pointers. Every call has a shape that depends on global
/// indices alone, as in kernels.h.
#ifndef WIDTHWISE_TRAIN_ACTIVATIONS_H
#define WIDTHWISE_TRAIN_ACTIVATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// All functions are pure but for what they write.
typedef struct ww_activation_methods {
    size_t size; ///< of a number
    void (*narrow)(const double *from, int64_t count, void *to);
    /// Nothing where `to` is `from`: numbers of double precision where they are.
    void (*widen)(const void *from, int64_t count, double *to);
    /// Applies the activation in place to `count` pre-activations, with this slope of the negative
    /// side, and writes to `active` [count] whether each is on its positive side (0 is).
    void (*activate)(double slope, void *preactivations, int64_t count, uint8_t *active);
    /// Only what is active, of `count` pre-activations that stay as they are.
    void (*see)(const void *preactivations, int64_t count, uint8_t *active);
    /// Leaves each of `count` derivatives by activations where the unit is active and multiplies it
    /// by the slope elsewhere.
    void (*mask)(double slope, const uint8_t *active, int64_t count, void *derivatives);
    /// outputs [samples, k] = activations^T output_weights, as ww_kernel_outputs.
    void (*outputs)(bool pairs, const void *activations, const void *output_weights, int64_t units,
                    int64_t samples, int64_t k, void *outputs);
    /// derivatives [units, samples] = output_weights [units, k] gradients^T, gradients [samples,
    /// k], as ww_kernel_coefficients.
    void (*derive)(const void *output_weights, const void *gradients, int64_t units,
                   int64_t samples, int64_t k, void *derivatives);
    /// updates [units, k] = scale * activations [units, samples] gradients, or that added to them.
    void (*output_updates)(double scale, const void *activations, const void *gradients,
                           int64_t units, int64_t samples, int64_t k, bool adds, void *updates);
    /// values [count] += changes.
    void (*add)(const void *changes, int64_t count, void *values);
    /// to [units, count] = scale * the columns of `from` that `columns` [count] tells, or the first
    /// of them where it is NULL; rows lie from_stride and to_stride apart.
    void (*take_columns)(double scale, const void *from, int64_t from_stride,
                         const int64_t *columns, int64_t count, int64_t units, void *to,
                         int64_t to_stride);
    /// Adds scale * columns of `from` [units, count] to the rows of `to` [.., units] that `rows`
    /// tells, one after the other.
    void (*add_columns)(double scale, const void *from, int64_t from_stride, int64_t count,
                        int64_t units, const int64_t *rows, void *to);
    /// to [columns, rows] = from [rows, columns] turned round.
    void (*turn)(const void *from, int64_t rows, int64_t columns, void *to);
} ww_activation_methods;

extern const ww_activation_methods ww_activations_double;
extern const ww_activation_methods ww_activations_single;

/// Those of the one precision or the other. Pure.
const ww_activation_methods *ww_activations_of(bool single);

/// Place of number `index` in an array of that precision.
static inline void *ww_place(const ww_activation_methods *methods, void *array, int64_t index)
{
    return (char *)array + (size_t)index * methods->size;
}

static inline const void *ww_place_in(const ww_activation_methods *methods, const void *array,
                                      int64_t index)
{
    return (const char *)array + (size_t)index * methods->size;
}

/// Packs active [units, samples] into patterns, a bit a sample, those of a unit from a byte of its
/// own on, `stride` bytes apart; and back.
void ww_pack_patterns(const uint8_t *active, int64_t units, int64_t samples, uint8_t *patterns,
                      int64_t stride);
void ww_unpack_patterns(const uint8_t *patterns, int64_t stride, int64_t units, int64_t samples,
                        uint8_t *active);

#endif
