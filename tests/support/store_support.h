/// What the tests of the file share: a member with everything that a file can hold, values that are
/// a plain function of place and step, a look into the file past the code under test, and
/// assertions that fail on all ranks together (else the others would wait for the one that left).
#ifndef WIDTHWISE_TESTS_STORE_SUPPORT_H
#define WIDTHWISE_TESTS_STORE_SUPPORT_H

#include "cmocka_all.h"
#include "widthwise/config.h"
#include "widthwise/memory.h"
#include "widthwise/parallel.h"
#include "widthwise/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <hdf5.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STORE_DIMENSION = 5,
    STORE_OUTPUTS = 3,
    STORE_COLUMNS = 6,  // of an engine's state
    STORE_TRAIN = 2500, // three blocks of a hash
    STORE_TEST = 10,
    STORE_BATCH = 4,
    STORE_STEPS = 60,
    STORE_RECORDS = 7,
    STORE_CARRY = 2,
    STORE_ROW = 8,    // doubles of all fields of a row
    STORE_LAYERS = 3, // most of a member
    STORE_PATH = 512
};

static const ww_field store_trajectory[] = {
    {.name = "zeta", .description = "A scalar", .units = "1", .source = "a paper, (1)"},
    {.name = "alpha",
     .description = "A list",
     .units = "1",
     .source = "",
     .rank = 1,
     .extent = {3}},
    {.name = "loss",
     .description = "A matrix",
     .units = "1",
     .source = "",
     .rank = 2,
     .extent = {2, 2}}};
static const ww_field store_final[] = {
    {.name = "spectrum",
     .description = "Four",
     .units = "1",
     .source = "",
     .rank = 1,
     .extent = {4}},
    {.name = "answer", .description = "One", .units = "steps", .source = ""}};
static const ww_field store_theory[] = {
    {.name = "bound", .description = "One", .units = "1", .source = "a paper, theorem 2"}};
static const ww_fact store_facts[] = {
    {.name = "width",
     .description = "Hidden units",
     .units = "units",
     .is_integer = true,
     .integer = 7},
    {.name = "rate", .description = "Learning rate", .units = "1", .real = 0.25},
    {.name = "model",
     .description = "Preset",
     .units = "text",
     .is_text = true,
     .text = "li-liang"}};
static const int64_t store_snapshots[] = {10, 20};

/// True on all ranks, or false on all and said where it is false.
static inline bool store_everywhere(bool condition, const char *text, int line)
{
    int own = condition ? 1 : 0;
    int all = 0;
    int rank = 0;
    MPI_Allreduce(&own, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (!condition)
        fprintf(stderr, "rank %d, line %d: not true: %s\n", rank, line, text);
    return all == 1;
}

#define CHECK(condition) assert_true(store_everywhere(condition, #condition, __LINE__))
/// A call that has to succeed; prints the sentence when it does not.
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        ww_error check_error_ = {0};                                                               \
        ww_error *const error = &check_error_;                                                     \
        const ww_status check_status_ = (call);                                                    \
        if (check_status_ != WW_OK)                                                                \
            fprintf(stderr, "%s\n", check_error_.message);                                         \
        CHECK(check_status_ == WW_OK);                                                             \
    } while (0)

static inline bool store_says(const ww_error *error, const char *part)
{
    const bool said = strstr(error->message, part) != NULL && strchr(error->message, '\n') == NULL;
    if (!said)
        fprintf(stderr, "\"%s\" is not in: %s\n", part, error->message);
    return said;
}

/// All ranks, and a folder of the test's own.
typedef struct store_fixture {
    ww_parallel world;
    char folder[STORE_PATH / 4];
    char path[STORE_PATH];
} store_fixture;

