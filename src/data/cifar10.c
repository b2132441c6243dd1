// CIFAR-10 as its authors publish it in binary: a file is records of a byte with the label and the
// 32 x 32 pixels of the red, the green and the blue plane, and nothing else.
#include "data/images.h"
#include "data/packed_file.h"
#include "data/source.h"

#include "widthwise/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIXELS = 3 * 32 * 32, RECORD = 1 + PIXELS, LABELS = 10 };

static const char folder_key[] = "data.cifar10.folder";

/// One part while it is read: labels in a first pass over all files, images in a second one.
typedef struct cifar_part {
    const ww_config *config;
    char **paths; ///< [file_count]
    size_t file_count;
    ww_packed_file file;
    size_t next_file; ///< the one after `file`
    int64_t capacity; ///< of the labels
    ww_image_part part;
} cifar_part;

static void part_close(cifar_part *self)
{
    ww_packed_close(&self->file);
    for (size_t i = 0; i < self->file_count; i++)
        free(self->paths[i]);
    free(self->paths);
    ww_image_part_free(&self->part);
}

static ww_status open_next(cifar_part *self, ww_error *error)
{
    ww_packed_close(&self->file);
    return ww_packed_open(self->config, folder_key, self->paths[self->next_file++],
                          "; unpack cifar-10-binary.tar.gz, and give the folder of its files",
                          &self->file, error);
}

static ww_status wrong_size(const cifar_part *self, int64_t bytes, ww_error *error)
{
    return ww_data_fail(self->config, folder_key, error,
                        "'%s' has %lld bytes, no multiple of the %d of a label and 3 x 32 x 32 "
                        "pixels; give whole files of the binary version of CIFAR-10",
                        self->file.path, (long long)bytes, RECORD);
}

/// The size of a plain file, before its first bytes are taken for labels.
static ww_status check_size(const cifar_part *self, ww_error *error)
{
    int64_t size = 0;
    WW_TRY(ww_packed_size(&self->file, &size, error));
    return size > 0 && size % RECORD != 0 && ww_packed_is_plain(&self->file)
               ? wrong_size(self, size, error)
               : WW_OK;
}

static ww_status keep_label(cifar_part *self, unsigned char label, int64_t record, ww_error *error)
{
    ww_image_part *part = &self->part;
    if (label >= LABELS)
        return ww_data_fail(self->config, folder_key, error,
                            "'%s' has label %d in record %lld (counted from 0), and those of "
                            "CIFAR-10 are 0 to %d; give files of its binary version",
                            self->file.path, label, (long long)record, LABELS - 1);
    if (part->items == self->capacity) {
        const int64_t capacity = self->capacity == 0 ? 16384 : 2 * self->capacity;
        unsigned char *labels = ww_allocate((size_t)capacity, 1, "the labels of CIFAR-10", error);
        if (labels == NULL)
            return WW_FAILED;
        if (part->items > 0)
            memcpy(labels, part->labels, (size_t)part->items);
        free(part->labels);
        part->labels = labels;
        self->capacity = capacity;
    }
    part->labels[part->items++] = label;
    return WW_OK;
}

/// The labels of one file, read to its end.
static ww_status read_file_labels(cifar_part *self, ww_error *error)
{
    unsigned char record[RECORD];
    int64_t records = 0;
    int64_t got = 0;
    WW_TRY(open_next(self, error));
    WW_TRY(check_size(self, error));
    while (true) {
        WW_TRY(ww_packed_read(&self->file, RECORD, record, &got, error));
        if (got < RECORD)
            break;
        WW_TRY(keep_label(self, record[0], records++, error));
    }
    if (self->file.is_cut)
        return ww_data_fail(self->config, folder_key, error,
                            "'%s' is truncated: its compressed data break off; fetch it again",
                            self->file.path);
    if (got > 0)
        return wrong_size(self, records * RECORD + got, error);
    if (records == 0)
        return ww_data_fail(self->config, folder_key, error,
                            "'%s' is empty; give whole files of the binary version of CIFAR-10",
                            self->file.path);
    return WW_OK;
}

static ww_status next_image(void *context, unsigned char *image, ww_error *error)
{
    cifar_part *self = context;
    unsigned char label = 0;
    int64_t got = 0;
    WW_TRY(ww_packed_read(&self->file, 1, &label, &got, error));
    if (got == 0 && self->next_file < self->file_count) {
        WW_TRY(open_next(self, error));
        WW_TRY(ww_packed_read(&self->file, 1, &label, &got, error));
    }
    WW_TRY(ww_packed_read(&self->file, PIXELS, image, &got, error));
    return got == PIXELS
               ? WW_OK
               : ww_data_fail(self->config, folder_key, error,
                              "'%s' was changed while it was read; try again", self->file.path);
}

/// The path of a file, with the ending .gz where only that is there.
static char *path_of(const char *folder, const char *name, ww_error *error)
{
    char *plain =
        name[0] == '/' ? ww_copy_text(name, error) : ww_format(error, "%s/%s", folder, name);
    char *packed = plain != NULL ? ww_format(error, "%s.gz", plain) : NULL;
    const bool is_packed = packed != NULL && access(plain, F_OK) != 0 && access(packed, F_OK) == 0;
    free(is_packed ? plain : packed);
    return is_packed ? packed : plain;
}

/// Finds the files and reads all labels.
static ww_status part_open(cifar_part *self, const ww_word_list *names, ww_error *error)
{
    const char *folder = self->config->data.cifar10.folder;
    self->part.where = ww_format(error, "'%s' (%s)", folder, self->part.name);
    self->part.labels_key = folder_key;
    self->paths = ww_allocate(names->count, sizeof *self->paths, "the names of files", error);
    if (self->part.where == NULL || self->paths == NULL)
        return WW_FAILED;
    self->file_count = names->count;
    for (size_t i = 0; i < names->count; i++) {
        self->paths[i] = path_of(folder, names->words[i], error);
        if (self->paths[i] == NULL)
            return WW_FAILED;
    }
    for (size_t i = 0; i < self->file_count; i++)
        WW_TRY(read_file_labels(self, error));
    self->next_file = 0; // and from the start again
    return open_next(self, error);
}

static ww_status load_parts(const ww_config *config, bool samples, cifar_part *train,
                            cifar_part *test, ww_dataset *dataset, ww_error *error)
{
    WW_TRY(part_open(train, &config->data.cifar10.train_files, error));
    WW_TRY(part_open(test, &config->data.cifar10.test_files, error));
    const ww_image_rules rules = {
        .config = config,
        .classes_key = "data.cifar10.classes",
        .balanced_key = "data.cifar10.balanced",
        .classes = &config->data.cifar10.classes,
        .divisor = config->data.cifar10.divisor,
        .balanced = config->data.cifar10.balanced,
    };
    return ww_images_load(&rules, &train->part, &test->part, samples, dataset, error);
}

ww_status ww_source_cifar10(const ww_config *config, bool samples, ww_dataset *dataset,
                            ww_error *error)
{
    cifar_part train = {.config = config}, test = {.config = config};
    train.part = (ww_image_part){.name = "the train set",
                                 .count_key = ww_train_count_key(config),
                                 .asked = config->data.train,
                                 .pixels = PIXELS,
                                 .next = next_image,
                                 .context = &train};
    test.part = (ww_image_part){.name = "the test set",
                                .count_key = "data.test",
                                .asked = config->data.test,
                                .pixels = PIXELS,
                                .next = next_image,
                                .context = &test};
    const ww_status status = load_parts(config, samples, &train, &test, dataset, error);
    part_close(&train);
    part_close(&test);
    return status;
}
