/// Products of rows of weights with a few samples, and sums of such samples added to rows, at the
/// speed at which rows come from memory. BLAS copies its operands first, which costs as much as the
/// work where samples are few.
///
/// Every number is made by one chain of fused multiply-adds in the order of columns or of terms,
/// whatever the neighbours of its row, the number of samples and the processor: no bit depends on
/// tiles, on ranks, on what is added now and what later, or on the instruction set.
///
/// In the unit in which vectors are handled, WW_LANES_BYTES, there are `lanes` numbers: 8 in double
/// and 16 in single precision.
#ifndef WIDTHWISE_TRAIN_PANELS_H
#define WIDTHWISE_TRAIN_PANELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WW_LANES_BYTES = 64 };

/// Of add_patterns: tables for 32 inputs, and the sums of 256 units, in strips of two times
/// WW_LANES_BYTES.
enum { WW_PATTERN_ROOM_BYTES = (7 * 32 + 256) * 2 * WW_LANES_BYTES + 512 / 32 * 256 * 4 };

/// The versions of the kernels. All give the same bits.
typedef enum ww_panel_version {
    WW_PANEL_PLAIN,  ///< what every processor has
    WW_PANEL_NARROW, ///< x86-64-v3: 32 bytes at once
    WW_PANEL_WIDE,   ///< x86-64-v4: 64 bytes at once
    WW_PANEL_VERSIONS
} ww_panel_version;

/// Whether this processor has what a version needs. Pure.
bool ww_panel_has(ww_panel_version version);
/// The fastest of those. Pure.
ww_panel_version ww_panel_best(void);

/// Numbers of `samples` samples [samples, d] in panels and in strips: samples, or columns, rounded
/// up to whole lanes. `size` is that of a number. Pure.
size_t ww_panel_values(int64_t samples, int64_t dimension, size_t size);
size_t ww_strip_values(int64_t samples, int64_t dimension, size_t size);

/// The kernels of one precision and version; pointers to numbers are of that precision where no
/// type is named.
typedef struct ww_panel_kernels {
    /// Samples [samples, d] the way products want them, and the way sums do.
    void (*fill_panels)(const double *inputs, int64_t samples, int64_t dimension, void *panels);
    void (*fill_strips)(const double *inputs, int64_t samples, int64_t dimension, void *strips);
    /// products [units, samples] = rows [units, d] inputs^T.
    void (*products)(const void *rows, int64_t units, int64_t dimension, const void *panels,
                     int64_t samples, void *products);
    /// products [units, samples] += rows [units, d] inputs^T; rows lie `row_stride` apart, rows of
    /// products `product_stride`. Each number goes on with its chain: some columns now and the
    /// others later give the same bits.
    void (*add_products)(const void *rows, int64_t row_stride, int64_t units, int64_t dimension,
                         const void *panels, int64_t samples, void *products,
                         int64_t product_stride);
    /// rows [units, d] += (scale * factors) inputs, factors [units, samples] whose rows lie
    /// `factor_stride` apart. What is 0 is passed over: it takes no time.
    void (*accumulate)(double scale, const void *factors, int64_t factor_stride, const void *strips,
                       int64_t samples, int64_t units, int64_t dimension, void *rows);
    /// rows [units, d] += scales [units] * the sum of those inputs whose bits are set in patterns
    /// [units, samples], a bit a sample with 0 after the last, `pattern_stride` bytes apart: by
    /// tables of the sums of five inputs, of which a unit looks up one for each ("four Russians").
    /// Sums of five, in order, are added in order, and their sum, scaled, to the row. `room` is of
    /// WW_PATTERN_ROOM_BYTES.
    void (*add_patterns)(const void *scales, const uint8_t *patterns, int64_t pattern_stride,
                         const void *strips, int64_t samples, int64_t units, int64_t dimension,
                         void *rows, void *room);
} ww_panel_kernels;

extern const ww_panel_kernels ww_panel_double[WW_PANEL_VERSIONS];
extern const ww_panel_kernels ww_panel_single[WW_PANEL_VERSIONS];

#endif
