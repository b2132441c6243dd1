#include "data/hdf5_array.h"
#include "data/source.h"

#include "widthwise/memory.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// LABEL_BLOCK labels, or as many targets, are read at once.
enum { LABEL_BLOCK = 1 << 16 };

/// Keys of one part of the data set.
typedef struct hdf5_keys {
    const char *inputs, *labels, *targets, *count, *name;
} hdf5_keys;

static const hdf5_keys train_keys = {"data.hdf5.train_inputs", "data.hdf5.train_labels",
                                     "data.hdf5.train_targets", "data.train", "the train set"};
static const hdf5_keys test_keys = {"data.hdf5.test_inputs", "data.hdf5.test_labels",
                                    "data.hdf5.test_targets", "data.test", "the test set"};

/// Names of the datasets of one part: its inputs, and its labels or targets.
typedef struct hdf5_names {
    const char *inputs, *values;
} hdf5_names;

/// Labels first .. first + count - 1 as integers; `reals` [count] is room for those kept as floats.
static ww_status read_label_block(const ww_hdf5_array *array, int64_t first, int64_t count,
                                  int64_t *labels, double *reals, ww_error *error)
{
    const char *file = array->config->data.hdf5.file;
    if (array->is_integer)
        WW_TRY(ww_hdf5_read(array, first, count, H5T_NATIVE_INT64, labels, error));
    else
        WW_TRY(ww_hdf5_read(array, first, count, H5T_NATIVE_DOUBLE, reals, error));
    for (int64_t i = 0; i < count; i++) {
        const double value = array->is_integer ? (double)labels[i] : reals[i];
        if (!(value >= 0.0 && value < INT_MAX) || value != floor(value))
            return ww_data_fail(array->config, array->key, error,
                                "label %lld of dataset '%s' of '%s' is %.17g; labels must be the "
                                "integers 0, 1, ... up to the number of classes less one (real "
                                "numbers for regression are named by data.hdf5.train_targets and "
                                "data.hdf5.test_targets)",
                                (long long)first + (long long)i, array->name, file, value);
        labels[i] = (int64_t)value;
    }
    return WW_OK;
}

/// Reads the first `count` labels into `labels`, and looks at the others too: the number of classes
/// does not depend on how many samples are asked for.
static ww_status read_labels(const ww_hdf5_array *array, int64_t count, int64_t *labels,
                             int64_t *classes, ww_error *error)
{
    int64_t *block = ww_allocate(LABEL_BLOCK, sizeof *block, "a block of labels", error);
    double *reals = ww_allocate(LABEL_BLOCK, sizeof *reals, "a block of labels", error);
    ww_status status = block == NULL || reals == NULL ? WW_FAILED : WW_OK;
    for (int64_t first = 0; first < array->rows && status == WW_OK; first += LABEL_BLOCK) {
        const int64_t left = array->rows - first;
        const int64_t rows = left < LABEL_BLOCK ? left : LABEL_BLOCK;
        status = read_label_block(array, first, rows, block, reals, error);
        for (int64_t i = 0; i < rows && status == WW_OK; i++) {
            if (block[i] >= *classes)
                *classes = block[i] + 1;
            if (first + i < count)
                labels[first + i] = block[i];
        }
    }
    free(block);
    free(reals);
    return status;
}

static ww_status refuse_target(const ww_hdf5_array *array, int64_t sample, int64_t column,
                               double value, ww_error *error)
{
    return ww_data_fail(array->config, array->key, error,
                        "target %lld of sample %lld (both counted from 0) in dataset '%s' of '%s' "
                        "is %g; every target must be finite, so mend it, or take the sample out",
                        (long long)column, (long long)sample, array->name,
                        array->config->data.hdf5.file, value);
}

