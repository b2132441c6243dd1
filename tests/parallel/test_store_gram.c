/// What the file keeps of the Gram matrix: written by all ranks and read back, taken back before it
/// is written again, damaged and noticed, and targets that stand in it from the start.

#include "store_support.h"

enum { WIDTH = 300, SAMPLES = 41, FIELDS = 4, KEY = 77, SPECTRUM_KEY = 78 };

static const ww_field fields[FIELDS] = {
    {.name = "eigenvalues",
     .description = "A list",
     .units = "1",
     .source = "",
     .rank = 1,
     .extent = {SAMPLES}},
    {.name = "lambda_min", .description = "One", .units = "1", .source = ""},
    {.name = "labels_train",
     .description = "A column",
     .units = "1",
     .source = "",
     .rank = 2,
     .extent = {SAMPLES, 1}},
    {.name = "eigen_residual", .description = "One", .units = "1", .source = ""},
};

static double value_of(int field, int64_t place)
{
    return 100.0 * (field + 1) + 0.5 * (double)place;
}

static double vector_entry(int64_t row, int64_t column)
{
    return (double)row + 1e-3 * (double)column;
}

static ww_member_layout layout_with_gram(const double *targets)
{
    ww_member_layout layout = store_layout(0, WIDTH);
    layout.train = SAMPLES;
    layout.record = 0;
    layout.gram = fields;
    layout.gram_count = FIELDS;
    layout.keeps_eigenvectors = true;
    layout.has_train_targets = true;
    layout.train_targets = targets;
    layout.targets = 1;
    return layout;
}

static void create(const store_fixture *fixture)
{
    double targets[SAMPLES];
    for (int64_t i = 0; i < SAMPLES; i++)
        targets[i] = value_of(9, i);
    const ww_provenance provenance = store_provenance();
    const ww_member_layout layout = layout_with_gram(targets);
    CHECK_OK(ww_store_create(fixture->path, true, &provenance, &layout, 1, &fixture->world, error));
}

static ww_store *open_member(const store_fixture *fixture)
{
    const ww_member_layout layout = layout_with_gram(NULL);
    const ww_tiling tiling = ww_tiling_make(WIDTH, fixture->world.rank, fixture->world.size);
    ww_store *store = NULL;
    CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, error));
    return store;
}

static void slab_of(const store_fixture *fixture, int64_t *first, int64_t *count)
{
    const int64_t size = fixture->world.size;
    *first = SAMPLES * fixture->world.rank / size;
    *count = SAMPLES * (fixture->world.rank + 1) / size - *first;
}

static void write_field(ww_store *store, int field)
{
    double values[SAMPLES];
    for (int64_t i = 0; i < SAMPLES; i++)
        values[i] = value_of(field, i);
    CHECK_OK(ww_store_write_gram(store, (size_t)field, values, error));
}

static void write_eigenvectors(const store_fixture *fixture, ww_store *store)
{
    int64_t first = 0, count = 0;
    slab_of(fixture, &first, &count);
    double rows[SAMPLES][SAMPLES] = {{0.0}};
    for (int64_t r = 0; r < count; r++)
        for (int64_t c = 0; c < SAMPLES; c++)
            rows[r][c] = vector_entry(first + r, c);
    CHECK_OK(ww_store_write_eigenvectors(store, first, count, rows[0], error));
}

static void write_all(const store_fixture *fixture, ww_store *store)
{
    CHECK_OK(ww_store_begin_gram(store, true, error));
    for (int field = 0; field < FIELDS; field++)
        write_field(store, field);
    write_eigenvectors(fixture, store);
    CHECK_OK(ww_store_commit_gram(store, SPECTRUM_KEY, KEY, error));
}

static ww_gram_state state_of(ww_store *store)
{
    ww_gram_state state = {0};
    CHECK_OK(ww_store_check_gram(store, &state, error));
    return state;
}

static void written_and_read_back(void **state)
{
    const store_fixture *fixture = *state;
    create(fixture);
    ww_store *store = open_member(fixture);
    CHECK(!state_of(store).valid && !state_of(store).spectrum_valid);
    write_all(fixture, store);
    ww_store_close(store);
    store = open_member(fixture);
    const ww_gram_state found = state_of(store);
    CHECK(found.valid && found.spectrum_valid && found.key == KEY &&
          found.spectrum_key == SPECTRUM_KEY);
    double values[SAMPLES];
    CHECK_OK(ww_store_read_gram(store, 2, values, error));
    CHECK(values[0] == value_of(2, 0) && values[SAMPLES - 1] == value_of(2, SAMPLES - 1));
    // Other slabs than those that were written.
    const int64_t first = SAMPLES / 2;
    double rows[2][SAMPLES] = {{0.0}};
    CHECK_OK(ww_store_read_eigenvectors(store, first, 2, rows[0], error));
    CHECK(rows[1][7] == vector_entry(first + 1, 7));
    ww_store_close(store);
    CHECK_OK(ww_store_verify(fixture->path, &fixture->world, stderr, error));
    ww_file_summary summary = {0};
    CHECK_OK(ww_store_summarize_all(fixture->path, &fixture->world, &summary, error));
    CHECK(summary.members[0].state == WW_RUN_WAITING && summary.members[0].gram_valid);
    ww_file_summary_free(&summary);
}

