/// The file of a network of several hidden layers: every layer's weights at their places, under
/// their own hash, back to where they belong on any number of ranks.

#include "store_support.h"
#include "widthwise/hash.h"
#include "widthwise/store_cost.h"

enum { WIDTH = 300, DEPTH = STORE_LAYERS }; // three tiles: some ranks have none

static const char *const layer_names[DEPTH] = {"hidden_weights", "hidden_weights_2",
                                               "hidden_weights_3"};

static ww_tiling tiling_of(const ww_parallel *parallel)
{
    return ww_tiling_make(WIDTH, parallel->rank, parallel->size);
}

static ww_member_layout deep_layout(void)
{
    ww_member_layout layout = store_layout(0, WIDTH);
    layout.depth = DEPTH;
    return layout;
}

static ww_store *reopen(const store_fixture *fixture)
{
    const ww_tiling tiling = tiling_of(&fixture->world);
    const ww_member_layout layout = deep_layout();
    ww_store *store = NULL;
    CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, error));
    return store;
}

/// Reopens, restores and compares all layers.
static void restore_to(const store_fixture *fixture, int64_t expected, const char *says)
{
    const ww_tiling tiling = tiling_of(&fixture->world);
    ww_store *store = reopen(fixture);
    int64_t step = -2;
    bool right = false;
    char notice[STORE_PATH];
    CHECK_OK(store_restore_layers(store, &tiling, DEPTH, &step, &right, notice, error));
    CHECK(right && step == expected);
    CHECK(says == NULL ? notice[0] == '\0' : strstr(notice, says) != NULL);
    ww_store_close(store);
}

/// A record, checkpoints of 10 and 20, and both snapshots.
static void make_whole(const store_fixture *fixture)
{
    const ww_tiling tiling = tiling_of(&fixture->world);
    const ww_member_layout layout = deep_layout();
    const ww_provenance provenance = store_provenance();
    CHECK_OK(ww_store_create(fixture->path, true, &provenance, &layout, 1, &fixture->world, error));
    ww_store *store = reopen(fixture);
    store_record all;
    store_record_begin(&all, &tiling);
    CHECK_OK(ww_store_write_record(store, &all.record, error));
    store_record_end(&all);
    for (int64_t step = 10; step <= 20; step += 10) {
        CHECK_OK(store_append(store, step, error));
        CHECK_OK(store_write_snapshot(store, &tiling, (size_t)(step / 10 - 1), error));
        CHECK_OK(store_write_checkpoint(store, &tiling, step, WW_RUN_RUNNING, error));
    }
    ww_store_close(store);
}

static int64_t columns_of(int layer)
{
    return layer == 1 ? STORE_DIMENSION : WIDTH;
}

static bool holds(const store_fixture *fixture, const char *group, const char *prefix, int layer,
                  int64_t plane, int64_t step)
{
    static double values[WIDTH * WIDTH];
    char name[STORE_PATH];
    const int64_t columns = columns_of(layer);
    const int64_t bytes = WIDTH * columns * (int64_t)sizeof *values;
    snprintf(name, sizeof name, "%s/%s%s", group, prefix, layer_names[layer - 1]);
    store_peek(fixture->path, name, plane * bytes, values, (size_t)bytes);
    bool right = true;
    for (int64_t i = 0; i < WIDTH * columns; i++)
        right = right && values[i] == store_layer(layer, i / columns, i % columns, step);
    return right;
}

static void weights_are_at_their_places(void **state)
{
    const store_fixture *fixture = *state;
    make_whole(fixture);
    for (int layer = 1; layer <= DEPTH; layer++) {
        CHECK(holds(fixture, "/state/run0000/checkpoint0", "", layer, 0, 10));
        CHECK(holds(fixture, "/state/run0000/checkpoint1", "", layer, 0, 20));
        CHECK(holds(fixture, "/snapshots/run0000", "", layer, 0, 10));
        CHECK(holds(fixture, "/snapshots/run0000", "", layer, 1, 20));
        CHECK(holds(fixture, "/record/run0000", "initial_", layer, 0, 0));
    }
    restore_to(fixture, 20, NULL);
    char report[4096];
    CHECK_OK(store_verify(fixture, report, error));
    CHECK(fixture->world.rank > 0 || strstr(report, "2 of 2 snapshots ok") != NULL);
    CHECK(fixture->world.rank > 0 || strstr(report, "record ok") != NULL);
}

