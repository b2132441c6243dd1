// The hash of a data set, by which a changed file is noticed at a restart.

#include "data/source.h"

#include "widthwise/hash.h"

uint64_t ww_dataset_hash_part(const ww_parallel *group, const ww_dataset *dataset)
{
    const size_t row = (size_t)dataset->dimension * sizeof(double);
    const size_t targets = (size_t)dataset->outputs * sizeof(double);
    const ww_samples *train = &dataset->train, *test = &dataset->test;
    const int64_t shape[] = {dataset->dimension, dataset->classes, dataset->components,
                             train->count, test->count};
    ww_hash_turns turns = {.rank = group->rank, .size = group->size};
    uint64_t sum =
        ww_hash_rows_in_turn("data/train_inputs", train->inputs, train->count, row, &turns);
    sum += ww_hash_rows_in_turn("data/test_inputs", test->inputs, test->count, row, &turns);
    sum += ww_hash_rows_in_turn("data/train_labels", train->labels, train->count,
                                sizeof *train->labels, &turns);
    sum += ww_hash_rows_in_turn("data/test_labels", test->labels, test->count, sizeof *test->labels,
                                &turns);
    if (dataset->has_targets) {
        sum += ww_hash_rows_in_turn("data/train_targets", train->targets, train->count, targets,
                                    &turns);
        sum +=
            ww_hash_rows_in_turn("data/test_targets", test->targets, test->count, targets, &turns);
    }
    return sum + ww_hash_rows_in_turn("data/shape", shape, 1, sizeof shape, &turns);
}
