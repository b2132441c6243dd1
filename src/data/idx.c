#include "data/idx_file.h"
#include "data/source.h"

#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_VALUES = 256, LIST_SIZE = 2048 };

/// Keys of one part of the data set.
typedef struct idx_keys {
    const char *images, *labels, *count, *name;
} idx_keys;

static const idx_keys train_keys = {"data.idx.train_images", "data.idx.train_labels", "data.train",
                                    "the train set"};
static const idx_keys test_keys = {"data.idx.test_images", "data.idx.test_labels", "data.test",
                                   "the test set"};

/// Which raw labels are kept, and what they become.
typedef struct idx_choice {
    int64_t classes;
    int64_t new_label[LABEL_VALUES]; ///< -1: left out
    int64_t raw_label[LABEL_VALUES]; ///< of new label c, for messages
} idx_choice;

/// One part while it is read. Labels are held as bytes, images are not.
typedef struct idx_part {
    ww_idx_file images, labels;
    unsigned char *raw_labels; ///< [items]
    int64_t *chosen;           ///< [count], items that are kept, rising
    int64_t count;
} idx_part;

static void part_close(idx_part *part)
{
    ww_idx_close(&part->images);
    ww_idx_close(&part->labels);
    free(part->raw_labels);
    free(part->chosen);
    *part = (idx_part){0};
}

/// Opens both files of a part, checks them against each other, and reads the labels.
static ww_status part_open(const ww_config *config, const idx_keys *keys, const char *images,
                           const char *labels, idx_part *part, ww_error *error)
{
    WW_TRY(ww_idx_open(config, keys->labels, labels, true, &part->labels, error));
    WW_TRY(ww_idx_open(config, keys->images, images, false, &part->images, error));
    const int64_t items = part->labels.items;
    if (part->images.items != items)
        return ww_data_fail(config, keys->labels, error,
                            "'%s' has %lld labels, but '%s' has %lld images; give files that "
                            "belong together",
                            labels, (long long)items, images, (long long)part->images.items);
    part->raw_labels = ww_allocate((size_t)items, 1, "the labels of an IDX file", error);
    if (part->raw_labels == NULL)
        return WW_FAILED;
    WW_TRY(ww_idx_read(&part->labels, items, part->raw_labels, error));
    return ww_idx_check_end(&part->labels, error);
}

static bool part_has_label(const idx_part *part, int64_t label)
{
    return memchr(part->raw_labels, (int)label, (size_t)part->labels.items) != NULL;
}

/// The raw labels that occur in a part, as "0, 1, 2".
static void list_labels(const idx_part *part, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int64_t label = 0; label < LABEL_VALUES; label++)
        if (part_has_label(part, label))
            used += (size_t)snprintf(text + used, size - used, "%s%lld", used == 0 ? "" : ", ",
                                     (long long)label);
}

/// All labels from 0 to the largest of the train file, whatever number of samples is asked for.
static ww_status choose_all(const ww_config *config, const idx_part *train, const idx_part *test,
                            idx_choice *choice, ww_error *error)
{
    int64_t largest = LABEL_VALUES - 1;
    while (!part_has_label(train, largest))
        largest--;
    for (int64_t label = largest + 1; label < LABEL_VALUES; label++)
        if (part_has_label(test, label))
            return ww_data_fail(config, test_keys.labels, error,
                                "'%s' has label %lld, above the largest one of the train set, "
                                "%lld; choose classes with data.idx.classes",
                                test->labels.path, (long long)label, (long long)largest);
    choice->classes = largest + 1;
    for (int64_t label = 0; label < LABEL_VALUES; label++) {
        choice->new_label[label] = label <= largest ? label : -1;
        choice->raw_label[label] = label;
    }
    return WW_OK;
}

