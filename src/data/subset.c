// A separable subset of two classes. A hyperplane with a soft margin decides: what lies on its own
// side by enough is kept, so that with the least margin c of those ||w*|| <= ||w|| / c (BR section
// 5 takes such a subset and does not say how).
#include "data/ascent.h"
#include "data/source.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double GAP =
    0.001; // between primal and dual value, relative, at which the ascent ends

bool ww_is_subset(const ww_config *config)
{
    return config->data.subset.kind == WW_SUBSET_SEPARABLE;
}

const char *ww_train_count_key(const ww_config *config)
{
    return ww_is_subset(config) ? "data.subset.candidates" : "data.train";
}

/// Test samples come out of the candidates; of those of the source one is read, or one a class.
static int64_t least_test(bool balanced, const ww_integer_list *classes)
{
    if (!balanced)
        return 1;
    return classes->count > 0 ? (int64_t)classes->count : WW_ALL_SAMPLES;
}

ww_config ww_subset_source(const ww_config *config)
{
    ww_config source = *config;
    if (!ww_is_subset(config))
        return source;
    source.data.train = config->data.subset.candidates;
    source.data.test = 1;
    if (config->data.source == WW_SOURCE_IDX)
        source.data.test = least_test(config->data.idx.balanced, &config->data.idx.classes);
    if (config->data.source == WW_SOURCE_CIFAR10)
        source.data.test = least_test(config->data.cifar10.balanced, &config->data.cifar10.classes);
    return source;
}

ww_status ww_subset_check(const ww_config *config, ww_dataset *dataset, ww_error *error)
{
    const int64_t candidates = dataset->train.count;
    if (dataset->classes != 2)
        return ww_data_fail(config, "data.subset.kind", error,
                            "is separable, which is of two classes, but the data have %lld; choose "
                            "two of them, or leave the subset out",
                            (long long)dataset->classes);
    if (candidates - config->data.train < config->data.test)
        return ww_data_fail(config, "data.subset.candidates", error,
                            "the source has %lld samples of the two classes, fewer than the %lld "
                            "of data.train and the %lld of data.test that are to be chosen from "
                            "them; lower these",
                            (long long)candidates, (long long)config->data.train,
                            (long long)config->data.test);
    dataset->candidates = candidates;
    return WW_OK;
}

/// Relative distance of the soft margin's value from the one that the dual proves to be the least.
static double gap_of(const ww_ascent *ascent)
{
    double multipliers = 0.0;
    double lacking = 0.0;
    for (int64_t i = 0; i < ascent->samples->count; i++) {
        multipliers += ascent->multipliers[i];
        lacking += fmax(0.0, 1.0 - ascent->margins[i]);
    }
    const double half_square =
        0.5 * ww_row_product(ascent->weights, ascent->weights, ascent->dimension);
    const double value = half_square + ascent->penalty * lacking;
    return (value - (multipliers - half_square)) / value;
}

/// One part of the subset: the next `count` candidates, from `*next` on, that are kept.
static ww_status take(const ww_config *config, const ww_ascent *ascent, int64_t count,
                      const char *what, int64_t *next, ww_samples *part, ww_error *error)
{
    const ww_samples *from = ascent->samples;
    const size_t row = (size_t)ascent->dimension;
    WW_TRY(ww_samples_allocate(part, count, ascent->dimension, what, error));
    for (int64_t s = 0; s < count; (*next)++) {
        if (!(ascent->margins[*next] >= config->data.subset.margin))
            continue;
        memcpy(part->inputs + (size_t)s * row, from->inputs + (size_t)*next * row,
               row * sizeof *part->inputs);
        part->labels[s] = from->labels[*next];
        part->components[s] = from->components[*next];
        s++;
    }
    return WW_OK;
}

static ww_status take_parts(const ww_config *config, const ww_ascent *ascent, ww_dataset *chosen,
                            ww_error *error)
{
    const int64_t train = config->data.train;
    const int64_t test = config->data.test;
    int64_t next = 0;
    for (int64_t i = 0; i < ascent->samples->count; i++)
        chosen->kept += ascent->margins[i] >= config->data.subset.margin;
    if (chosen->kept - train < test)
        return ww_data_fail(
            config, "data.subset.candidates", error,
            "of %lld candidates %lld have a margin of %g or more, fewer than the %lld of "
            "data.train and the %lld of data.test; take more candidates where there are more, "
            "raise data.subset.penalty, or lower data.subset.margin or the samples asked for",
            (long long)ascent->samples->count, (long long)chosen->kept, config->data.subset.margin,
            (long long)train, (long long)test);
    WW_TRY(take(config, ascent, train, "the train set", &next, &chosen->train, error));
    return take(config, ascent, test, "the test set", &next, &chosen->test, error);
}

ww_status ww_subset_choose(const ww_config *config, int sharers, ww_dataset *dataset,
                           ww_error *error)
{
    ww_dataset chosen = *dataset;
    chosen.train = chosen.test = (ww_samples){.sharers = sharers};
    ww_ascent ascent = {0};
    ww_status status = ww_ascent_begin(&dataset->train, dataset->dimension,
                                       config->data.subset.penalty, &ascent, error);
    if (status == WW_OK) {
        while (!(gap_of(&ascent) <= GAP) && ww_ascent_round(&ascent))
            ;
        status = take_parts(config, &ascent, &chosen, error);
    }
    ww_ascent_free(&ascent);
    ww_samples *const unused[] = {status == WW_OK ? &dataset->train : &chosen.train,
                                  status == WW_OK ? &dataset->test : &chosen.test};
    ww_samples_free(unused[0]);
    ww_samples_free(unused[1]);
    if (status == WW_OK)
        *dataset = chosen;
    return status;
}
