/// Thinned trajectories against all of their values, and what reading them takes; one rank.

#include "store_support.h"
#include "widthwise/store_look.h"

#include <dlfcn.h>

enum { WIDTH = 100, RECORDS = 5000, ROWS = 3137, MOST = 6000, REPLICAS = 70, REPLICA_RECORDS = 9 };

static int64_t values_read; ///< since it was set

/// Stands in front of HDF5's own.
herr_t H5Dread(hid_t dataset, hid_t memory_type, hid_t memory_space, hid_t file_space, hid_t how,
               void *buffer)
{
    typedef herr_t (*plain)(hid_t, hid_t, hid_t, hid_t, hid_t, void *);
    plain read = NULL;
    *(void **)&read = dlsym(RTLD_NEXT, "H5Dread");
    const hid_t space = file_space == H5S_ALL ? H5Dget_space(dataset) : H5Scopy(file_space);
    values_read += (int64_t)H5Sget_select_npoints(space);
    H5Sclose(space);
    return read(dataset, memory_type, memory_space, file_space, how, buffer);
}

static ww_store *begin(const store_fixture *fixture, const ww_member_layout *layout)
{
    const ww_provenance provenance = store_provenance();
    const ww_tiling tiling = ww_tiling_make(layout->width, 0, 1);
    ww_store *store = NULL;
    CHECK_OK(ww_store_create(fixture->path, true, &provenance, layout, 1, &fixture->world, error));
    CHECK_OK(ww_store_open(fixture->path, layout, &fixture->world, &tiling, &store, error));
    return store;
}

static ww_member_layout long_layout(void)
{
    ww_member_layout layout = store_layout(0, WIDTH);
    layout.records = RECORDS;
    layout.steps = RECORDS - 1;
    layout.record = 0;
    return layout;
}

static const char *const names[] = {"zeta", "alpha", "nothing"};

static size_t read_series(const store_fixture *fixture, size_t most, double *values)
{
    size_t count = MOST;
    CHECK_OK(ww_store_read_series(fixture->path, 0, names, 3, most, values, &count, error));
    return count;
}

static void takes_records_evenly(void **state)
{
    const store_fixture *fixture = *state;
    const ww_member_layout layout = long_layout();
    ww_store *store = begin(fixture, &layout);
    double *values = calloc(3 * (size_t)MOST, sizeof *values);
    double *all = calloc(RECORDS, sizeof *all);
    assert_int_equal(read_series(fixture, 10, values), 0);
    for (int64_t step = 0; step < ROWS; step++)
        CHECK_OK(store_append(store, step, error));
    assert_int_equal(read_series(fixture, 10, values), 0); // not committed
    CHECK_OK(ww_store_commit_rows(store, error));
    CHECK_OK(store_append(store, ROWS, error));
    store_peek(fixture->path, "/runs/run0000/trajectory/zeta", 0, all, RECORDS * sizeof *all);
    static const int64_t mosts[] = {1, 2, 3, 64, 127, 128, ROWS - 1, ROWS, MOST};
    for (size_t m = 0; m < sizeof mosts / sizeof mosts[0]; m++) {
        const int64_t most = mosts[m];
        const int64_t taken = most < ROWS ? most : ROWS;
        assert_int_equal(read_series(fixture, (size_t)most, values), taken);
        for (int64_t i = 0; i < taken; i++) {
            const int64_t row = taken == 1 ? ROWS - 1 : i * (ROWS - 1) / (taken - 1);
            assert_true(values[i] == all[row] && all[row] == store_value(row, 0));
            assert_true(isnan(values[most + i]));     // a list
            assert_true(isnan(values[2 * most + i])); // not there
        }
    }
    ww_store_close(store);
    free(values);
    free(all);
}

// Beside the pages it reads what it takes and no more.
static void costs_what_it_takes(void **state)
{
    const store_fixture *fixture = *state;
    const ww_member_layout layout = long_layout();
    ww_store *store = begin(fixture, &layout);
    for (int64_t step = 0; step < RECORDS; step++)
        CHECK_OK(store_append(store, step, error));
    CHECK_OK(ww_store_commit_rows(store, error));
    double values[3 * 16];
    values_read = 0;
    assert_int_equal(read_series(fixture, 16, values), 16);
    assert_int_equal(values_read, 2 * 512 + 16);
    ww_store_close(store);
}

