#include "data/source.h"

#include "widthwise/memory.h"

#include <errno.h>
#include <hdf5.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// LABEL_BLOCK labels, or as many targets, are read at once.
enum { LABEL_BLOCK = 1 << 16, CAUSE_SIZE = 512, LIST_SIZE = 2048 };

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

/// One open dataset, and what is known of it.
typedef struct hdf5_array {
    const ww_config *config;
    const char *key, *name; ///< key in the configuration, and the dataset it names
    hid_t set;
    bool is_integer;
    int rank;
    hsize_t extent[H5S_MAX_RANK];
    int64_t rows, row_values; ///< extent of the first axis; product of the others
} hdf5_array;

/// Keeps the innermost entry. Those of the file driver run over two lines with addresses and the
/// time; what matters of them is how they begin and the message of the system.
static herr_t first_description(unsigned number, const H5E_error2_t *entry, void *text)
{
    static const char mark[] = "error message = '";
    if (number != 0 || entry->desc == NULL)
        return 0;
    const char *details = strstr(entry->desc, ": time = ");
    const char *message = strstr(entry->desc, mark);
    if (details == NULL || message == NULL) {
        (void)snprintf(text, CAUSE_SIZE, "%.*s", (int)strcspn(entry->desc, "\n"), entry->desc);
        return 0;
    }
    message += sizeof mark - 1;
    (void)snprintf(text, CAUSE_SIZE, "%.*s: %.*s", (int)(details - entry->desc), entry->desc,
                   (int)strcspn(message, "'\n"), message);
    return 0;
}

/// The innermost reason that HDF5 gives for its last failure.
static void hdf5_cause(char *text)
{
    (void)snprintf(text, CAUSE_SIZE, "no reason given");
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_description, text);
}

static ww_status read_failed(const hdf5_array *array, ww_error *error)
{
    char cause[CAUSE_SIZE];
    hdf5_cause(cause);
    return ww_data_fail(array->config, array->key, error,
                        "dataset '%s' of '%s' cannot be read (HDF5: %s); check the file",
                        array->name, array->config->data.hdf5.file, cause);
}

/// Names of what lies in the root group, for messages.
static void list_names(hid_t file, char *text, size_t size)
{
    H5G_info_t group;
    size_t used = 0;
    text[0] = '\0';
    if (H5Gget_info(file, &group) < 0)
        return;
    for (hsize_t i = 0; i < group.nlinks && used + 1 < size; i++) {
        char name[256] = "";
        if (H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                               H5P_DEFAULT) < 0)
            return;
        const int written =
            snprintf(text + used, size - used, "%s'%s'", used == 0 ? "" : ", ", name);
        used += written > 0 ? (size_t)written : 0;
    }
}

static ww_status inspect_type(hdf5_array *array, ww_error *error)
{
    const hid_t type = H5Dget_type(array->set);
    if (type < 0)
        return read_failed(array, error);
    const H5T_class_t kind = H5Tget_class(type);
    (void)H5Tclose(type);
    array->is_integer = kind == H5T_INTEGER;
    if (kind != H5T_INTEGER && kind != H5T_FLOAT)
        return ww_data_fail(array->config, array->key, error,
                            "dataset '%s' of '%s' holds neither integers nor floating-point "
                            "numbers; convert it",
                            array->name, array->config->data.hdf5.file);
    return WW_OK;
}

static ww_status inspect_shape(hdf5_array *array, ww_error *error)
{
    const hid_t space = H5Dget_space(array->set);
    if (space < 0)
        return read_failed(array, error);
    const bool simple = H5Sget_simple_extent_type(space) == H5S_SIMPLE;
    array->rank = simple ? H5Sget_simple_extent_dims(space, array->extent, NULL) : 0;
    (void)H5Sclose(space);
    const char *file = array->config->data.hdf5.file;
    if (array->rank < 1)
        return ww_data_fail(array->config, array->key, error,
                            "dataset '%s' of '%s' is a scalar or empty; an axis of samples is "
                            "wanted",
                            array->name, file);
    array->row_values = 1;
    for (int a = 0; a < array->rank; a++) {
        if (array->extent[a] == 0)
            return ww_data_fail(array->config, array->key, error,
                                "dataset '%s' of '%s' is empty: axis %d has extent 0", array->name,
                                file, a);
        if (array->extent[a] > (hsize_t)INT64_MAX)
            return ww_data_fail(array->config, array->key, error,
                                "dataset '%s' of '%s' has an axis above 2^63", array->name, file);
        if (a > 0)
            WW_TRY(ww_multiply(array->row_values, (int64_t)array->extent[a], array->name,
                               &array->row_values, error));
    }
    array->rows = (int64_t)array->extent[0];
    return WW_OK;
}