static inline int store_remove(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline int store_setup(void **state)
{
    store_fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    ww_error error = {0};
    if (fixture == NULL || ww_parallel_create(MPI_COMM_WORLD, &fixture->world, &error) != WW_OK)
        return -1;
    int made = 1;
    if (fixture->world.rank == 0) {
        const char *base = getenv("TMPDIR");
        snprintf(fixture->folder, sizeof fixture->folder, "%s/widthwise-store-XXXXXX",
                 base != NULL && strlen(base) < 64 ? base : "/tmp");
        made = mkdtemp(fixture->folder) != NULL;
    }
    MPI_Bcast(&made, 1, MPI_INT, 0, MPI_COMM_WORLD);
    MPI_Bcast(fixture->folder, (int)sizeof fixture->folder, MPI_BYTE, 0, MPI_COMM_WORLD);
    snprintf(fixture->path, sizeof fixture->path, "%s/run.h5", fixture->folder);
    return made ? 0 : -1;
}

static inline int store_teardown(void **state)
{
    store_fixture *fixture = *state;
    MPI_Barrier(MPI_COMM_WORLD);
    if (fixture->world.rank == 0)
        nftw(fixture->folder, store_remove, 8, FTW_DEPTH | FTW_PHYS);
    ww_parallel_destroy(&fixture->world);
    free(fixture);
    return 0;
}

static inline ww_member_layout store_layout(int64_t index, int64_t width)
{
    return (ww_member_layout){.index = index,
                              .config_text = "name: test\n",
                              .label = "seed=1",
                              .width = width,
                              .depth = 1,
                              .dimension = STORE_DIMENSION,
                              .outputs = STORE_OUTPUTS,
                              .has_labels = true,
                              .train = STORE_TRAIN,
                              .test = STORE_TEST,
                              .batch = STORE_BATCH,
                              .steps = STORE_STEPS,
                              .records = STORE_RECORDS,
                              .trajectory = store_trajectory,
                              .trajectory_count = 3,
                              .final = store_final,
                              .final_count = 2,
                              .theory = store_theory,
                              .theory_count = 1,
                              .facts = store_facts,
                              .fact_count = 3,
                              .trains_output = true,
                              .state_columns = STORE_COLUMNS,
                              .carry_count = STORE_CARRY,
                              .snapshot_steps = store_snapshots,
                              .snapshot_count = 2,
                              .record =
                                  WW_RECORD_DATA | WW_RECORD_INITIAL_WEIGHTS | WW_RECORD_BATCHES};
}

static inline ww_provenance store_provenance(void)
{
    return (ww_provenance){.host = "node1",
                           .started = "2024-05-01T12:00:00Z",
                           .version = "0.1.0",
                           .compiler = "cc",
                           .flags = "-O3",
                           .libraries = "HDF5",
                           .arithmetic = "Haswell",
                           .command = "widthwise run",
                           .ranks = 4,
                           .first_run = 0,
                           .first_step = 0,
                           .threads = 2};
}

static inline double store_layer(int64_t layer, int64_t unit, int64_t column, int64_t step)
{
    return (double)unit + 0.125 * (double)column + 1e6 * (double)step + 1e9 * (double)(layer - 1);
}

static inline double store_hidden(int64_t unit, int64_t input, int64_t step)
{
    return store_layer(1, unit, input, step);
}

static inline double store_output(int64_t unit, int64_t output, int64_t step)
{
    return -(double)unit - 0.25 * (double)output - 1e6 * (double)step;
}

static inline double store_state(int64_t unit, int64_t column, int64_t step)
{
    return 0.5 * (double)unit - (double)column - 1e6 * (double)step;
}

static inline double store_value(int64_t step, int64_t place)
{
    return (double)step + 0.0625 * (double)place;
}

/// Weights of one step, made tile by tile in a buffer that is used again.
typedef struct store_weights {
    ww_tiling tiling;
    int64_t step;
    double *tile, *state, *output;
    double carry[STORE_CARRY];
    ww_weights_source source;
} store_weights;

static inline int64_t store_columns(const ww_tiling *tiling, int64_t layer)
{
    return layer == 1 ? STORE_DIMENSION : tiling->width;
}

static inline const double *store_tile(void *context, int64_t layer, int64_t tile)
{
    store_weights *weights = context;
    const int64_t units = ww_tile_size(&weights->tiling, tile);
    const int64_t columns = store_columns(&weights->tiling, layer);
    for (int64_t u = 0; u < units; u++)
        for (int64_t j = 0; j < columns; j++)
            weights->tile[u * columns + j] =
                store_layer(layer, tile * weights->tiling.tile_units + u, j, weights->step);
    return weights->tile;
}

static inline const double *store_state_tile(void *context, int64_t tile)
{
    store_weights *weights = context;
    const int64_t units = ww_tile_size(&weights->tiling, tile);
    for (int64_t u = 0; u < units; u++)
        for (int64_t j = 0; j < STORE_COLUMNS; j++)
            weights->state[u * STORE_COLUMNS + j] =
                store_state(tile * weights->tiling.tile_units + u, j, weights->step);
    return weights->state;
}

/// `weights` must stay where it is while its source is used.
static inline void store_weights_begin(store_weights *weights, const ww_tiling *tiling,
                                       int64_t step)
{
    *weights = (store_weights){.tiling = *tiling, .step = step};
    const size_t widest = tiling->width > STORE_DIMENSION ? (size_t)tiling->width : STORE_DIMENSION;
    weights->tile = calloc((size_t)tiling->tile_units * widest, sizeof(double));
    weights->state = calloc((size_t)tiling->tile_units * STORE_COLUMNS, sizeof(double));
    weights->output = calloc((size_t)tiling->local_units * STORE_OUTPUTS + 1, sizeof(double));
    for (int64_t u = 0; u < tiling->local_units; u++)
        for (int64_t o = 0; o < STORE_OUTPUTS; o++)
            weights->output[u * STORE_OUTPUTS + o] = store_output(tiling->first_unit + u, o, step);
    for (int64_t i = 0; i < STORE_CARRY; i++)
        weights->carry[i] = store_value(step, 100 + i);
    weights->source = (ww_weights_source){.tile = store_tile,
                                          .context = weights,
                                          .output_weights = weights->output,
                                          .carry = weights->carry,
                                          .state_tile = store_state_tile};
}

static inline void store_weights_end(store_weights *weights)
{
    free(weights->tile);
    free(weights->state);
    free(weights->output);
}

static inline ww_status store_write_checkpoint(ww_store *store, const ww_tiling *tiling,
                                               int64_t step, ww_run_state state, ww_error *error)
{
    store_weights weights;
    store_weights_begin(&weights, tiling, step);
    const ww_status status = ww_store_checkpoint(store, step, &weights.source, state, error);
    store_weights_end(&weights);
    return status;
}

static inline ww_status store_write_snapshot(ww_store *store, const ww_tiling *tiling, size_t index,
                                             ww_error *error)
{
    store_weights weights;
    store_weights_begin(&weights, tiling, store_snapshots[index]);
    const ww_status status = ww_store_snapshot(store, index, &weights.source, error);
    store_weights_end(&weights);
    return status;
}

static inline ww_status store_append(ww_store *store, int64_t step, ww_error *error)
{
    double values[STORE_ROW];
    for (int64_t i = 0; i < STORE_ROW; i++)
        values[i] = store_value(step, i);
    return ww_store_append(store, step, values, error);
}

/// Hidden weights that were read, [local units, columns] of each layer.
typedef struct store_read {
    const ww_tiling *tiling;
    int64_t depth;
    double *layers[STORE_LAYERS];
    double *kept; ///< [local units, STORE_COLUMNS]
    bool right;   ///< no tile that is not this rank's, no layer that is not there
} store_read;

static inline void store_put_state(void *context, int64_t tile, const double *values)
{
    store_read *read = context;
    const ww_tiling *tiling = read->tiling;
    const bool own = tile >= tiling->first_tile && tile < tiling->first_tile + tiling->local_tiles;
    read->right = read->right && own;
    if (own)
        memcpy(read->kept + (tile * tiling->tile_units - tiling->first_unit) * STORE_COLUMNS,
               values, (size_t)(ww_tile_size(tiling, tile) * STORE_COLUMNS) * sizeof *values);
}

static inline void store_put(void *context, int64_t layer, int64_t tile, const double *values)
{
    store_read *read = context;
    const ww_tiling *tiling = read->tiling;
    const int64_t columns = store_columns(tiling, layer);
    const bool own = layer >= 1 && layer <= read->depth && tile >= tiling->first_tile &&
                     tile < tiling->first_tile + tiling->local_tiles;
    read->right = read->right && own;
    if (own)
        memcpy(read->layers[layer - 1] + (tile * tiling->tile_units - tiling->first_unit) * columns,
               values, (size_t)(ww_tile_size(tiling, tile) * columns) * sizeof *values);
}

static inline bool store_layers_are(const store_read *read, int64_t step)
{
    const ww_tiling *tiling = read->tiling;
    bool right = read->right;
    for (int64_t layer = 1; layer <= read->depth; layer++) {
        const int64_t columns = store_columns(tiling, layer);
        for (int64_t u = 0; u < tiling->local_units; u++)
            for (int64_t j = 0; j < columns; j++)
                right = right && read->layers[layer - 1][u * columns + j] ==
                                     store_layer(layer, tiling->first_unit + u, j, step);
    }
    return right;
}

/// Restores and compares everything with what step `*step` wrote. `*right` is this rank's finding.
static inline ww_status store_restore_layers(ww_store *store, const ww_tiling *tiling,
                                             int64_t depth, int64_t *step, bool *right,
                                             char *notice, ww_error *error)
{
    const size_t units = (size_t)tiling->local_units;
    store_read read = {.tiling = tiling, .depth = depth, .right = true};
    for (int64_t layer = 1; layer <= depth; layer++)
        read.layers[layer - 1] =
            calloc(units * (size_t)store_columns(tiling, layer) + 1, sizeof(double));
    double *output = calloc(units * STORE_OUTPUTS + 1, sizeof *output);
    double carry[STORE_CARRY] = {0};
    double *kept = calloc(units * STORE_COLUMNS + 1, sizeof *kept);
    read.kept = kept;
    const ww_weights_target target = {store_put, &read, output, carry, store_put_state};
    const ww_status status = ww_store_restore(store, &target, step, notice, STORE_PATH, error);
    *right = status == WW_OK && (*step < 0 || store_layers_are(&read, *step));
    for (int64_t u = 0; u < tiling->local_units && *step >= 0; u++) {
        const int64_t unit = tiling->first_unit + u;
        for (int64_t o = 0; o < STORE_OUTPUTS; o++)
            *right = *right && output[u * STORE_OUTPUTS + o] == store_output(unit, o, *step);
        for (int64_t j = 0; j < STORE_COLUMNS; j++)
            *right = *right && kept[u * STORE_COLUMNS + j] == store_state(unit, j, *step);
    }
    for (int64_t i = 0; i < STORE_CARRY && *step >= 0; i++)
        *right = *right && carry[i] == store_value(*step, 100 + i);
    for (int64_t layer = 1; layer <= depth; layer++)
        free(read.layers[layer - 1]);
    free(output);
    free(kept);
    return status;
}

static inline ww_status store_restore(ww_store *store, const ww_tiling *tiling, int64_t *step,
                                      bool *right, char *notice, ww_error *error)
{
    return store_restore_layers(store, tiling, 1, step, right, notice, error);
}

/// The record, replicated; its initial weights are those of step 0.
typedef struct store_record {
    store_weights weights;
    double *train_inputs, *test_inputs;
    int64_t *train_labels, *test_labels;
    ww_replay_record record;
} store_record;

/// Samples in the batch of a step, by a rule.
static inline void store_batch(void *context, int64_t step, int64_t *indices)
{
    (void)context;
    for (int64_t i = 0; i < STORE_BATCH; i++)
        indices[i] = 3 * (step * STORE_BATCH + i) % STORE_TRAIN;
}

static inline void store_record_begin(store_record *all, const ww_tiling *tiling)
{
    store_weights_begin(&all->weights, tiling, 0);
    all->train_inputs = calloc((size_t)STORE_TRAIN * STORE_DIMENSION, sizeof(double));
    all->test_inputs = calloc((size_t)STORE_TEST * STORE_DIMENSION, sizeof(double));
    all->train_labels = calloc(STORE_TRAIN, sizeof(int64_t));
    all->test_labels = calloc(STORE_TEST, sizeof(int64_t));
    for (int64_t i = 0; i < STORE_TRAIN * STORE_DIMENSION; i++)
        all->train_inputs[i] = 0.5 * (double)i;
    for (int64_t i = 0; i < STORE_TEST * STORE_DIMENSION; i++)
        all->test_inputs[i] = 0.25 * (double)i;
    for (int64_t i = 0; i < STORE_TRAIN; i++)
        all->train_labels[i] = i % STORE_OUTPUTS;
    for (int64_t i = 0; i < STORE_TEST; i++)
        all->test_labels[i] = 2 - i % STORE_OUTPUTS;
    all->record = (ww_replay_record){.train_inputs = all->train_inputs,
                                     .train_labels = all->train_labels,
                                     .test_inputs = all->test_inputs,
                                     .test_labels = all->test_labels,
                                     .train_components = all->train_labels,
                                     .test_components = all->test_labels,
                                     .initial_weights = &all->weights.source,
                                     .batch = store_batch};
}

static inline void store_record_end(store_record *all)
{
    store_weights_end(&all->weights);
    free(all->train_inputs);
    free(all->test_inputs);
    free(all->train_labels);
    free(all->test_labels);
}

/// Place of a dataset in the file, by HDF5 itself; -1 when it is not there.
static inline int64_t store_offset(const char *path, const char *dataset)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
    const hid_t id = H5Dopen2(file, dataset, H5P_DEFAULT);
    const haddr_t offset = H5Dget_offset(id);
    H5Dclose(id);
    H5Fclose(file);
    H5Pclose(access);
    return offset == HADDR_UNDEF ? -1 : (int64_t)offset;
}

