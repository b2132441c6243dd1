// The hash of a data set, by which a changed file is noticed at a restart.

#include "data/source.h"

#include "widthwise/hash.h"

static uint64_t hash_part(const char *name, const void *rows, int64_t count, size_t row_bytes,
                          ww_part_of_samples part)
{
    return ww_hash_rows_between(name, rows, count, row_bytes, part.first, part.first + part.count);
}

uint64_t ww_dataset_hash_part(const ww_dataset *dataset, const ww_sample_parts *parts,
                              bool is_first)
{
    const size_t row = (size_t)dataset->dimension * sizeof(double);
    const size_t targets = (size_t)dataset->outputs * sizeof(double);
    const ww_samples *train = &dataset->train, *test = &dataset->test;
    const int64_t shape[] = {dataset->dimension, dataset->classes, dataset->components,
                             train->count, test->count};
    uint64_t sum = is_first ? ww_hash_rows("data/shape", shape, 1, sizeof shape) : 0;
    sum += hash_part("data/train_inputs", train->inputs, train->count, row, parts->train);
    sum += hash_part("data/test_inputs", test->inputs, test->count, row, parts->test);
    sum += hash_part("data/train_labels", train->labels, train->count, sizeof *train->labels,
                     parts->train);
    sum +=
        hash_part("data/test_labels", test->labels, test->count, sizeof *test->labels, parts->test);
    if (dataset->has_targets) {
        sum += hash_part("data/train_targets", train->targets, train->count, targets, parts->train);
        sum += hash_part("data/test_targets", test->targets, test->count, targets, parts->test);
    }
    return sum;
}
