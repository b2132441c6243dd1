#include "data/images.h"

#include "data/source.h"

#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_SIZE = 2048 };

/// Which labels of the files are kept, and what they become.
typedef struct image_choice {
    int64_t classes;
    int64_t new_label[WW_IMAGE_LABELS]; ///< -1: left out
    int64_t raw_label[WW_IMAGE_LABELS]; ///< of new label c, for messages
} image_choice;

void ww_image_part_free(ww_image_part *part)
{
    free(part->where);
    free(part->labels);
    free(part->chosen);
    *part = (ww_image_part){0};
}

static bool has_label(const ww_image_part *part, int64_t label)
{
    return memchr(part->labels, (int)label, (size_t)part->items) != NULL;
}

/// The labels that occur in a part, as "0, 1, 2".
static void list_labels(const ww_image_part *part, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int64_t label = 0; label < WW_IMAGE_LABELS; label++)
        if (has_label(part, label))
            used += (size_t)snprintf(text + used, size - used, "%s%lld", used == 0 ? "" : ", ",
                                     (long long)label);
}

/// All labels from 0 to the largest of the train set, whatever number of samples is asked for.
static ww_status choose_all(const ww_image_rules *rules, const ww_image_part *train,
                            const ww_image_part *test, image_choice *choice, ww_error *error)
{
    int64_t largest = WW_IMAGE_LABELS - 1;
    while (!has_label(train, largest))
        largest--;
    for (int64_t label = largest + 1; label < WW_IMAGE_LABELS; label++)
        if (has_label(test, label))
            return ww_data_fail(rules->config, test->labels_key, error,
                                "%s has label %lld, above the largest one of the train set, "
                                "%lld; choose classes with %s",
                                test->where, (long long)label, (long long)largest,
                                rules->classes_key);
    choice->classes = largest + 1;
    for (int64_t label = 0; label < WW_IMAGE_LABELS; label++) {
        choice->new_label[label] = label <= largest ? label : -1;
        choice->raw_label[label] = label;
    }
    return WW_OK;
}

/// The labels of the list: label c is the one at place c.
static ww_status choose_listed(const ww_image_rules *rules, const ww_image_part *train,
                               const ww_image_part *test, image_choice *choice, ww_error *error)
{
    const ww_integer_list *list = rules->classes;
    for (int64_t label = 0; label < WW_IMAGE_LABELS; label++)
        choice->new_label[label] = -1;
    for (size_t c = 0; c < list->count; c++) {
        const int64_t label = list->values[c];
        if (label < 0 || label >= WW_IMAGE_LABELS)
            return ww_data_fail(rules->config, rules->classes_key, error,
                                "has %lld; labels of images are 0 to %d", (long long)label,
                                WW_IMAGE_LABELS - 1);
        if (choice->new_label[label] >= 0)
            return ww_data_fail(rules->config, rules->classes_key, error, "has label %lld twice",
                                (long long)label);
        const ww_image_part *const parts[] = {train, test};
        for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
            if (has_label(parts[p], label))
                continue;
            char present[LIST_SIZE];
            list_labels(parts[p], present, sizeof present);
            return ww_data_fail(rules->config, rules->classes_key, error,
                                "label %lld does not occur in %s; choose among %s",
                                (long long)label, parts[p]->where, present);
        }
        choice->new_label[label] = (int64_t)c;
        choice->raw_label[c] = label;
    }
    choice->classes = (int64_t)list->count;
    return WW_OK;
}

/// How many samples the part can give, and how many of each class (new labels) there are.
static int64_t count_available(const ww_image_rules *rules, const ww_image_part *part,
                               const image_choice *choice, int64_t *of_class)
{
    int64_t total = 0;
    for (int64_t i = 0; i < part->items; i++) {
        const int64_t label = choice->new_label[part->labels[i]];
        if (label < 0)
            continue;
        of_class[label]++;
        total++;
    }
    if (!rules->balanced)
        return total;
    int64_t smallest = of_class[0];
    for (int64_t c = 1; c < choice->classes; c++)
        smallest = of_class[c] < smallest ? of_class[c] : smallest;
    return smallest * choice->classes;
}

