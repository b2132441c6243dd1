/// Opening the file when one rank alone meets an error: all leave with its sentence, none waits.

#include "store_support.h"

#include <dlfcn.h>

enum { WIDTH = 600 };

/// Which call of HDF5 fails on this rank.
static enum { FAILS_NOTHING, FAILS_ATTRIBUTE, FAILS_DATASET } failing;

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

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_rank_fails, store_setup, store_teardown)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