static const ww_field replica_trajectory[] = {
    {.name = "loss", .description = "A scalar", .units = "1", .source = ""}};

// Replica r records r % REPLICA_RECORDS + 1 times, and a value now and then is not finite.
static double replica_value(int64_t replica, int64_t record)
{
    if (record > replica % REPLICA_RECORDS)
        return NAN;
    return replica % 10 == 3 && record == 2 ? INFINITY : (double)(100 * replica + record);
}

static void append_replicas(ww_store *store, const ww_member_layout *layout)
{
    const int64_t words = ww_store_replica_words(layout);
    assert_int_equal(words, 2 + 2 * REPLICA_RECORDS);
    int64_t *all = calloc((size_t)(REPLICAS * words), sizeof *all);
    for (int64_t replica = 0; replica < REPLICAS; replica++) {
        int64_t *own = all + replica * words;
        own[0] = WW_RUN_DONE;
        for (int64_t record = 0; record < REPLICA_RECORDS; record++) {
            const double value = replica_value(replica, record);
            own[2 + record] = record > replica % REPLICA_RECORDS ? -1 : record;
            memcpy(&own[2 + REPLICA_RECORDS + record], &value, sizeof value);
        }
    }
    CHECK_OK(ww_store_append_replicas(store, REPLICAS, all, error));
    free(all);
}

static double slow_mean(int64_t record)
{
    double sum = 0.0;
    int64_t count = 0;
    for (int64_t i = 0; i < 32; i++) {
        const int64_t replica = i * (REPLICAS - 1) / 31;
        int64_t last = record;
        while (isnan(replica_value(replica, last)))
            last--;
        if (isinf(replica_value(replica, last)))
            continue;
        sum += replica_value(replica, last);
        count++;
    }
    return sum / (double)count;
}

static void averages_replicas(void **state)
{
    const store_fixture *fixture = *state;
    static const char *const loss[] = {"loss"};
    ww_member_layout layout = store_layout(0, WIDTH);
    layout.replicas = REPLICAS + 5; // some are not done
    layout.records = REPLICA_RECORDS;
    layout.steps = REPLICA_RECORDS - 1;
    layout.trajectory = replica_trajectory;
    layout.trajectory_count = 1;
    layout.final_count = layout.theory_count = layout.snapshot_count = layout.carry_count = 0;
    layout.state_columns = 0;
    layout.record = 0;
    ww_store *store = begin(fixture, &layout);
    double values[16];
    size_t count = 99;
    CHECK_OK(ww_store_read_series(fixture->path, 0, loss, 1, 16, values, &count, error));
    assert_int_equal(count, 0);
    append_replicas(store, &layout);
    CHECK_OK(ww_store_commit_rows(store, error));
    CHECK_OK(ww_store_read_series(fixture->path, 0, loss, 1, 16, values, &count, error));
    assert_int_equal(count, REPLICA_RECORDS);
    for (int64_t record = 0; record < REPLICA_RECORDS; record++)
        assert_true(fabs(values[record] - slow_mean(record)) <= 1e-12 * slow_mean(record));
    ww_store_close(store);
}

// A change of the structure that is under way is left alone, and read around.
static void leaves_changes_alone(void **state)
{
    const store_fixture *fixture = *state;
    const ww_member_layout layout = long_layout();
    double values[3];
    size_t count = 99;
    char journal[STORE_PATH + 8];
    ww_store_close(begin(fixture, &layout));
    assert_false(ww_store_is_changing(fixture->path));
    snprintf(journal, sizeof journal, "%s.undo", fixture->path);
    const int file = open(journal, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    close(file);
    assert_true(ww_store_is_changing(fixture->path));
    ww_error refusal = {0};
    assert_int_equal(ww_store_read_series(fixture->path, 0, names, 3, 1, values, &count, &refusal),
                     WW_FAILED);
    assert_true(store_says(&refusal, "is being changed, or such a change was cut short"));
    assert_int_equal(count, 0);
    assert_true(ww_store_is_changing(fixture->path));
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_records_evenly, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(costs_what_it_takes, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(averages_replicas, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(leaves_changes_alone, store_setup, store_teardown)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