static ww_status too_few(const ww_image_rules *rules, const ww_image_part *part,
                         const image_choice *choice, const int64_t *of_class, int64_t available,
                         int64_t asked, ww_error *error)
{
    if (!rules->balanced)
        return ww_data_fail(rules->config, part->count_key, error,
                            "%lld samples are asked for, but %s has %lld of the chosen classes; "
                            "lower it, or set it to all",
                            (long long)asked, part->where, (long long)available);
    int64_t rarest = 0;
    for (int64_t c = 1; c < choice->classes; c++)
        rarest = of_class[c] < of_class[rarest] ? c : rarest;
    return ww_data_fail(rules->config, part->count_key, error,
                        "%lld samples of each of %lld classes are asked for (%s), but %s has %lld "
                        "of label %lld; at most %lld samples can be had",
                        (long long)(asked / choice->classes), (long long)choice->classes,
                        rules->balanced_key, part->where, (long long)of_class[rarest],
                        (long long)choice->raw_label[rarest], (long long)available);
}

/// Finds the images that are kept: the first ones of the chosen classes in the order of the files,
/// or the first of each class where they are balanced.
static ww_status choose_items(const ww_image_rules *rules, const image_choice *choice,
                              ww_image_part *part, ww_error *error)
{
    int64_t of_class[WW_IMAGE_LABELS] = {0};
    WW_ASSERT(choice->classes >= 1);
    const int64_t available = count_available(rules, part, choice, of_class);
    const int64_t count = part->asked == WW_ALL_SAMPLES ? available : part->asked;
    if (part->asked != WW_ALL_SAMPLES && part->asked < 1)
        return ww_data_fail(rules->config, part->count_key, error,
                            "is %lld; at least one sample is needed", (long long)part->asked);
    if (rules->balanced && count % choice->classes != 0)
        return ww_data_fail(rules->config, part->count_key, error,
                            "%lld samples cannot be divided equally among %lld classes "
                            "(%s); make it a multiple of %lld",
                            (long long)count, (long long)choice->classes, rules->balanced_key,
                            (long long)choice->classes);
    if (count > available || count == 0)
        return too_few(rules, part, choice, of_class, available,
                       count > 0 ? count : choice->classes, error);
    part->chosen = ww_allocate((size_t)count, sizeof *part->chosen, part->name, error);
    if (part->chosen == NULL)
        return WW_FAILED;
    int64_t taken[WW_IMAGE_LABELS] = {0};
    const int64_t quota = rules->balanced ? count / choice->classes : count;
    for (int64_t i = 0; part->count < count; i++) {
        const int64_t label = choice->new_label[part->labels[i]];
        if (label < 0 || taken[label] == quota)
            continue;
        taken[label]++;
        part->chosen[part->count++] = i;
    }
    return WW_OK;
}

/// Reads image after image and keeps the chosen ones.
static ww_status read_images(const ww_image_rules *rules, const image_choice *choice,
                             const ww_image_part *part, ww_samples *samples, ww_error *error)
{
    const int64_t d = part->pixels;
    double value_of[WW_IMAGE_LABELS];
    for (int v = 0; v < WW_IMAGE_LABELS; v++)
        value_of[v] = v / rules->divisor;
    WW_TRY(ww_samples_allocate(samples, part->count, d, part->name, error));
    unsigned char *image = ww_allocate((size_t)d, 1, "an image", error);
    if (image == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    int64_t kept = 0;
    for (int64_t i = 0; i < part->items && status == WW_OK; i++) {
        if (!part->to_end && kept == part->count)
            break;
        status = part->next(part->context, image, error);
        if (status != WW_OK || kept == part->count || part->chosen[kept] != i)
            continue;
        for (int64_t j = 0; j < d; j++)
            samples->inputs[kept * d + j] = value_of[image[j]];
        samples->labels[kept] = choice->new_label[part->labels[i]];
        samples->components[kept] = samples->labels[kept];
        kept++;
    }
    free(image);
    return status;
}

ww_status ww_images_load(const ww_image_rules *rules, ww_image_part *train, ww_image_part *test,
                         bool samples, ww_dataset *dataset, ww_error *error)
{
    image_choice choice = {0};
    if (rules->classes->count == 0)
        WW_TRY(choose_all(rules, train, test, &choice, error));
    else
        WW_TRY(choose_listed(rules, train, test, &choice, error));
    WW_TRY(choose_items(rules, &choice, train, error));
    WW_TRY(choose_items(rules, &choice, test, error));
    dataset->dimension = train->pixels;
    dataset->classes = choice.classes;
    dataset->components = 1;
    ww_dataset_set_counts(dataset, train->count, test->count);
    if (!samples)
        return WW_OK;
    WW_TRY(read_images(rules, &choice, train, &dataset->train, error));
    return read_images(rules, &choice, test, &dataset->test, error);
}
