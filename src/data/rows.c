// A data set of a source that can make any samples: by all ranks of a node together, each its part,
// into memory that they have in common. Nodes do so side by side; nothing goes over the network.

#include "data/source.h"

#include "widthwise/memory.h"

#include <stdlib.h>

/// Ranks that make a data set together: those of the node that have a set in common, or this one
/// alone where it has a set of its own, all of which it makes itself. Bits are the same.
typedef struct makers {
    ww_parallel all; ///< of either set
    ww_parallel train, test;
} makers;

/// Room for one set on all ranks. `*group`: those that fill it together.
static ww_status allocate_set(const ww_parallel *parallel, const ww_nodes *nodes,
                              const ww_dataset *dataset, bool has_targets, const char *what,
                              ww_samples *samples, ww_parallel *group, ww_error *error)
{
    int64_t values = 0;
    int64_t bytes = 0;
    bool together = false;
    WW_TRY(ww_multiply(samples->count, dataset->dimension, what, &values, error));
    WW_TRY(ww_multiply(values, (int64_t)sizeof *samples->inputs, what, &bytes, error));
    ww_status status = ww_labels_allocate(samples, what, error);
    if (status == WW_OK && has_targets)
        status = ww_targets_allocate(samples, dataset->outputs, error);
    WW_TRY(ww_agree(parallel, status, error));
    WW_TRY(ww_share_room(parallel, nodes, (size_t)bytes, what, &samples->shared, &together, error));
    samples->inputs = samples->shared.memory;
    *group = together ? nodes->node : ww_alone();
    return WW_OK;
}

/// Samples of a set before those of a rank: as many on each rank, or one more.
static int64_t samples_before(int64_t count, int rank, int size)
{
    const int64_t more = count % size;
    return count / size * rank + (rank < more ? rank : more);
}

/// This rank's part of a set. Borrows its arrays.
static ww_samples part_of(const ww_samples *set, const ww_dataset *dataset,
                          const ww_parallel *group, int spare)
{
    const int64_t first = samples_before(set->count, group->rank, group->size);
    return (ww_samples){
        .count = samples_before(set->count, group->rank + 1, group->size) - first,
        .first = first,
        .inputs = set->inputs + first * dataset->dimension,
        .labels = set->labels + first,
        .components = set->components + first,
        .targets = set->targets != NULL ? set->targets + first * dataset->outputs : NULL,
        .spare = spare,
    };
}

/// Brings what each rank has made of the private arrays of a set to all of the group.
static ww_status gather_set(const ww_parallel *group, const ww_dataset *dataset,
                            ww_samples *samples, ww_error *error)
{
    const size_t row = (size_t)dataset->outputs * sizeof *samples->targets;
    const char *what = "the division of a data set";
    if (group->size == 1)
        return WW_OK;
    int *counts = ww_allocate((size_t)group->size, sizeof *counts, what, error);
    int *places = ww_allocate((size_t)group->size, sizeof *places, what, error);
    ww_status status = counts != NULL && places != NULL ? WW_OK : WW_FAILED;
    for (int rank = 0; status == WW_OK && rank < group->size; rank++) {
        const int64_t first = samples_before(samples->count, rank, group->size);
        const int64_t next = samples_before(samples->count, rank + 1, group->size);
        status = ww_to_int(first, what, &places[rank], error);
        if (status == WW_OK)
            status = ww_to_int(next - first, what, &counts[rank], error);
    }
    status = ww_agree(group, status, error);
    if (status == WW_OK)
        status =
            ww_gather_rows(group, samples->labels, sizeof *samples->labels, counts, places, error);
    if (status == WW_OK)
        status = ww_gather_rows(group, samples->components, sizeof *samples->components, counts,
                                places, error);
    if (status == WW_OK && samples->targets != NULL)
        status = ww_gather_rows(group, samples->targets, row, counts, places, error);
    free(counts);
    free(places);
    return status;
}

/// Makes this rank's parts. The ranks of the group return alike.
static ww_status make_parts(const ww_config *config, const ww_source_entry *source,
                            const makers *groups, const ww_dataset *dataset, ww_error *error)
{
    const ww_parallel *group = &groups->all;
    const int spare = ww_last_coordinate_columns(config);
    ww_dataset own = *dataset;
    own.train = part_of(&dataset->train, dataset, &groups->train, spare);
    own.test = part_of(&dataset->test, dataset, &groups->test, spare);
    own.dimension -= spare;
    WW_TRY(ww_agree(group, source->make(config, &own, error), error));
    WW_TRY(ww_dataset_refine(config, group, &own, error));
    return ww_agree(group, ww_draw_labels(config, source, &own, error), error);
}

static ww_status make(const ww_config *config, const ww_source_entry *source, const makers *groups,
                      ww_dataset *dataset, ww_error *error)
{
    const ww_parallel *group = &groups->all;
    WW_TRY(make_parts(config, source, groups, dataset, error));
    // From here on all inputs are there, for all to read.
    WW_TRY(gather_set(&groups->train, dataset, &dataset->train, error));
    WW_TRY(gather_set(&groups->test, dataset, &dataset->test, error));
    ww_shared_settle(&dataset->train.shared);
    ww_shared_settle(&dataset->test.shared);
    WW_TRY(ww_agree(group, ww_make_targets(dataset, error), error));
    int64_t hash = (int64_t)ww_dataset_hash_part(group, dataset);
    if (group->size > 1)
        WW_TRY(ww_sum_words(group, &hash, 1, error));
    dataset->hash = (uint64_t)hash;
    return WW_OK;
}

ww_status ww_dataset_make(const ww_config *config, const ww_source_entry *source,
                          const ww_parallel *parallel, const ww_nodes *nodes, ww_dataset *dataset,
                          ww_error *error)
{
    const bool has_targets = dataset->has_targets && source->values != NULL;
    makers groups;
    WW_TRY(allocate_set(parallel, nodes, dataset, has_targets, "the train set", &dataset->train,
                        &groups.train, error));
    WW_TRY(allocate_set(parallel, nodes, dataset, has_targets, "the test set", &dataset->test,
                        &groups.test, error));
    groups.all = groups.train.size > 1 ? groups.train : groups.test;
    return ww_agree(parallel, make(config, source, &groups, dataset, error), error);
}
