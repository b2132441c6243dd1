/// What the tests of data sets share: a data set from a few lines of YAML, and a folder for small
/// files.
#ifndef WIDTHWISE_TESTS_DATA_SUPPORT_H
#define WIDTHWISE_TESTS_DATA_SUPPORT_H

#include "cmocka_all.h"

#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/memory.h"
#include "widthwise/parallel.h"

#include <ftw.h>
#include <mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/// The shape that is told without the samples is that of the loaded data set.
static inline void check_shape(const ww_config *config, const ww_parallel *parallel,
                               const ww_dataset *loaded)
{
    ww_dataset shape = {0};
    ww_error error = {0};
    if (ww_dataset_describe(config, parallel, &shape, &error) != WW_OK)
        fail_msg("the shape is refused: %s", error.message);
    assert_null(shape.train.inputs);
    assert_null(shape.test.labels);
    assert_int_equal(shape.dimension, loaded->dimension);
    assert_int_equal(shape.classes, loaded->classes);
    assert_int_equal(shape.outputs, loaded->outputs);
    assert_int_equal(shape.has_targets, loaded->has_targets);
    assert_int_equal(loaded->has_targets, loaded->train.targets != NULL);
    assert_int_equal(shape.components, loaded->components);
    assert_int_equal(shape.train.count, loaded->train.count);
    assert_int_equal(shape.test.count, loaded->test.count);
}

/// Bytes of it that are another rank's of the node.
static inline int64_t guest_bytes(const ww_dataset *data)
{
    return ww_shared_guest_bytes(&data->train.shared) + ww_shared_guest_bytes(&data->test.shared);
}

/// Parses `yaml` and loads its data set on all ranks. A configuration that does not parse fails the
/// test: only what the data are to blame for is looked at here.
static inline ww_status load_dataset(const char *yaml, ww_dataset *dataset, ww_error *error)
{
    ww_experiment experiment = {0};
    ww_parallel parallel = {0};
    *error = (ww_error){0};
    if (ww_experiment_parse(yaml, "test.yaml", "/", NULL, 0, &experiment, error) != WW_OK)
        fail_msg("the configuration does not parse: %s", error->message);
    assert_int_equal(ww_parallel_create(MPI_COMM_WORLD, &parallel, error), WW_OK);
    const ww_status status = ww_dataset_load(&experiment.members[0], &parallel, dataset, error);
    if (status == WW_OK)
        check_shape(&experiment.members[0], &parallel, dataset);
    ww_parallel_destroy(&parallel);
    ww_experiment_free(&experiment);
    return status;
}

/// Loads a data set that has to be right.
static inline ww_dataset load_good(const char *yaml)
{
    ww_dataset dataset = {0};
    ww_error error = {0};
    if (load_dataset(yaml, &dataset, &error) != WW_OK)
        fail_msg("%s", error.message);
    return dataset;
}

/// Loads a data set that has to be refused: WW_USAGE, nothing left behind, and one sentence that
/// begins with the configuration's file or the key and holds all of `first`, `second` and `third`.
static inline void load_bad(const char *yaml, const char *first, const char *second,
                            const char *third)
{
    ww_dataset dataset = {0};
    ww_error error = {0};
    const char *const parts[] = {first, second, third};
    assert_int_equal(load_dataset(yaml, &dataset, &error), WW_USAGE);
    assert_int_equal(error.status, WW_USAGE);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(error.message, parts[i]) == NULL)
            fail_msg("\"%s\" is not in: %s", parts[i], error.message);
    if (strchr(error.message, '\n') != NULL)
        fail_msg("more than one line: %s", error.message);
    assert_null(dataset.train.inputs);
    assert_null(dataset.test.inputs);
}

/// Makes a folder of its own for the files of a test program; the state is its path.
static inline int make_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = ww_format(NULL, "%s/widthwise-test-XXXXXX", base != NULL ? base : "/tmp");
    if (path == NULL || mkdtemp(path) == NULL)
        return -1;
    *state = path;
    return 0;
}

static inline int remove_entry(const char *path, const struct stat *facts, int kind,
                               struct FTW *place)
{
    (void)facts;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline int remove_folder(void **state)
{
    const int result = nftw(*state, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return result;
}

static inline void write_file(const char *folder, const char *name, const void *bytes, size_t count)
{
    char *path = ww_format(NULL, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static inline void write_gzip(const char *folder, const char *name, const void *bytes, size_t count)
{
    char *path = ww_format(NULL, "%s/%s", folder, name);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)count), count);
    assert_int_equal(gzclose(file), Z_OK);
    free(path);
}

#endif
