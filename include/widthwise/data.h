/// Data sets: generated or read, normalised, with labels.
///
/// Sources live one to a file in src/data/ and work on one rank alone; ww_dataset_load runs them on
/// rank 0 and copies the result to all ranks. Inputs are replicated: no axis is distributed.
#ifndef WIDTHWISE_DATA_H
#define WIDTHWISE_DATA_H

#include "widthwise/config.h"
#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdint.h>
#include <stdio.h>

/// Samples of one kind (train or test).
typedef struct ww_samples {
    int64_t count;   ///< n
    double *inputs;  ///< [n, d], row-major
    int64_t *labels; ///< [n], 0 .. classes - 1: what is trained on (random ones included)
    int64_t
        *components; ///< [n], class * components + component of the distribution it was drawn
                     ///< from, by its *true* class; for sources without components the true class
} ww_samples;

/// A data set. Replicated on all ranks.
typedef struct ww_dataset {
    int64_t dimension;  ///< d
    int64_t classes;    ///< k
    int64_t components; ///< l, components of a class; 1 where the source has none
    ww_samples train, test;
    uint64_t hash; ///< of inputs and labels, to notice a changed file at a restart
} ww_dataset;

/// Loads or draws the data set of `config`: source, labels, normalisation, then checks (finite, at
/// least one sample, labels in range, batch not larger than the train set). Collective: rank 0
/// works, all get the result or the same error (WW_USAGE with file and what is wrong).
ww_status ww_dataset_load(const ww_config *config, const ww_parallel *parallel, ww_dataset *dataset,
                          ww_error *error);
void ww_dataset_free(ww_dataset *dataset);

/// Names of the sources with a sentence each. For `list sources`.
void ww_data_print_sources(FILE *stream);

/// Separation of a labelled sample (LL A1), empirical.
typedef struct ww_separation {
    double delta;        ///< smallest distance between two samples of different classes
    double diameter;     ///< largest distance between two samples of one component
    double lambda;       ///< diameter / delta
    double lambda_limit; ///< 1 / (8 l): LL A1 asks for lambda <= this
    double nearest;      ///< phi: smallest distance between any two samples
} ww_separation;

/// Measures the separation of `samples` by their components (true classes). n^2 d work, rows
/// divided over ranks. Collective. delta is infinite with one class only.
ww_status ww_separation_measure(const ww_samples *samples, int64_t dimension, int64_t components,
                                const ww_parallel *parallel, ww_separation *separation,
                                ww_error *error);

#endif