// What is to be written again is taken back first: a job that dies in between leaves a good file.
static void taken_back_before_it_is_written_again(void **state)
{
    const store_fixture *fixture = *state;
    create(fixture);
    ww_store *store = open_member(fixture);
    write_all(fixture, store);
    CHECK_OK(ww_store_begin_gram(store, false, error));
    double half[SAMPLES] = {0.0};
    CHECK_OK(ww_store_write_gram(store, 2, half, error));
    ww_store_close(store); // as if it died here
    CHECK_OK(ww_store_verify(fixture->path, &fixture->world, stderr, error));
    store = open_member(fixture);
    CHECK(!state_of(store).valid && state_of(store).spectrum_valid);
    // The spectrum stays as it is, the rest is written anew.
    CHECK_OK(ww_store_begin_gram(store, false, error));
    write_field(store, 1);
    write_field(store, 2);
    CHECK_OK(ww_store_commit_gram(store, SPECTRUM_KEY, KEY + 1, error));
    CHECK(state_of(store).valid && state_of(store).spectrum_valid &&
          state_of(store).key == KEY + 1);
    CHECK_OK(ww_store_begin_gram(store, true, error));
    CHECK(!state_of(store).valid && !state_of(store).spectrum_valid);
    ww_store_close(store);
    CHECK_OK(ww_store_verify(fixture->path, &fixture->world, stderr, error));
}

static void change_a_number(const store_fixture *fixture, const char *path)
{
    if (fixture->world.rank == 0) {
        const hid_t file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
        const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
        static double values[SAMPLES * SAMPLES];
        H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        values[SAMPLES - 1] += 1e-9;
        H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        H5Dclose(dataset);
        H5Fclose(file);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

static void damage_is_noticed(void **state)
{
    const store_fixture *fixture = *state;
    static const struct {
        const char *path;
        bool gram, spectrum; // that still count
    } cases[] = {{"/runs/run0000/gram/labels_train", false, true},
                 {"/runs/run0000/gram/eigenvalues", true, false},
                 {"/gram/run0000/eigenvectors", true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        create(fixture);
        ww_store *store = open_member(fixture);
        write_all(fixture, store);
        ww_store_close(store);
        change_a_number(fixture, cases[i].path);
        store = open_member(fixture);
        const ww_gram_state found = state_of(store);
        CHECK(found.valid == cases[i].gram && found.spectrum_valid == cases[i].spectrum);
        ww_store_close(store);
        ww_error error = {0};
        FILE *nowhere = fopen("/dev/null", "w");
        CHECK(ww_store_verify(fixture->path, &fixture->world, nowhere, &error) == WW_FAILED);
        (void)fclose(nowhere);
    }
}

static void targets_stand_from_the_start(void **state)
{
    const store_fixture *fixture = *state;
    double targets[SAMPLES] = {0.0};
    create(fixture);
    CHECK_OK(ww_store_verify(fixture->path, &fixture->world, stderr, error));
    CHECK_OK(
        ww_store_read_train_targets(fixture->path, 0, SAMPLES, &fixture->world, targets, error));
    CHECK(targets[0] == value_of(9, 0) && targets[SAMPLES - 1] == value_of(9, SAMPLES - 1));
    // They count on after other commits.
    ww_store *store = open_member(fixture);
    write_all(fixture, store);
    ww_store_close(store);
    CHECK_OK(
        ww_store_read_train_targets(fixture->path, 0, SAMPLES, &fixture->world, targets, error));
    ww_error error = {0};
    CHECK(ww_store_read_train_targets(fixture->path, 0, SAMPLES + 1, &fixture->world, targets,
                                      &error) == WW_FAILED);
    CHECK(store_says(&error, "the data have changed"));
    change_a_number(fixture, "/state/run0000/train_targets");
    CHECK(ww_store_read_train_targets(fixture->path, 0, SAMPLES, &fixture->world, targets,
                                      &error) == WW_FAILED);
    CHECK(store_says(&error, "fails its checksum"));
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(written_and_read_back, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(taken_back_before_it_is_written_again, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(damage_is_noticed, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(targets_stand_from_the_start, store_setup, store_teardown),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