/// Reads the targets of samples first .. first + count - 1, and no others, into targets
/// [count, row_values].
static ww_status read_targets(const ww_hdf5_array *array, int64_t first, int64_t count,
                              double *targets, ww_error *error)
{
    const int64_t k = array->row_values; // at least 1: inspect_shape has refused an empty axis
    const int64_t most = k < 1 || k > LABEL_BLOCK ? 1 : LABEL_BLOCK / k;
    for (int64_t done = 0; done < count; done += most) {
        const int64_t rows = count - done < most ? count - done : most;
        double *block = targets + done * k;
        WW_TRY(ww_hdf5_read(array, first + done, rows, H5T_NATIVE_DOUBLE, block, error));
        for (int64_t i = 0; i < rows * k; i++)
            if (!isfinite(block[i]))
                return refuse_target(array, first + done + i / k, i % k, block[i], error);
    }
    return WW_OK;
}

/// Reads the labels of samples first .. first + count - 1 into labels [count].
static ww_status read_label_rows(const ww_hdf5_array *array, int64_t first, int64_t count,
                                 int64_t *labels, ww_error *error)
{
    double *reals = ww_allocate(LABEL_BLOCK, sizeof *reals, "a block of labels", error);
    ww_status status = reals == NULL ? WW_FAILED : WW_OK;
    for (int64_t done = 0; done < count && status == WW_OK; done += LABEL_BLOCK) {
        const int64_t rows = count - done < LABEL_BLOCK ? count - done : LABEL_BLOCK;
        status = read_label_block(array, first + done, rows, labels + done, reals, error);
    }
    free(reals);
    return status;
}

/// Checks the shape of labels or targets, and that there are as many as there are inputs.
static ww_status check_values(const ww_hdf5_array *inputs, const ww_hdf5_array *values,
                              ww_error *error)
{
    const ww_config *config = values->config;
    const char *file = config->data.hdf5.file;
    const bool has_classes = ww_config_has_classes(config);
    if (has_classes && values->row_values != 1)
        return ww_data_fail(config, values->key, error,
                            "dataset '%s' of '%s' has %lld values a sample; labels have one (real "
                            "numbers for regression are named by data.hdf5.train_targets and "
                            "data.hdf5.test_targets)",
                            values->name, file, (long long)values->row_values);
    if (!has_classes && values->rank > 2)
        return ww_data_fail(config, values->key, error,
                            "dataset '%s' of '%s' has %d axes; targets have one, [samples], or "
                            "two, [samples, outputs]",
                            values->name, file, values->rank);
    if (inputs->rows != values->rows)
        return ww_data_fail(config, values->key, error,
                            "dataset '%s' of '%s' has %lld %s, but '%s' has %lld samples; they "
                            "must agree",
                            values->name, file, (long long)values->rows,
                            has_classes ? "labels" : "rows of targets", inputs->name,
                            (long long)inputs->rows);
    return WW_OK;
}

/// Checks inputs and labels or targets against each other and against the number of samples asked
/// for.
static ww_status check_part(const hdf5_keys *keys, const ww_hdf5_array *inputs,
                            const ww_hdf5_array *values, int64_t asked, int64_t *count,
                            ww_error *error)
{
    const ww_config *config = inputs->config;
    const char *file = config->data.hdf5.file;
    if (inputs->rank < 2)
        return ww_data_fail(config, keys->inputs, error,
                            "dataset '%s' of '%s' has one axis; inputs have two, [samples, "
                            "dimension], or more",
                            inputs->name, file);
    WW_TRY(check_values(inputs, values, error));
    *count = asked == WW_ALL_SAMPLES ? inputs->rows : asked;
    if (*count < 1)
        return ww_data_fail(config, keys->count, error, "is %lld; at least one sample is needed",
                            (long long)*count);
    if (*count > inputs->rows)
        return ww_data_fail(config, keys->count, error,
                            "%lld samples are asked for, but dataset '%s' of '%s' has %lld; lower "
                            "it, or set it to all",
                            (long long)*count, inputs->name, file, (long long)inputs->rows);
    return WW_OK;
}

