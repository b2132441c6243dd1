#include "data/idx_file.h"
#include "data/images.h"
#include "data/source.h"

#include "widthwise/memory.h"

#include <stdlib.h>

/// Keys of one part of the data set.
typedef struct idx_keys {
    const char *images, *labels, *count, *name;
} idx_keys;

static const idx_keys train_keys = {"data.idx.train_images", "data.idx.train_labels", "data.train",
                                    "the train set"};
static const idx_keys test_keys = {"data.idx.test_images", "data.idx.test_labels", "data.test",
                                   "the test set"};

/// One part while it is read.
typedef struct idx_part {
    ww_idx_file images, labels;
    ww_image_part part;
} idx_part;

static void part_close(idx_part *self)
{
    ww_idx_close(&self->images);
    ww_idx_close(&self->labels);
    ww_image_part_free(&self->part);
}

static ww_status next_image(void *context, unsigned char *image, ww_error *error)
{
    idx_part *self = context;
    return ww_idx_read(&self->images, 1, image, error);
}

/// Opens both files of a part, checks them against each other, and reads the labels.
static ww_status part_open(const ww_config *config, const idx_keys *keys, const char *images,
                           const char *labels, int64_t asked, idx_part *self, ww_error *error)
{
    WW_TRY(ww_idx_open(config, keys->labels, labels, true, &self->labels, error));
    WW_TRY(ww_idx_open(config, keys->images, images, false, &self->images, error));
    const int64_t items = self->labels.items;
    if (self->images.items != items)
        return ww_data_fail(config, keys->labels, error,
                            "'%s' has %lld labels, but '%s' has %lld images; give files that "
                            "belong together",
                            labels, (long long)items, images, (long long)self->images.items);
    self->part = (ww_image_part){
        .name = keys->name,
        .count_key = keys->count,
        .labels_key = keys->labels,
        .where = ww_format(error, "'%s'", labels),
        .asked = asked,
        .items = items,
        .pixels = self->images.item_bytes,
        .labels = ww_allocate((size_t)items, 1, "the labels of an IDX file", error),
        // Only its end shows whether a compressed file is whole.
        .to_end = !self->images.plain,
        .next = next_image,
        .context = self,
    };
    if (self->part.where == NULL || self->part.labels == NULL)
        return WW_FAILED;
    WW_TRY(ww_idx_read(&self->labels, items, self->part.labels, error));
    return ww_idx_check_end(&self->labels, error);
}

static ww_status load_parts(const ww_config *config, bool samples, idx_part *train, idx_part *test,
                            ww_dataset *dataset, ww_error *error)
{
    idx_keys candidates = train_keys;
    candidates.count = ww_train_count_key(config);
    WW_TRY(part_open(config, &candidates, config->data.idx.train_images,
                     config->data.idx.train_labels, config->data.train, train, error));
    WW_TRY(part_open(config, &test_keys, config->data.idx.test_images, config->data.idx.test_labels,
                     config->data.test, test, error));
    if (train->part.pixels != test->part.pixels)
        return ww_data_fail(config, test_keys.images, error,
                            "'%s' has images of %lld pixels, but '%s' of %lld; give files that "
                            "belong together",
                            config->data.idx.test_images, (long long)test->part.pixels,
                            config->data.idx.train_images, (long long)train->part.pixels);
    const ww_image_rules rules = {
        .config = config,
        .classes_key = "data.idx.classes",
        .balanced_key = "data.idx.balanced",
        .classes = &config->data.idx.classes,
        .divisor = config->data.idx.divisor,
        .balanced = config->data.idx.balanced,
    };
    WW_TRY(ww_images_load(&rules, &train->part, &test->part, samples, dataset, error));
    idx_part *const parts[] = {train, test};
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++)
        if (samples && parts[p]->part.to_end)
            WW_TRY(ww_idx_check_end(&parts[p]->images, error));
    return WW_OK;
}

ww_status ww_source_idx(const ww_config *config, bool samples, ww_dataset *dataset, ww_error *error)
{
    idx_part train = {0}, test = {0};
    const ww_status status = load_parts(config, samples, &train, &test, dataset, error);
    part_close(&train);
    part_close(&test);
    return status;
}
