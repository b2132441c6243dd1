/// Opening the file when one rank alone meets an error (all leave with its sentence, none waits) or
/// sees another state of it, and writing to a file that somebody cuts off.

#include "store_support.h"

#include <dlfcn.h>

enum { WIDTH = 600, PAGE_BYTES = 4096 };

/// Which call of HDF5 fails on this rank.
static enum { FAILS_NOTHING, FAILS_ATTRIBUTE, FAILS_DATASET, SEES_OLD_PAGE } failing;

/// Stands in front of HDF5's own.
hid_t H5Aopen(hid_t object, const char *name, hid_t access)
{
    typedef hid_t (*plain)(hid_t, const char *, hid_t);
    plain open_attribute = NULL;
    *(void **)&open_attribute = dlsym(RTLD_NEXT, "H5Aopen");
    return failing == FAILS_ATTRIBUTE ? H5I_INVALID_HID : open_attribute(object, name, access);
}

hid_t H5Dopen2(hid_t file, const char *name, hid_t access)
{
    typedef hid_t (*plain)(hid_t, const char *, hid_t);
    plain open_dataset = NULL;
    *(void **)&open_dataset = dlsym(RTLD_NEXT, "H5Dopen2");
    return failing == FAILS_DATASET ? H5I_INVALID_HID : open_dataset(file, name, access);
}

/// Commit pages as a node sees them that has not heard of the newest.
herr_t H5Dread(hid_t dataset, hid_t memory_type, hid_t memory_space, hid_t file_space, hid_t how,
               void *buffer)
{
    typedef herr_t (*plain)(hid_t, hid_t, hid_t, hid_t, hid_t, void *);
    plain read = NULL;
    *(void **)&read = dlsym(RTLD_NEXT, "H5Dread");
    const herr_t result = read(dataset, memory_type, memory_space, file_space, how, buffer);
    char path[STORE_PATH];
    if (failing == SEES_OLD_PAGE && H5Iget_name(dataset, path, sizeof path) > 0 &&
        strstr(path, "/commit") != NULL) {
        const int64_t(*words)[PAGE_BYTES / 8] = buffer;
        const int newest = words[1][2] > words[0][2] ? 1 : 0;
        memset((char *)buffer + (size_t)newest * PAGE_BYTES, 0, PAGE_BYTES);
    }
    return result;
}

static ww_status open_store(const store_fixture *fixture, ww_error *error)
{
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_tiling tiling = ww_tiling_make(WIDTH, fixture->world.rank, fixture->world.size);
    ww_store *store = NULL;
    const ww_status status =
        ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, error);
    ww_store_close(store);
    return status;
}

static void one_rank_fails(void **state)
{
    const store_fixture *fixture = *state;
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_provenance provenance = store_provenance();
    CHECK_OK(
        ww_store_create(fixture->path, false, &provenance, &layout, 1, &fixture->world, error));
    for (int rank = 0; rank < fixture->world.size; rank++) {
        ww_error refusal = {0};
        failing = fixture->world.rank == rank ? FAILS_DATASET : FAILS_NOTHING;
        CHECK(open_store(fixture, &refusal) == WW_FAILED);
        CHECK(store_says(&refusal, "is missing"));
        // Whose file it is rank 0 finds out, before any other opens it.
        refusal = (ww_error){0};
        failing = fixture->world.rank == rank ? FAILS_ATTRIBUTE : FAILS_NOTHING;
        CHECK(open_store(fixture, &refusal) == (rank == 0 ? WW_USAGE : WW_OK));
        CHECK(rank > 0 || store_says(&refusal, "of another program"));
        failing = FAILS_NOTHING;
        CHECK_OK(open_store(fixture, error));
    }
}

/// All ranks go back to the checkpoint that rank 0 finds, whatever others see.
static void pages_are_those_of_rank_0(void **state)
{
    const store_fixture *fixture = *state;
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_provenance provenance = store_provenance();
    const ww_tiling tiling = ww_tiling_make(WIDTH, fixture->world.rank, fixture->world.size);
    CHECK_OK(
        ww_store_create(fixture->path, false, &provenance, &layout, 1, &fixture->world, error));
    for (int64_t expected = -1; expected <= 20; expected += 7) {
        ww_store *store = NULL;
        int64_t step = -2;
        bool right = false;
        char notice[STORE_PATH];
        failing = fixture->world.rank > 0 ? SEES_OLD_PAGE : FAILS_NOTHING;
        CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, error));
        CHECK_OK(store_restore(store, &tiling, &step, &right, notice, error));
        failing = FAILS_NOTHING;
        CHECK(right && step == expected && notice[0] == '\0');
        CHECK_OK(store_write_checkpoint(store, &tiling, expected + 7, WW_RUN_RUNNING, error));
        ww_store_close(store);
    }
}

static ww_store *begin(const store_fixture *fixture, const ww_tiling *tiling)
{
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_provenance provenance = store_provenance();
    ww_store *store = NULL;
    int64_t step = -2;
    bool right = false;
    char notice[STORE_PATH];
    CHECK_OK(ww_store_create(fixture->path, true, &provenance, &layout, 1, &fixture->world, error));
    CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, tiling, &store, error));
    CHECK_OK(store_restore(store, tiling, &step, &right, notice, error));
    return store;
}

/// The kinds of writes.
enum { WRITES_ROWS, WRITES_CHECKPOINT, WRITES_SNAPSHOT, WRITES_FINAL, WRITES_RECORD, WRITES };

static ww_status write_one(ww_store *store, int kind, const ww_tiling *tiling, ww_error *error)
{
    const double values[] = {4, 3, 2, 1};
    if (kind == WRITES_ROWS)
        return ww_store_commit_rows(store, error);
    if (kind == WRITES_CHECKPOINT)
        return store_write_checkpoint(store, tiling, 10, WW_RUN_RUNNING, error);
    if (kind == WRITES_SNAPSHOT)
        return store_write_snapshot(store, tiling, 0, error);
    if (kind == WRITES_FINAL)
        return ww_store_write_final(store, 0, values, error);
    store_record all;
    store_record_begin(&all, tiling);
    const ww_status status = ww_store_write_record(store, &all.record, error);
    store_record_end(&all);
    return status;
}

/// A file that was cut off is found to be so by the next write, whichever it is, and that does not
/// give it back its old size.
static void cut_file_stays_cut(void **state)
{
    const store_fixture *fixture = *state;
    const ww_tiling tiling = ww_tiling_make(WIDTH, fixture->world.rank, fixture->world.size);
    for (int kind = 0; kind < WRITES; kind++) {
        ww_store *store = begin(fixture, &tiling);
        CHECK_OK(store_append(store, 0, error));
        struct stat cut = {0};
        MPI_Barrier(MPI_COMM_WORLD);
        if (fixture->world.rank == 0)
            (void)!truncate(fixture->path, PAGE_BYTES);
        MPI_Barrier(MPI_COMM_WORLD);
        ww_error refusal = {0};
        CHECK(write_one(store, kind, &tiling, &refusal) == WW_FAILED);
        CHECK(store_says(&refusal, "was cut off from "));
        CHECK(stat(fixture->path, &cut) == 0 && cut.st_size == PAGE_BYTES);
        ww_store_close(store);
    }
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_rank_fails, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(pages_are_those_of_rank_0, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(cut_file_stays_cut, store_setup, store_teardown)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
