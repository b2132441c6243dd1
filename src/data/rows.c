// A data set of a source that can make any samples: by all ranks of a node together, each its part,
// into memory that they have in common. Nodes do so side by side: inputs never go over the network,
// and of a data set that is not divided nothing does.

#include "data/source.h"

#include "widthwise/hash.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <stdlib.h>

/// One set, and who makes what of it.
typedef struct making {
    ww_samples *samples;
    const ww_parallel *group; ///< that fills the memory which the set is in, or this rank alone
    ww_part_of_samples part;  ///< made by this rank
} making;

/// Ranks that make a data set together, and have of all samples what is not in memory in common:
/// all of them where it is divided, or those of a node, or this one alone.
typedef struct makers {
    ww_parallel alone;
    const ww_parallel *all;
    making train, test;
} makers;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/// From the first sample of a block that is hashed to the end of one.
static ww_part_of_samples whole_blocks(ww_part_of_samples part, int64_t count)
{
    const int64_t first = part.first / WW_HASH_ROWS * WW_HASH_ROWS;
    const int64_t blocks = (part.first + part.count + WW_HASH_ROWS - 1) / WW_HASH_ROWS;
    const int64_t end = least(blocks * WW_HASH_ROWS, count);
    return (ww_part_of_samples){.first = first, .count = end - first};
}

/// Number `rank` of `size` nearly equal parts of some samples.
static ww_part_of_samples share_of(ww_part_of_samples whole, int rank, int size)
{
    const int64_t each = whole.count / size, more = whole.count % size;
    const int64_t before = each * rank + least(rank, more);
    return (ww_part_of_samples){.first = whole.first + before, .count = each + (rank < more)};
}

/// The samples of all that the ranks of a group hold together: all from the first of any to the
/// last.
static ww_status join_parts(const ww_parallel *group, ww_part_of_samples *part, ww_error *error)
{
    double ends[] = {-(double)part->first, (double)(part->first + part->count)};
    if (group->size == 1)
        return WW_OK;
    WW_TRY(ww_maximum(group, ends, 2, error)); // exact: below 2^53
    *part = (ww_part_of_samples){.first = (int64_t)-ends[0], .count = (int64_t)(ends[1] + ends[0])};
    return WW_OK;
}

/// Room for one set on all ranks, of which this one wants a part, and what it makes of it.
static ww_status allocate_set(const ww_parallel *parallel, const ww_nodes *nodes,
                              const ww_dataset *dataset, bool has_targets,
                              ww_part_of_samples wanted, const char *what, making *set,
                              const ww_parallel *alone, ww_error *error)
{
    ww_samples *samples = set->samples;
    const size_t row = (size_t)dataset->dimension * sizeof *samples->inputs;
    int64_t values = 0;
    int64_t bytes = 0;
    bool together = false;
    WW_TRY(ww_multiply(samples->count, dataset->dimension, what, &values, error));
    WW_TRY(ww_multiply(values, (int64_t)sizeof *samples->inputs, what, &bytes, error));
    ww_status status = ww_labels_allocate(samples, what, error);
    if (status == WW_OK && has_targets)
        status = ww_targets_allocate(samples, dataset->outputs, error);
    WW_TRY(ww_agree(parallel, status, error));
    wanted = whole_blocks(wanted, samples->count);
    const ww_stretch stretch = {.first = (size_t)wanted.first * row,
                                .bytes = (size_t)wanted.count * row};
    WW_TRY(ww_share_room(parallel, nodes, (size_t)bytes, stretch, what, &samples->shared, &together,
                         error));
    samples->inputs = samples->shared.memory;
    set->group = together ? &nodes->node : alone;
    WW_TRY(ww_agree(parallel, join_parts(set->group, &wanted, error), error));
    samples->held = wanted;
    set->part = share_of(wanted, set->group->rank, set->group->size);
    return WW_OK;
}

/// This rank's part of a set. Borrows its arrays.
static ww_samples part_of(const making *set, const ww_dataset *dataset, int spare)
{
    const ww_samples *samples = set->samples;
    const int64_t first = set->part.first;
    return (ww_samples){
        .count = set->part.count,
        .first = first,
        .inputs = samples->inputs + first * dataset->dimension,
        .labels = samples->labels + first,
        .components = samples->components + first,
        .targets = samples->targets != NULL ? samples->targets + first * dataset->outputs : NULL,
        .spare = spare,
    };
}

/// A part, and the rank that has made it.
typedef struct owned {
    int64_t first, next;
    int64_t rank;
} owned;

static int by_place(const void *a, const void *b)
{
    const owned *one = a, *other = b;
    if (one->first != other->first)
        return one->first < other->first ? -1 : 1;
    return one->rank < other->rank ? -1 : one->rank > other->rank;
}

