/// Small drawings of text: a curve in one line, and a bar of progress. With the block characters of
/// Unicode where the terminal has them, else with plain letters. All but printing is pure.
#ifndef WIDTHWISE_APP_SPARKLINE_H
#define WIDTHWISE_APP_SPARKLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/// Heights that a value can be drawn with.
enum { WW_SPARKLINE_LEVELS = 8 };

/// From where to where a curve is drawn.
typedef struct ww_scale {
    double low, high;
    bool logarithmic;
} ww_scale;

/// The scale from the least to the largest of the finite values [count], on a logarithmic one of
/// those above 0.
ww_scale ww_scale_of(const double *values, size_t count, bool logarithmic);

/// How high a value is drawn, 0 .. WW_SPARKLINE_LEVELS - 1, evenly over the scale: what is beyond
/// an end is at it, and in the middle where the scale has no extent. -1: not a number.
int ww_scale_level(const ww_scale *scale, double value);

/// Prints `cells` characters: `values` [count] in order, spread evenly where they are more than
/// cells (ww_spread), then blanks where they are fewer. One that is not a number is a blank too.
void ww_sparkline_print(FILE *stream, const double *values, size_t count, size_t cells,
                        const ww_scale *scale, bool unicode);

/// Prints a bar of `cells` characters, of which the fraction done is filled: by eighths of a
/// character with Unicode. It is full when all is done, and not before.
void ww_bar_print(FILE *stream, double fraction, size_t cells, bool unicode);

#endif