/// Takes over what is known of the shape, which for the test set is that of the train set.
static ww_status take_shape(const hdf5_keys *keys, const ww_hdf5_array *inputs,
                            const ww_hdf5_array *values, int64_t count, ww_dataset *dataset,
                            ww_samples *samples, ww_error *error)
{
    const ww_config *config = inputs->config;
    const bool is_first = dataset->dimension == 0;
    const bool has_classes = ww_config_has_classes(config);
    if (!is_first && inputs->row_values != dataset->dimension)
        return ww_data_fail(config, keys->inputs, error,
                            "dataset '%s' of '%s' has inputs of dimension %lld, those of the "
                            "train set have %lld; they must agree",
                            inputs->name, config->data.hdf5.file, (long long)inputs->row_values,
                            (long long)dataset->dimension);
    if (!is_first && !has_classes && values->row_values != dataset->outputs)
        return ww_data_fail(config, keys->targets, error,
                            "dataset '%s' of '%s' has %lld targets a sample, the train set has "
                            "%lld; they must agree",
                            values->name, config->data.hdf5.file, (long long)values->row_values,
                            (long long)dataset->outputs);
    dataset->dimension = inputs->row_values;
    if (!has_classes) {
        dataset->outputs = values->row_values;
        dataset->classes = 1;
    }
    samples->count = count;
    return WW_OK;
}

/// Labels, of all samples in the file as far as the number of classes goes, or targets.
static ww_status read_values(const ww_hdf5_array *values, bool with_samples, ww_dataset *dataset,
                             ww_samples *samples, ww_error *error)
{
    if (ww_config_has_classes(values->config))
        return read_labels(values, with_samples ? samples->count : 0, samples->labels,
                           &dataset->classes, error);
    if (!with_samples)
        return WW_OK;
    WW_TRY(ww_targets_allocate(samples, values->row_values, error));
    return read_targets(values, 0, samples->count, samples->targets, error);
}

/// The datasets of a part.
static ww_status open_part(const ww_config *config, hid_t file, const hdf5_keys *keys,
                           const hdf5_names *names, ww_hdf5_array *inputs, ww_hdf5_array *values,
                           ww_error *error)
{
    const char *values_key = ww_config_has_classes(config) ? keys->labels : keys->targets;
    values->set = H5I_INVALID_HID;
    WW_TRY(ww_hdf5_open(config, file, keys->inputs, names->inputs, inputs, error));
    return ww_hdf5_open(config, file, values_key, names->values, values, error);
}

/// Reads the samples of a part that are wanted, for which there is room.
static ww_status read_part(const ww_config *config, hid_t file, const hdf5_keys *keys,
                           const hdf5_names *names, const ww_dataset *dataset, ww_samples *samples,
                           ww_error *error)
{
    const int64_t first = samples->first, count = samples->count;
    ww_hdf5_array inputs = {.set = H5I_INVALID_HID}, values = {.set = H5I_INVALID_HID};
    ww_status status = open_part(config, file, keys, names, &inputs, &values, error);
    if (status == WW_OK && (inputs.row_values != dataset->dimension || inputs.rows < first + count))
        status = ww_data_fail(config, keys->inputs, error,
                              "dataset '%s' of '%s' has changed while it was read; try again",
                              inputs.name, config->data.hdf5.file);
    if (status == WW_OK && count > 0)
        status = ww_hdf5_read(&inputs, first, count, H5T_NATIVE_DOUBLE, samples->inputs, error);
    if (status == WW_OK && ww_config_has_classes(config)) {
        status = read_label_rows(&values, first, count, samples->labels, error);
        if (status == WW_OK)
            memcpy(samples->components, samples->labels, (size_t)count * sizeof *samples->labels);
    } else if (status == WW_OK) {
        status = read_targets(&values, first, count, samples->targets, error);
    }
    ww_hdf5_close(&values);
    ww_hdf5_close(&inputs);
    return status;
}

