/// Checking a file while a job writes it: a writer that is always faster is no damage, and damage
/// is found beside any writer; one rank.

#include "store_support.h"

#include <dlfcn.h>

enum { WIDTH = 100 }; // one tile, so a slot is one read of hidden weights

/// A job that writes between any two reads of the dataset that is looked at.
typedef struct fast_job {
    ww_store *store; ///< NULL: none
    ww_tiling tiling;
    const char *part; ///< before reads of datasets with this in their path it writes,
    int times;        ///< so often
    int64_t step;
    int checkpoints; ///< that it writes then; 0: commits a row
} fast_job;

static fast_job job;

static void let_the_job_write(const char *path)
{
    ww_store *store = job.store;
    if (store == NULL || job.times == 0 || strstr(path, job.part) == NULL)
        return;
    job.store = NULL; // what it reads itself
    job.times--;
    if (job.checkpoints == 0) {
        CHECK_OK(store_append(store, ++job.step, error));
        CHECK_OK(ww_store_commit_rows(store, error));
    }
    for (int i = 0; i < job.checkpoints; i++)
        CHECK_OK(store_write_checkpoint(store, &job.tiling, ++job.step, WW_RUN_RUNNING, error));
    job.store = store;
}

/// Stands in front of HDF5's own.
herr_t H5Dread(hid_t dataset, hid_t memory_type, hid_t memory_space, hid_t file_space, hid_t how,
               void *buffer)
{
    typedef herr_t (*plain)(hid_t, hid_t, hid_t, hid_t, hid_t, void *);
    plain read = NULL;
    *(void **)&read = dlsym(RTLD_NEXT, "H5Dread");
    char path[STORE_PATH];
    if (H5Iget_name(dataset, path, sizeof path) > 0)
        let_the_job_write(path);
    return read(dataset, memory_type, memory_space, file_space, how, buffer);
}

/// A run with rows 0 and 10 and a checkpoint of step 10, open for writing by the job.
static void begin_job(const store_fixture *fixture, const char *part, int times, int checkpoints)
{
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_provenance provenance = store_provenance();
    job = (fast_job){.tiling = ww_tiling_make(WIDTH, 0, 1),
                     .part = part,
                     .times = times,
                     .step = 10,
                     .checkpoints = checkpoints};
    CHECK_OK(ww_store_create(fixture->path, true, &provenance, &layout, 1, &fixture->world, error));
    ww_store *store = NULL;
    CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, &job.tiling, &store, error));
    int64_t step = 0;
    bool right = false;
    char notice[STORE_PATH];
    CHECK_OK(store_restore(store, &job.tiling, &step, &right, notice, error));
    CHECK_OK(store_append(store, 0, error));
    CHECK_OK(store_append(store, 10, error));
    CHECK_OK(store_write_checkpoint(store, &job.tiling, 10, WW_RUN_RUNNING, error));
    job.store = store;
}

static void end_job(void)
{
    ww_store_close(job.store);
    job.store = NULL;
}

static void expect(const store_fixture *fixture, ww_status expected, const char *said)
{
    char report[4096];
    ww_error found = {0};
    const ww_status status = store_verify(fixture, report, &found);
    if (status != expected || strstr(report, said) == NULL)
        fprintf(stderr, "%s%s\n", report, found.message);
    assert_int_equal(status, expected);
    assert_non_null(strstr(report, said));
    assert_int_equal(job.times, 0);
    assert_true(status != WW_STOPPED || store_says(&found, "faster than they can be read"));
}

static const char *const weights = "/hidden_weights";

static void commits_are_no_damage(void **state)
{
    const store_fixture *fixture = *state;
    begin_job(fixture, "/trajectory/", 4, 0);
    expect(fixture, WW_OK, "2 records to step 10 ok; newest good checkpoint: slot 0, step 10");
    job.times = 1;
    job.part = weights;
    expect(fixture, WW_OK, "records to step 14 ok; newest good checkpoint: slot 0, step 10");
    end_job();
}

static void checkpoints_are_no_damage(void **state)
{
    const store_fixture *fixture = *state;
    begin_job(fixture, weights, 1, 1); // into the other slot
    expect(fixture, WW_OK, "newest good checkpoint: slot 0, step 10");
    job.times = 3;
    job.checkpoints = 2; // also into the one that is being read
    expect(fixture, WW_OK, "run0000: good: ");
    job.times = 5; // as often as it is tried
    expect(fixture, WW_STOPPED,
           "run0000: busy: running or interrupted; 2 records to step 10 ok; "
           "checkpoints not checked");
    end_job();
    expect(fixture, WW_OK, "newest good checkpoint");
}

static void damage_is_found_beside_a_job(void **state)
{
    const store_fixture *fixture = *state;
    begin_job(fixture, "/trajectory/", 4, 0);
    store_damage(fixture, "/runs/run0000/trajectory/zeta", 0);
    expect(fixture, WW_FAILED,
           "run0000: BAD: running or interrupted; 2 records to step 10 "
           "DAMAGED; NO GOOD CHECKPOINT from before the damage");
    end_job();
    begin_job(fixture, weights, 1, 0); // rows are committed, the slot stays
    store_damage(fixture, "/state/run0000/checkpoint0/hidden_weights", 0);
    expect(fixture, WW_FAILED, "newest checkpoint (slot 0, step 10) DAMAGED; NO GOOD CHECKPOINT");
    end_job();
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commits_are_no_damage, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(checkpoints_are_no_damage, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(damage_is_found_beside_a_job, store_setup, store_teardown)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
