/// What sources of labelled images share: which classes and images are kept, and how pixels become
/// inputs. Private to src/data.
///
/// Labels are bytes and read first; images are read once, in the order of the files, and only those
/// that are kept stay in memory.
#ifndef WIDTHWISE_DATA_IMAGES_H
#define WIDTHWISE_DATA_IMAGES_H

#include "widthwise/data.h"

#include <stdbool.h>
#include <stdint.h>

enum { WW_IMAGE_LABELS = 256 };

/// What a configuration says of images, and the keys that say it.
typedef struct ww_image_rules {
    const ww_config *config;
    const char *classes_key, *balanced_key;
    const ww_integer_list *classes; ///< labels kept, in the order of the new ones; empty: all
    double divisor;                 ///< of pixels
    bool balanced;                  ///< equally many of every class
} ww_image_rules;

/// The train or the test set. The source fills all but `chosen` and `count`.
typedef struct ww_image_part {
    const char *name;       ///< "the train set"
    const char *count_key;  ///< "data.train"
    const char *labels_key; ///< that says where the labels are
    char *where;            ///< in quotes, for messages; freed with the part
    int64_t asked;          ///< samples, or WW_ALL_SAMPLES
    int64_t items, pixels;  ///< images, and bytes of each
    unsigned char *labels;  ///< [items]; freed with the part
    bool to_end;            ///< images after the last that is kept are to be read too

    /// Reads the next image into `image` [pixels].
    ww_status (*next)(void *context, unsigned char *image, ww_error *error);
    void *context;

    int64_t *chosen; ///< [count], images that are kept, rising
    int64_t count;
} ww_image_part;

void ww_image_part_free(ww_image_part *part);

/// Fills the data set: the first images of the chosen classes in the order of the files, as many as
/// are asked for, or the first so many of each class where they are balanced. Without `samples` the
/// shape alone. WW_USAGE: a chosen label does not occur, or there are fewer images.
ww_status ww_images_load(const ww_image_rules *rules, ww_image_part *train, ww_image_part *test,
                         bool samples, ww_dataset *dataset, ww_error *error);

#endif
