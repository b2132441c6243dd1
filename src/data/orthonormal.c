#include "data/source.h"

enum { CLASSES = 2 };

ww_status ww_source_orthonormal(const ww_config *config, bool samples, ww_dataset *dataset,
                                ww_error *error)
{
    const int64_t d = config->data.orthonormal.dimension;
    dataset->dimension = d;
    dataset->classes = CLASSES; // of which the second stays empty: all labels are +1
    dataset->components = 1;
    ww_dataset_set_counts(dataset, d, d);
    if (!samples)
        return WW_OK;
    WW_TRY(ww_samples_allocate(&dataset->train, d, d, "the train set", error)); // zeroed
    for (int64_t s = 0; s < d; s++)
        dataset->train.inputs[s * d + s] = 1.0;
    return ww_samples_copy(&dataset->train, d, "the test set", &dataset->test, error);
}