/// Hash of a slot, from its plain definition.
static void page_holds_the_defined_hash(void **state)
{
    const store_fixture *fixture = *state;
    make_whole(fixture);
    int64_t words[2][512];
    store_peek(fixture->path, "/state/run0000/commit", 0, words, sizeof words);
    const int64_t *page = words[0][2] > words[1][2] ? words[0] : words[1];
    const ww_tiling tiling = ww_tiling_make(WIDTH, 0, 1);
    static double block[WIDTH * WIDTH];
    uint64_t hash = 0;
    for (int64_t tile = 0; tile < tiling.tile_count; tile++) {
        const int64_t units = ww_tile_size(&tiling, tile);
        const int64_t first = tile * tiling.tile_units;
        for (int layer = 1; layer <= DEPTH; layer++) {
            char name[STORE_PATH];
            const int64_t columns = columns_of(layer);
            for (int64_t i = 0; i < units * columns; i++)
                block[i] = store_layer(layer, first + i / columns, i % columns, 20);
            snprintf(name, sizeof name, "/state/run0000/checkpoint1/%s", layer_names[layer - 1]);
            hash += ww_hash_block(block, (size_t)(units * columns) * 8, ww_hash_name(name),
                                  (uint64_t)tile);
        }
        for (int64_t i = 0; i < STORE_OUTPUTS * units; i++)
            block[i] = store_output(first + i % units, i / units, 20);
        hash += ww_hash_block(block, (size_t)(STORE_OUTPUTS * units) * 8,
                              ww_hash_name("/state/run0000/checkpoint1/output_weights"),
                              (uint64_t)tile);
        for (int64_t i = 0; i < units * STORE_COLUMNS; i++)
            block[i] = store_state(first + i / STORE_COLUMNS, i % STORE_COLUMNS, 20);
        hash +=
            ww_hash_block(block, (size_t)(units * STORE_COLUMNS) * 8,
                          ww_hash_name("/state/run0000/checkpoint1/engine_state"), (uint64_t)tile);
    }
    const double carry[] = {store_value(20, 100), store_value(20, 101)};
    hash += ww_hash_block(carry, sizeof carry, ww_hash_name("/state/run0000/checkpoint1/carry"), 0);
    CHECK(page[48] == 1 && page[49] == 20 && (uint64_t)page[50] == hash);
}

static void another_number_of_ranks_goes_on(void **state)
{
    const store_fixture *fixture = *state;
    make_whole(fixture);
    bool right = true;
    if (fixture->world.rank == 0) {
        ww_error error = {0};
        ww_parallel alone = {0};
        ww_store *store = NULL;
        const ww_member_layout layout = deep_layout();
        const ww_tiling tiling = ww_tiling_make(WIDTH, 0, 1);
        int64_t step = -2;
        char notice[STORE_PATH];
        bool equal = false;
        right =
            ww_parallel_create(MPI_COMM_SELF, &alone, &error) == WW_OK &&
            ww_store_open(fixture->path, &layout, &alone, &tiling, &store, &error) == WW_OK &&
            store_restore_layers(store, &tiling, DEPTH, &step, &equal, notice, &error) == WW_OK &&
            equal && step == 20 && store_append(store, 30, &error) == WW_OK &&
            store_write_checkpoint(store, &tiling, 30, WW_RUN_STOPPED, &error) == WW_OK;
        ww_store_close(store);
        ww_parallel_destroy(&alone);
    }
    CHECK(right);
    restore_to(fixture, 30, NULL);
}

/// The last value of each layer, in everything that keeps it.
static void damage_of_every_layer_is_found(void **state)
{
    const store_fixture *fixture = *state;
    char report[4096];
    for (int layer = 1; layer <= DEPTH; layer++) {
        const int64_t bytes = WIDTH * columns_of(layer) * 8;
        const struct {
            const char *group;
            int64_t skip;
            const char *verdict;
            int64_t step;
            const char *notice;
        } places[] = {{"/state/run0000/checkpoint1/", bytes - 1,
                       "newest checkpoint (slot 1, step 20) DAMAGED", 10,
                       "the checkpoint of step 20 of run0000 (slot 1) fails its checksum"},
                      {"/snapshots/run0000/", 2 * bytes - 1, "2 of 2 snapshots DAMAGED", 10,
                       "the snapshots before the checkpoint of step 20"},
                      {"/record/run0000/initial_", bytes - 1, "record DAMAGED", 20, NULL}};
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            char name[STORE_PATH];
            make_whole(fixture);
            snprintf(name, sizeof name, "%s%s", places[i].group, layer_names[layer - 1]);
            store_damage(fixture, name, places[i].skip);
            ww_error error = {0};
            CHECK(store_verify(fixture, report, &error) == WW_FAILED);
            CHECK(fixture->world.rank > 0 || strstr(report, places[i].verdict) != NULL);
            restore_to(fixture, places[i].step, places[i].notice);
        }
    }
}