/// Bytes of a dataset straight from the file.
static inline void store_peek(const char *path, const char *dataset, int64_t skip, void *buffer,
                              size_t bytes)
{
    memset(buffer, 0, bytes);
    const int64_t offset = store_offset(path, dataset);
    const int file = open(path, O_RDONLY);
    if (offset < 0 || pread(file, buffer, bytes, offset + skip) != (ssize_t)bytes) {
        fprintf(stderr, "cannot look at %s\n", dataset);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    close(file);
}

/// Turns one bit of a dataset round, on rank 0; all wait for it.
static inline void store_damage(const store_fixture *fixture, const char *dataset, int64_t skip)
{
    MPI_Barrier(MPI_COMM_WORLD);
    if (fixture->world.rank == 0) {
        unsigned char byte = 0;
        store_peek(fixture->path, dataset, skip, &byte, 1);
        byte ^= 0x10U;
        const int file = open(fixture->path, O_WRONLY);
        if (pwrite(file, &byte, 1, store_offset(fixture->path, dataset) + skip) != 1)
            MPI_Abort(MPI_COMM_WORLD, 1);
        close(file);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

/// Calls ww_store_verify; `report` [4096] gets what it prints on rank 0, "" elsewhere.
static inline ww_status store_verify(const store_fixture *fixture, char *report, ww_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    const ww_status status = ww_store_verify(fixture->path, &fixture->world, stream, error);
    fclose(stream);
    snprintf(report, 4096, "%s", text);
    free(text);
    return status;
}

#endif