/// Who of the group tells of which samples: where nodes have made the same ones, one of them.
/// counts, places [size]; `parts` is room for as many.
static ww_status divide_telling(const ww_parallel *group, const making *set, owned *parts,
                                int *counts, int *places, ww_error *error)
{
    const char *what = "the division of a data set";
    parts[group->rank] = (owned){
        .first = set->part.first, .next = set->part.first + set->part.count, .rank = group->rank};
    for (int rank = 0; rank < group->size; rank++) {
        counts[rank] = 1;
        places[rank] = rank;
    }
    WW_TRY(ww_gather_rows(group, parts, sizeof *parts, counts, places, error));
    qsort(parts, (size_t)group->size, sizeof *parts, by_place);
    int64_t told = 0; // all samples before this one
    for (int i = 0; i < group->size; i++) {
        const int64_t first = parts[i].first > told ? parts[i].first : told;
        const int64_t next = parts[i].next > first ? parts[i].next : first;
        const int64_t rank = parts[i].rank;
        WW_ASSERT(first <= told || next == first); // all are made
        WW_TRY(ww_to_int(first, what, &places[rank], error));
        WW_TRY(ww_to_int(next - first, what, &counts[rank], error));
        told = next > told ? next : told;
    }
    WW_ASSERT(told == set->samples->count);
    return WW_OK;
}

/// Brings what each rank has made of the private arrays of a set to all of the group. `*part`: what
/// this rank told.
static ww_status gather_set(const ww_parallel *group, const ww_dataset *dataset, const making *set,
                            ww_part_of_samples *part, ww_error *error)
{
    ww_samples *samples = set->samples;
    const size_t row = (size_t)dataset->outputs * sizeof *samples->targets;
    const char *what = "the division of a data set";
    *part = set->part;
    if (group->size == 1)
        return WW_OK;
    int *counts = ww_allocate((size_t)group->size, sizeof *counts, what, error);
    int *places = ww_allocate((size_t)group->size, sizeof *places, what, error);
    owned *parts = ww_allocate((size_t)group->size, sizeof *parts, what, error);
    ww_status status = ww_agree(
        group, counts != NULL && places != NULL && parts != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK)
        status = divide_telling(group, set, parts, counts, places, error);
    if (status == WW_OK)
        status =
            ww_gather_rows(group, samples->labels, sizeof *samples->labels, counts, places, error);
    if (status == WW_OK)
        status = ww_gather_rows(group, samples->components, sizeof *samples->components, counts,
                                places, error);
    if (status == WW_OK && samples->targets != NULL)
        status = ww_gather_rows(group, samples->targets, row, counts, places, error);
    if (status == WW_OK)
        *part = (ww_part_of_samples){.first = places[group->rank], .count = counts[group->rank]};
    free(counts);
    free(places);
    free(parts);
    return status;
}

/// Makes this rank's parts. The ranks of the group return alike.
static ww_status make_parts(const ww_config *config, const ww_source_entry *source,
                            const makers *groups, ww_dataset *dataset, ww_error *error)
{
    const ww_parallel *group = groups->all;
    const int spare = ww_last_coordinate_columns(config);
    ww_dataset own = *dataset;
    own.train = part_of(&groups->train, dataset, spare);
    own.test = part_of(&groups->test, dataset, spare);
    own.dimension -= spare;
    WW_TRY(ww_agree(group, source->make(config, &own, error), error));
    WW_TRY(ww_dataset_refine(config, group, &own, error));
    WW_TRY(ww_agree(group, ww_draw_labels(config, source, &own, error), error));
    if (!dataset->is_divided)
        return WW_OK;
    dataset->largest_norm = ww_largest_norm(own.train.inputs, own.train.count, own.dimension);
    return ww_maximum(group, &dataset->largest_norm, 1, error);
}

static ww_status make(const ww_config *config, const ww_source_entry *source, const makers *groups,
                      ww_dataset *dataset, ww_error *error)
{
    const ww_parallel *group = groups->all;
    ww_sample_parts told;
    WW_TRY(make_parts(config, source, groups, dataset, error));
    // From here on all inputs are there, for all to read.
    WW_TRY(gather_set(group, dataset, &groups->train, &told.train, error));
    WW_TRY(gather_set(group, dataset, &groups->test, &told.test, error));
    ww_shared_settle(&dataset->train.shared);
    ww_shared_settle(&dataset->test.shared);
    WW_TRY(ww_agree(group, ww_make_targets(dataset, error), error));
    int64_t hash = (int64_t)ww_dataset_hash_part(dataset, &told, group->rank == 0);
    if (group->size > 1)
        WW_TRY(ww_sum_words(group, &hash, 1, error));
    dataset->hash = (uint64_t)hash;
    return WW_OK;
}

ww_status ww_dataset_make(const ww_config *config, const ww_source_entry *source,
                          const ww_parallel *parallel, const ww_nodes *nodes,
                          const ww_sample_parts *wanted, ww_dataset *dataset, ww_error *error)
{
    const bool has_targets =
        dataset->has_targets && (source->values != NULL || !ww_config_has_classes(config));
    const ww_sample_parts both = {.train = {.count = dataset->train.count},
                                  .test = {.count = dataset->test.count}};
    const ww_sample_parts *parts = wanted != NULL ? wanted : &both;
    makers groups = {.alone = ww_alone(),
                     .train = {.samples = &dataset->train},
                     .test = {.samples = &dataset->test}};
    dataset->is_divided = wanted != NULL && parallel->size > 1;
    WW_TRY(allocate_set(parallel, nodes, dataset, has_targets, parts->train, "the train set",
                        &groups.train, &groups.alone, error));
    WW_TRY(allocate_set(parallel, nodes, dataset, has_targets, parts->test, "the test set",
                        &groups.test, &groups.alone, error));
    groups.all = dataset->is_divided            ? parallel
                 : groups.train.group->size > 1 ? groups.train.group
                                                : groups.test.group;
    return ww_agree(parallel, make(config, source, &groups, dataset, error), error);
}