/// Layers of one shape whose contents have changed places fail, though each has the values of one.
static void layers_cannot_change_places(void **state)
{
    const store_fixture *fixture = *state;
    make_whole(fixture);
    MPI_Barrier(MPI_COMM_WORLD);
    if (fixture->world.rank == 0) {
        static double values[2][WIDTH * WIDTH];
        static const char *const names[] = {"/state/run0000/checkpoint1/hidden_weights_2",
                                            "/state/run0000/checkpoint1/hidden_weights_3"};
        for (int i = 0; i < 2; i++)
            store_peek(fixture->path, names[i], 0, values[i], sizeof values[i]);
        const int file = open(fixture->path, O_WRONLY);
        for (int i = 0; i < 2; i++)
            if (pwrite(file, values[1 - i], sizeof values[i],
                       store_offset(fixture->path, names[i])) != (ssize_t)sizeof values[i])
                MPI_Abort(MPI_COMM_WORLD, 1);
        close(file);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    restore_to(fixture, 10, "fails its checksum, going back to the one of step 10");
}

static void refuse(const store_fixture *fixture, int64_t depth, const char *says)
{
    const ww_tiling tiling = tiling_of(&fixture->world);
    ww_member_layout layout = deep_layout();
    layout.depth = depth;
    ww_store *store = NULL;
    ww_error error = {0};
    CHECK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, &error) ==
          WW_FAILED);
    CHECK(store == NULL && store_says(&error, says));
}

static void another_depth_is_refused(void **state)
{
    const store_fixture *fixture = *state;
    make_whole(fixture);
    refuse(fixture, DEPTH + 1, "hidden_weights_4 is missing");
    refuse(fixture, DEPTH - 1, "has 3 hidden layers where the configuration asks for 2");
    // Nor can another run begin with these weights.
    ww_error error = {0};
    const ww_start_source source = {.path = fixture->path,
                                    .width = WIDTH,
                                    .dimension = STORE_DIMENSION,
                                    .outputs = STORE_OUTPUTS};
    CHECK(ww_store_check_start(&source, &fixture->world, &error) == WW_USAGE);
    CHECK(store_says(&error, "has 3 hidden layers; weights can begin a run of one only"));
}

static void cost_counts_every_layer(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = tiling_of(&fixture->world);
    ww_member_layout layout = deep_layout();
    ww_store_cost deep;
    ww_store_cost flat;
    CHECK_OK(ww_store_cost_of(&layout, &tiling, 1, &deep, error));
    layout.depth = 1;
    CHECK_OK(ww_store_cost_of(&layout, &tiling, 1, &flat, error));
    const int64_t more = (DEPTH - 1) * WIDTH * WIDTH * 8;
    const int64_t slack = 16384; // places of datasets, and what HDF5 has for each
    CHECK(deep.checkpoint == flat.checkpoint + more);
    CHECK(deep.checkpoints >= flat.checkpoints + 2 * more &&
          deep.checkpoints < flat.checkpoints + 2 * more + 2 * slack);
    CHECK(deep.snapshots >= flat.snapshots + 2 * more &&
          deep.snapshots < flat.snapshots + 2 * more + slack);
    CHECK(deep.record >= flat.record + more && deep.record < flat.record + more + slack);
    CHECK(deep.results == flat.results);
    // Reading needs room for a tile of the widest layer at least, where the rank has any.
    CHECK(tiling.local_tiles == 0 || deep.memory >= tiling.tile_units * WIDTH * 8);
    layout = deep_layout();
    layout.width = (int64_t)1 << 40;
    ww_error error = {0};
    CHECK(ww_store_cost_of(&layout, &tiling, 1, &deep, &error) == WW_USAGE);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(weights_are_at_their_places, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(page_holds_the_defined_hash, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(another_number_of_ranks_goes_on, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(damage_of_every_layer_is_found, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(layers_cannot_change_places, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(another_depth_is_refused, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(cost_counts_every_layer, store_setup, store_teardown),
    };
    MPI_Init(&count, &words);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
