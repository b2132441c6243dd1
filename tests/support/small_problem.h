/// A small problem for tests of training and measuring: a configuration from settings, and data
/// made by hand that need no source.
#ifndef WIDTHWISE_TESTS_SMALL_PROBLEM_H
#define WIDTHWISE_TESTS_SMALL_PROBLEM_H

#include "data/source.h"
#include "widthwise/train.h"

#include <math.h>
#include <stdlib.h>

typedef struct small_problem {
    ww_experiment experiment;
    ww_dataset data;
    ww_parallel parallel;
    ww_problem problem;
} small_problem;

static inline void small_samples(ww_samples *samples, int64_t count, int64_t dimension,
                                 int64_t classes, int phase)
{
    samples->count = count;
    samples->inputs = calloc((size_t)(count * dimension), sizeof(double));
    samples->labels = calloc((size_t)count, sizeof(int64_t));
    samples->components = calloc((size_t)count, sizeof(int64_t));
    for (int64_t s = 0; s < count; s++) {
        samples->labels[s] = (s * 7 + phase) % classes;
        samples->components[s] = samples->labels[s];
        for (int64_t j = 0; j < dimension; j++)
            samples->inputs[s * dimension + j] =
                0.5 * sin((double)(1 + s * 13 + j * 29 + phase * 101)) +
                (j % classes == samples->labels[s] ? 0.3 : 0.0);
    }
}

/// Parses the settings and makes data of `dimension`, `classes`; returns whether all went well.
static inline bool small_problem_make(small_problem *small, MPI_Comm communicator,
                                      const char *const *settings, size_t setting_count,
                                      int64_t train, int64_t test, int64_t dimension,
                                      int64_t classes, ww_error *error)
{
    *small = (small_problem){0};
    if (ww_parallel_create(communicator, &small->parallel, error) != WW_OK ||
        ww_experiment_parse("", "test", ".", settings, setting_count, &small->experiment, error) !=
            WW_OK)
        return false;
    small->data.dimension = dimension;
    small->data.classes = classes;
    small->data.outputs = ww_config_outputs(&small->experiment.members[0], classes);
    small->data.has_targets = ww_config_has_targets(&small->experiment.members[0]);
    small->data.components = 1;
    small_samples(&small->data.train, train, dimension, classes, 0);
    small_samples(&small->data.test, test, dimension, classes, 1);
    return ww_make_targets(&small->data, error) == WW_OK &&
           ww_problem_make(&small->experiment.members[0], &small->data, &small->parallel,
                           &small->problem, error) == WW_OK;
}

static inline double small_dot(const double *a, const double *b, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/// Data of two classes with a hyperplane between them, and one sample at 0 where `with_zero`.
static inline void small_separate(small_problem *small, double *separator, double *margins,
                                  bool with_zero)
{
    ww_samples *train = &small->data.train;
    const int64_t d = small->data.dimension;
    for (int64_t j = 0; j < d; j++)
        separator[j] = 3.0 * cos((double)(1 + 5 * j));
    for (int64_t s = 0; s < train->count; s++) {
        double *x = train->inputs + s * d;
        train->labels[s] = small_dot(x, separator, d) > 0.0 ? 0 : 1;
        const double y = train->labels[s] == 0 ? 1.0 : -1.0;
        for (int64_t j = 0; j < d; j++)
            x[j] = with_zero && s == 3 ? 0.0 : x[j] + 0.1 * y * separator[j];
        train->targets[s] = y;
        margins[s] = y * small_dot(x, separator, d);
    }
    small->data.separator =
        (ww_separator){.sought = true, .weights = separator, .margins = margins};
}

static inline void small_problem_free(small_problem *small)
{
    ww_samples *sets[2] = {&small->data.train, &small->data.test};
    for (int i = 0; i < 2; i++) {
        free(sets[i]->inputs);
        free(sets[i]->labels);
        free(sets[i]->components);
        free(sets[i]->targets);
    }
    ww_experiment_free(&small->experiment);
    ww_parallel_destroy(&small->parallel);
}

#endif
