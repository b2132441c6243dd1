// A data set from rank 0, which has loaded it, to all others.

#include "data/source.h"

#include "widthwise/memory.h"

#include <math.h>

/// Room on this rank for all but the inputs of samples whose number is known.
static ww_status allocate_private(const ww_dataset *dataset, ww_samples *samples, const char *what,
                                  ww_error *error)
{
    WW_TRY(ww_labels_allocate(samples, what, error));
    return dataset->has_targets ? ww_targets_allocate(samples, dataset->outputs, error) : WW_OK;
}

/// Gives the samples of rank 0 to all others, whose counts are known.
static ww_status share_samples(const ww_parallel *parallel, const ww_nodes *nodes,
                               const ww_dataset *dataset, const char *what, ww_samples *samples,
                               ww_error *error)
{
    const size_t count = (size_t)samples->count;
    const size_t bytes = count * (size_t)dataset->dimension * sizeof *samples->inputs;
    // Ranks agree that all have the memory before any waits for the arrays.
    const ww_status status =
        parallel->rank == 0 ? WW_OK : allocate_private(dataset, samples, what, error);
    WW_TRY(ww_agree(parallel, status, error));
    WW_TRY(ww_share(parallel, nodes, bytes, what, &samples->shared, error));
    samples->inputs = samples->shared.memory;
    if (dataset->has_targets)
        WW_TRY(ww_broadcast(parallel, samples->targets,
                            count * (size_t)dataset->outputs * sizeof *samples->targets, 0, error));
    WW_TRY(ww_broadcast(parallel, samples->labels, count * sizeof *samples->labels, 0, error));
    return ww_broadcast(parallel, samples->components, count * sizeof *samples->components, 0,
                        error);
}

ww_status ww_dataset_share_shape(const ww_parallel *parallel, ww_dataset *dataset, ww_error *error)
{
    int64_t shape[] = {dataset->dimension,   dataset->classes,          dataset->components,
                       dataset->train.count, dataset->test.count,       (int64_t)dataset->hash,
                       dataset->outputs,     dataset->has_targets,      dataset->candidates,
                       dataset->kept,        dataset->separator.sought, dataset->keeps_truth};
    WW_TRY(ww_broadcast(parallel, shape, sizeof shape, 0, error));
    if (parallel->rank == 0)
        return WW_OK;
    *dataset = (ww_dataset){.dimension = shape[0],
                            .classes = shape[1],
                            .components = shape[2],
                            .hash = (uint64_t)shape[5],
                            .outputs = shape[6],
                            .has_targets = shape[7] != 0,
                            .candidates = shape[8],
                            .kept = shape[9],
                            .separator = {.sought = shape[10] != 0},
                            .keeps_truth = shape[11] != 0};
    ww_dataset_set_counts(dataset, shape[3], shape[4]);
    return WW_OK;
}

ww_status ww_separator_share(const ww_parallel *parallel, ww_dataset *dataset, ww_error *error)
{
    ww_separator *separator = &dataset->separator;
    double bounds[] = {separator->lower, separator->upper};
    if (!separator->sought || parallel->size == 1)
        return WW_OK;
    WW_TRY(ww_broadcast(parallel, bounds, sizeof bounds, 0, error));
    separator->lower = bounds[0];
    separator->upper = bounds[1];
    if (isinf(separator->upper))
        return WW_OK;
    const ww_status status =
        parallel->rank == 0
            ? WW_OK
            : ww_separator_allocate(dataset->train.count, dataset->dimension, separator, error);
    WW_TRY(ww_agree(parallel, status, error));
    WW_TRY(ww_broadcast(parallel, separator->weights,
                        (size_t)dataset->dimension * sizeof *separator->weights, 0, error));
    return ww_broadcast(parallel, separator->margins,
                        (size_t)dataset->train.count * sizeof *separator->margins, 0, error);
}

ww_status ww_dataset_share(const ww_parallel *parallel, const ww_nodes *nodes, ww_dataset *dataset,
                           ww_error *error)
{
    WW_TRY(ww_dataset_share_shape(parallel, dataset, error));
    WW_TRY(share_samples(parallel, nodes, dataset, "the train set", &dataset->train, error));
    return share_samples(parallel, nodes, dataset, "the test set", &dataset->test, error);
}