static void array_close(hdf5_array *array)
{
    if (array->set >= 0)
        (void)H5Dclose(array->set);
    array->set = H5I_INVALID_HID;
}

static ww_status array_open(const ww_config *config, hid_t file, const char *key, const char *name,
                            hdf5_array *array, ww_error *error)
{
    *array = (hdf5_array){.config = config, .key = key, .name = name, .set = H5I_INVALID_HID};
    array->set = H5Dopen2(file, name, H5P_DEFAULT);
    if (array->set < 0) {
        char names[LIST_SIZE];
        list_names(file, names, sizeof names);
        return ww_data_fail(config, key, error, "'%s' has no dataset '%s'; at its top it has %s",
                            config->data.hdf5.file, name, names[0] == '\0' ? "nothing" : names);
    }
    ww_status status = inspect_type(array, error);
    if (status == WW_OK)
        status = inspect_shape(array, error);
    if (status != WW_OK)
        array_close(array);
    return status;
}

/// Rows first .. first + count - 1, converted to `type`, into out [count, row_values].
static ww_status array_read(const hdf5_array *array, int64_t first, int64_t count, hid_t type,
                            void *out, ww_error *error)
{
    hsize_t start[H5S_MAX_RANK] = {0};
    hsize_t extent[H5S_MAX_RANK];
    memcpy(extent, array->extent, sizeof extent);
    start[0] = (hsize_t)first;
    extent[0] = (hsize_t)count;
    const hid_t in_file = H5Dget_space(array->set);
    const hid_t in_memory = H5Screate_simple(array->rank, extent, NULL);
    herr_t done = -1;
    if (in_file >= 0 && in_memory >= 0 &&
        H5Sselect_hyperslab(in_file, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0)
        done = H5Dread(array->set, type, in_memory, in_file, H5P_DEFAULT, out);
    const ww_status status = done < 0 ? read_failed(array, error) : WW_OK;
    if (in_memory >= 0)
        (void)H5Sclose(in_memory);
    if (in_file >= 0)
        (void)H5Sclose(in_file);
    return status;
}

/// Labels first .. first + count - 1 as integers; `reals` [count] is room for those kept as floats.
static ww_status read_label_block(const hdf5_array *array, int64_t first, int64_t count,
                                  int64_t *labels, double *reals, ww_error *error)
{
    const char *file = array->config->data.hdf5.file;
    if (array->is_integer)
        WW_TRY(array_read(array, first, count, H5T_NATIVE_INT64, labels, error));
    else
        WW_TRY(array_read(array, first, count, H5T_NATIVE_DOUBLE, reals, error));
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
static ww_status read_labels(const hdf5_array *array, int64_t count, int64_t *labels,
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

static ww_status refuse_target(const hdf5_array *array, int64_t sample, int64_t column,
                               double value, ww_error *error)
{
    return ww_data_fail(array->config, array->key, error,
                        "target %lld of sample %lld (both counted from 0) in dataset '%s' of '%s' "
                        "is %g; every target must be finite, so mend it, or take the sample out",
                        (long long)column, (long long)sample, array->name,
                        array->config->data.hdf5.file, value);
}

/// Reads the targets of the first `count` samples, and no others, into targets [count, row_values].
static ww_status read_targets(const hdf5_array *array, int64_t count, double *targets,
                              ww_error *error)
{
    const int64_t k = array->row_values; // at least 1: inspect_shape has refused an empty axis
    const int64_t most = k < 1 || k > LABEL_BLOCK ? 1 : LABEL_BLOCK / k;
    for (int64_t first = 0; first < count; first += most) {
        const int64_t rows = count - first < most ? count - first : most;
        double *block = targets + first * k;
        WW_TRY(array_read(array, first, rows, H5T_NATIVE_DOUBLE, block, error));
        for (int64_t i = 0; i < rows * k; i++)
            if (!isfinite(block[i]))
                return refuse_target(array, first + i / k, i % k, block[i], error);
    }
    return WW_OK;
}

/// Checks the shape of labels or targets, and that there are as many as there are inputs.
static ww_status check_values(const hdf5_array *inputs, const hdf5_array *values, ww_error *error)
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
static ww_status check_part(const hdf5_keys *keys, const hdf5_array *inputs,
                            const hdf5_array *values, int64_t asked, int64_t *count,
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
static ww_status take_shape(const hdf5_keys *keys, const hdf5_array *inputs,
                            const hdf5_array *values, int64_t count, ww_dataset *dataset,
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
static ww_status read_values(const hdf5_array *values, bool with_samples, ww_dataset *dataset,
                             ww_samples *samples, ww_error *error)
{
    if (ww_config_has_classes(values->config))
        return read_labels(values, with_samples ? samples->count : 0, samples->labels,
                           &dataset->classes, error);
    if (!with_samples)
        return WW_OK;
    WW_TRY(ww_targets_allocate(samples, values->row_values, error));
    return read_targets(values, samples->count, samples->targets, error);
}

static ww_status load_part(const ww_config *config, hid_t file, const hdf5_keys *keys,
                           const hdf5_names *names, int64_t asked, bool with_samples,
                           ww_dataset *dataset, ww_samples *samples, ww_error *error)
{
    hdf5_array inputs = {.set = H5I_INVALID_HID}, values = {.set = H5I_INVALID_HID};
    const char *values_key = ww_config_has_classes(config) ? keys->labels : keys->targets;
    int64_t count = 0;
    ww_status status = array_open(config, file, keys->inputs, names->inputs, &inputs, error);
    if (status == WW_OK)
        status = array_open(config, file, values_key, names->values, &values, error);
    if (status == WW_OK)
        status = check_part(keys, &inputs, &values, asked, &count, error);
    if (status == WW_OK)
        status = take_shape(keys, &inputs, &values, count, dataset, samples, error);
    if (status == WW_OK && with_samples)
        status = ww_samples_allocate(samples, count, inputs.row_values, keys->name, error);
    if (status == WW_OK)
        status = read_values(&values, with_samples, dataset, samples, error);
    if (status == WW_OK && with_samples)
        status = array_read(&inputs, 0, count, H5T_NATIVE_DOUBLE, samples->inputs, error);
    if (status == WW_OK && with_samples)
        memcpy(samples->components, samples->labels, (size_t)count * sizeof *samples->labels);
    array_close(&values);
    array_close(&inputs);
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
    char cause[CAUSE_SIZE];
    hdf5_cause(cause);
    return ww_data_fail(
        config, key, error,
        "'%s' is not an HDF5 file that can be read (HDF5: %s); check it with h5dump", path, cause);
}

ww_status ww_source_hdf5(const ww_config *config, bool samples, ww_dataset *dataset,
                         ww_error *error)
{
    // HDF5 prints its own account of every failure unless told not to; ours is one sentence.
    H5E_auto2_t print = NULL;
    void *print_data = NULL;
    (void)H5Eget_auto2(H5E_DEFAULT, &print, &print_data);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t file = H5I_INVALID_HID;
    const bool has_classes = ww_config_has_classes(config);
    const hdf5_names train = {config->data.hdf5.train_inputs,
                              has_classes ? config->data.hdf5.train_labels
                                          : config->data.hdf5.train_targets};
    const hdf5_names test = {config->data.hdf5.test_inputs, has_classes
                                                                ? config->data.hdf5.test_labels
                                                                : config->data.hdf5.test_targets};
    hdf5_keys keys = train_keys;
    keys.count = ww_train_count_key(config);
    dataset->components = 1;
    ww_status status = open_file(config, &file, error);
    if (status == WW_OK)
        status = load_part(config, file, &keys, &train, config->data.train, samples, dataset,
                           &dataset->train, error);
    if (status == WW_OK)
        status = load_part(config, file, &test_keys, &test, config->data.test, samples, dataset,
                           &dataset->test, error);
    if (file >= 0)
        (void)H5Fclose(file);
    (void)H5Eset_auto2(H5E_DEFAULT, print, print_data);
    return status;
}