/// The labels of data.idx.classes: label c is the one at place c of the list.
static ww_status choose_listed(const ww_config *config, const idx_part *train, const idx_part *test,
                               idx_choice *choice, ww_error *error)
{
    const char *key = "data.idx.classes";
    const ww_integer_list *list = &config->data.idx.classes;
    for (int64_t label = 0; label < LABEL_VALUES; label++)
        choice->new_label[label] = -1;
    for (size_t c = 0; c < list->count; c++) {
        const int64_t label = list->values[c];
        if (label < 0 || label >= LABEL_VALUES)
            return ww_data_fail(config, key, error, "has %lld; labels of IDX files are 0 to %d",
                                (long long)label, LABEL_VALUES - 1);
        if (choice->new_label[label] >= 0)
            return ww_data_fail(config, key, error, "has label %lld twice", (long long)label);
        const idx_part *const parts[] = {train, test};
        for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
            if (part_has_label(parts[p], label))
                continue;
            char present[LIST_SIZE];
            list_labels(parts[p], present, sizeof present);
            return ww_data_fail(config, key, error,
                                "label %lld does not occur in '%s'; choose among %s",
                                (long long)label, parts[p]->labels.path, present);
        }
        choice->new_label[label] = (int64_t)c;
        choice->raw_label[c] = label;
    }
    choice->classes = (int64_t)list->count;
    return WW_OK;
}

/// How many samples the part can give, and how many of each class (new labels) there are.
static int64_t count_available(const ww_config *config, const idx_part *part,
                               const idx_choice *choice, int64_t *of_class)
{
    int64_t total = 0;
    for (int64_t i = 0; i < part->labels.items; i++) {
        const int64_t label = choice->new_label[part->raw_labels[i]];
        if (label < 0)
            continue;
        of_class[label]++;
        total++;
    }
    if (!config->data.idx.balanced)
        return total;
    int64_t smallest = of_class[0];
    for (int64_t c = 1; c < choice->classes; c++)
        smallest = of_class[c] < smallest ? of_class[c] : smallest;
    return smallest * choice->classes;
}

static ww_status too_few(const ww_config *config, const idx_keys *keys, const idx_part *part,
                         const idx_choice *choice, const int64_t *of_class, int64_t available,
                         int64_t asked, ww_error *error)
{
    if (!config->data.idx.balanced)
        return ww_data_fail(config, keys->count, error,
                            "%lld samples are asked for, but '%s' has %lld of the chosen classes; "
                            "lower it, or set it to all",
                            (long long)asked, part->labels.path, (long long)available);
    int64_t rarest = 0;
    for (int64_t c = 1; c < choice->classes; c++)
        rarest = of_class[c] < of_class[rarest] ? c : rarest;
    return ww_data_fail(config, keys->count, error,
                        "%lld samples of each of %lld classes are asked for (data.idx.balanced), "
                        "but '%s' has %lld of label %lld; at most %lld samples can be had",
                        (long long)(asked / choice->classes), (long long)choice->classes,
                        part->labels.path, (long long)of_class[rarest],
                        (long long)choice->raw_label[rarest], (long long)available);
}

/// Finds the items that are kept: the first `asked` ones of the chosen classes in file order, or
/// the first of each class where they are balanced.
static ww_status choose_items(const ww_config *config, const idx_keys *keys, int64_t asked,
                              const idx_choice *choice, idx_part *part, ww_error *error)
{
    int64_t of_class[LABEL_VALUES] = {0};
    const bool balanced = config->data.idx.balanced;
    WW_ASSERT(choice->classes >= 1);
    const int64_t available = count_available(config, part, choice, of_class);
    const int64_t count = asked == WW_ALL_SAMPLES ? available : asked;
    if (asked != WW_ALL_SAMPLES && asked < 1)
        return ww_data_fail(config, keys->count, error, "is %lld; at least one sample is needed",
                            (long long)asked);
    if (balanced && count % choice->classes != 0)
        return ww_data_fail(config, keys->count, error,
                            "%lld samples cannot be divided equally among %lld classes "
                            "(data.idx.balanced); make it a multiple of %lld",
                            (long long)count, (long long)choice->classes,
                            (long long)choice->classes);
    if (count > available || count == 0)
        return too_few(config, keys, part, choice, of_class, available,
                       count > 0 ? count : choice->classes, error);
    part->chosen = ww_allocate((size_t)count, sizeof *part->chosen, keys->name, error);
    if (part->chosen == NULL)
        return WW_FAILED;
    int64_t taken[LABEL_VALUES] = {0};
    const int64_t quota = balanced ? count / choice->classes : count;
    for (int64_t i = 0; part->count < count; i++) {
        const int64_t label = choice->new_label[part->raw_labels[i]];
        if (label < 0 || taken[label] == quota)
            continue;
        taken[label]++;
        part->chosen[part->count++] = i;
    }
    return WW_OK;
}

