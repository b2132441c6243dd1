// Memory that data sets take.

#include "data/ascent.h"
#include "data/source.h"

int64_t ww_dataset_input_bytes(const ww_dataset *shape)
{
    return (shape->train.count + shape->test.count) * shape->dimension *
           (int64_t)sizeof *shape->train.inputs;
}

int64_t ww_dataset_private_bytes(const ww_dataset *shape)
{
    const int64_t labels = (int64_t)(sizeof *shape->train.labels + sizeof *shape->train.components);
    const int64_t targets =
        (shape->has_targets ? shape->outputs : 0) * (int64_t)sizeof *shape->train.targets;
    const int64_t truth = shape->keeps_truth ? shape->train.count * targets : 0;
    const int64_t separator =
        shape->separator.sought ? shape->dimension * (int64_t)sizeof *shape->separator.weights +
                                      shape->train.count * (int64_t)sizeof *shape->separator.margins
                                : 0;
    return (shape->train.count + shape->test.count) * (labels + targets) + truth + separator;
}

int64_t ww_dataset_bytes(const ww_dataset *shape, int64_t sharers)
{
    return (ww_dataset_input_bytes(shape) + sharers - 1) / sharers +
           ww_dataset_private_bytes(shape);
}

int64_t ww_dataset_loading_bytes(const ww_dataset *shape)
{
    int64_t bytes = 0;
    if (shape->separator.sought)
        bytes = ww_ascent_bytes(shape->train.count, shape->dimension);
    if (shape->candidates == 0)
        return bytes;
    ww_dataset candidates = *shape;
    ww_dataset_set_counts(&candidates, shape->candidates, 0);
    candidates.separator.sought = false;
    const int64_t choice =
        ww_dataset_bytes(&candidates, 1) + ww_ascent_bytes(shape->candidates, shape->dimension);
    return choice > bytes ? choice : bytes;
}