static ww_status load_part(const ww_config *config, hid_t file, const hdf5_keys *keys,
                           const hdf5_names *names, int64_t asked, bool with_samples,
                           ww_dataset *dataset, ww_samples *samples, ww_error *error)
{
    ww_hdf5_array inputs = {.set = H5I_INVALID_HID}, values = {.set = H5I_INVALID_HID};
    int64_t count = 0;
    ww_status status = open_part(config, file, keys, names, &inputs, &values, error);
    if (status == WW_OK)
        status = check_part(keys, &inputs, &values, asked, &count, error);
    if (status == WW_OK)
        status = take_shape(keys, &inputs, &values, count, dataset, samples, error);
    if (status == WW_OK && with_samples)
        status = ww_samples_allocate(samples, count, inputs.row_values, keys->name, error);
    if (status == WW_OK)
        status = read_values(&values, with_samples, dataset, samples, error);
    if (status == WW_OK && with_samples)
        status = ww_hdf5_read(&inputs, 0, count, H5T_NATIVE_DOUBLE, samples->inputs, error);
    if (status == WW_OK && with_samples)
        memcpy(samples->components, samples->labels, (size_t)count * sizeof *samples->labels);
    ww_hdf5_close(&values);
    ww_hdf5_close(&inputs);
    return status;
}

static ww_status open_file(const ww_config *config, hid_t *file, ww_error *error)
{
    const char *key = "data.hdf5.file";
    const char *path = config->data.hdf5.file;
    if (access(path, R_OK) != 0)
        return ww_data_fail(config, key, error, "'%s' cannot be opened: %s", path, strerror(errno));
    *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (*file >= 0)
        return WW_OK;
    char cause[WW_HDF5_CAUSE_SIZE];
    ww_hdf5_cause(cause);
    return ww_data_fail(
        config, key, error,
        "'%s' is not an HDF5 file that can be read (HDF5: %s); check it with h5dump", path, cause);
}

/// What is done with the open file.
typedef ww_status (*hdf5_work)(const ww_config *config, hid_t file, const hdf5_names names[2],
                               bool samples, ww_dataset *dataset, ww_error *error);

/// Opens the file, quietly, and does something with it; `names`: of the datasets of both parts.
static ww_status with_file(const ww_config *config, hdf5_work work, bool samples,
                           ww_dataset *dataset, ww_error *error)
{
    // HDF5 prints its own account of every failure unless told not to; ours is one sentence.
    H5E_auto2_t print = NULL;
    void *print_data = NULL;
    (void)H5Eget_auto2(H5E_DEFAULT, &print, &print_data);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t file = H5I_INVALID_HID;
    const bool has_classes = ww_config_has_classes(config);
    const hdf5_names names[] = {
        {config->data.hdf5.train_inputs,
         has_classes ? config->data.hdf5.train_labels : config->data.hdf5.train_targets},
        {config->data.hdf5.test_inputs,
         has_classes ? config->data.hdf5.test_labels : config->data.hdf5.test_targets}};
    ww_status status = open_file(config, &file, error);
    if (status == WW_OK)
        status = work(config, file, names, samples, dataset, error);
    if (file >= 0)
        (void)H5Fclose(file);
    (void)H5Eset_auto2(H5E_DEFAULT, print, print_data);
    return status;
}

static ww_status load_parts(const ww_config *config, hid_t file, const hdf5_names names[2],
                            bool samples, ww_dataset *dataset, ww_error *error)
{
    hdf5_keys keys = train_keys;
    keys.count = ww_train_count_key(config);
    WW_TRY(load_part(config, file, &keys, &names[0], config->data.train, samples, dataset,
                     &dataset->train, error));
    return load_part(config, file, &test_keys, &names[1], config->data.test, samples, dataset,
                     &dataset->test, error);
}

ww_status ww_source_hdf5(const ww_config *config, bool samples, ww_dataset *dataset,
                         ww_error *error)
{
    dataset->components = 1;
    return with_file(config, load_parts, samples, dataset, error);
}

static ww_status read_parts(const ww_config *config, hid_t file, const hdf5_names names[2],
                            bool samples, ww_dataset *dataset, ww_error *error)
{
    (void)samples;
    WW_TRY(read_part(config, file, &train_keys, &names[0], dataset, &dataset->train, error));
    return read_part(config, file, &test_keys, &names[1], dataset, &dataset->test, error);
}

ww_status ww_hdf5_samples(const ww_config *config, ww_dataset *dataset, ww_error *error)
{
    return with_file(config, read_parts, true, dataset, error);
}