/// Reads image after image and keeps the chosen ones. A compressed file is read to its end, since
/// only that shows whether it is whole.
static ww_status read_images(const ww_config *config, idx_part *part, const idx_choice *choice,
                             const idx_keys *keys, ww_samples *samples, ww_error *error)
{
    const int64_t d = part->images.item_bytes;
    double value_of[LABEL_VALUES];
    for (int v = 0; v < LABEL_VALUES; v++)
        value_of[v] = v / config->data.idx.divisor;
    WW_TRY(ww_samples_allocate(samples, part->count, d, keys->name, error));
    unsigned char *image = ww_allocate((size_t)d, 1, "an image", error);
    if (image == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    int64_t kept = 0;
    for (int64_t i = 0; i < part->images.items && status == WW_OK; i++) {
        if (part->images.plain && kept == part->count)
            break;
        status = ww_idx_read(&part->images, 1, image, error);
        if (status != WW_OK || kept == part->count || part->chosen[kept] != i)
            continue;
        for (int64_t j = 0; j < d; j++)
            samples->inputs[kept * d + j] = value_of[image[j]];
        samples->labels[kept] = choice->new_label[part->raw_labels[i]];
        samples->components[kept] = samples->labels[kept];
        kept++;
    }
    free(image);
    if (status == WW_OK && !part->images.plain)
        status = ww_idx_check_end(&part->images, error);
    return status;
}

static ww_status load_parts(const ww_config *config, bool samples, idx_part *train, idx_part *test,
                            ww_dataset *dataset, ww_error *error)
{
    WW_TRY(part_open(config, &train_keys, config->data.idx.train_images,
                     config->data.idx.train_labels, train, error));
    WW_TRY(part_open(config, &test_keys, config->data.idx.test_images, config->data.idx.test_labels,
                     test, error));
    if (train->images.item_bytes != test->images.item_bytes)
        return ww_data_fail(config, test_keys.images, error,
                            "'%s' has images of %lld pixels, but '%s' of %lld; give files that "
                            "belong together",
                            test->images.path, (long long)test->images.item_bytes,
                            train->images.path, (long long)train->images.item_bytes);
    idx_choice choice = {0};
    if (config->data.idx.classes.count == 0)
        WW_TRY(choose_all(config, train, test, &choice, error));
    else
        WW_TRY(choose_listed(config, train, test, &choice, error));
    WW_TRY(choose_items(config, &train_keys, config->data.train, &choice, train, error));
    WW_TRY(choose_items(config, &test_keys, config->data.test, &choice, test, error));
    dataset->dimension = train->images.item_bytes;
    dataset->classes = choice.classes;
    dataset->components = 1;
    ww_dataset_set_counts(dataset, train->count, test->count);
    if (!samples)
        return WW_OK;
    WW_TRY(read_images(config, train, &choice, &train_keys, &dataset->train, error));
    return read_images(config, test, &choice, &test_keys, &dataset->test, error);
}

ww_status ww_source_idx(const ww_config *config, bool samples, ww_dataset *dataset, ww_error *error)
{
    idx_part train = {0}, test = {0};
    const ww_status status = load_parts(config, samples, &train, &test, dataset, error);
    part_close(&train);
    part_close(&test);
    return status;
}
