/// Making, refusing, locking and summarising files, and slabs in rounds; one rank.

#include "store/array.h"
#include "store/hdf5_tools.h"
#include "store_support.h"
#include "widthwise/hash.h"

#include <dirent.h>
#include <sys/file.h>

enum { WIDTH = 300 };

static ww_status create(const store_fixture *fixture, const char *path, bool force, ww_error *error)
{
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_provenance provenance = store_provenance();
    return ww_store_create(path, force, &provenance, &layout, 1, &fixture->world, error);
}

/// Files in the test's folder.
static int count_files(const store_fixture *fixture)
{
    int count = 0;
    DIR *folder = opendir(fixture->folder);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

typedef struct inventory {
    int datasets, wrong;
} inventory;

static bool has_text(hid_t object, const char *name)
{
    if (H5Aexists(object, name) <= 0)
        return false;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = H5Aget_type(attribute);
    const bool plain = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
                       H5Tget_cset(type) == H5T_CSET_ASCII;
    H5Tclose(type);
    H5Aclose(attribute);
    return plain;
}

static herr_t visit(hid_t file, const char *name, const H5O_info_t *info, void *context)
{
    inventory *found = context;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t properties = H5Dget_create_plist(dataset);
    const haddr_t offset = H5Dget_offset(dataset);
    const bool large = H5Dget_storage_size(dataset) >= 4096;
    found->datasets++;
    if (H5Pget_layout(properties) != H5D_CONTIGUOUS || offset == HADDR_UNDEF ||
        (large && offset % 4096 != 0) || !has_text(dataset, "description") ||
        !has_text(dataset, "units"))
        found->wrong++;
    H5Pclose(properties);
    H5Dclose(dataset);
    return 0;
}

static void skeleton_is_all_there(void **state)
{
    const store_fixture *fixture = *state;
    CHECK_OK(create(fixture, fixture->path, false, error));
    assert_int_equal(count_files(fixture), 1);
    const hid_t file = H5Fopen(fixture->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    inventory found = {0};
    assert_true(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit, &found, H5O_INFO_BASIC) >= 0);
    // provenance 14; config, label, facts 5; trajectory 4; final 2; theory 1; commit 1; slots 8;
    // snapshots 3; record 9
    assert_int_equal(found.datasets, 47);
    assert_int_equal(found.wrong, 0);
    const hid_t zeta = H5Dopen2(file, "/runs/run0000/trajectory/zeta", H5P_DEFAULT);
    const hid_t alpha = H5Dopen2(file, "/runs/run0000/trajectory/alpha", H5P_DEFAULT);
    assert_true(has_text(zeta, "source"));
    assert_false(H5Aexists(alpha, "source") > 0);
    H5Dclose(zeta);
    H5Dclose(alpha);
    H5Fclose(file);
    double values[STORE_RECORDS];
    int64_t steps[STORE_RECORDS];
    int64_t pages[2][512];
    char model[9];
    double rate = 0;
    int64_t width = 0;
    store_peek(fixture->path, "/runs/run0000/trajectory/zeta", 0, values, sizeof values);
    store_peek(fixture->path, "/runs/run0000/trajectory/step", 0, steps, sizeof steps);
    for (int i = 0; i < STORE_RECORDS; i++)
        assert_true(isnan(values[i]) && steps[i] == -1);
    store_peek(fixture->path, "/runs/run0000/final/answer", 0, values, 8);
    store_peek(fixture->path, "/runs/run0000/theory/bound", 0, values + 1, 8);
    assert_true(isnan(values[0]) && isnan(values[1]));
    store_peek(fixture->path, "/runs/run0000/parameters/model", 0, model, sizeof model);
    store_peek(fixture->path, "/runs/run0000/parameters/rate", 0, &rate, sizeof rate);
    store_peek(fixture->path, "/runs/run0000/parameters/width", 0, &width, sizeof width);
    assert_string_equal(model, "li-liang");
    assert_true(rate == 0.25 && width == 7);
    store_peek(fixture->path, "/state/run0000/commit", 0, pages, sizeof pages);
    assert_memory_equal(pages[0], "WWCOMMIT", 8);
    assert_int_equal(pages[0][2], 0);
    for (int i = 0; i < 512; i++)
        assert_int_equal(pages[1][i], 0);
}

static void existing_file_is_kept(void **state)
{
    const store_fixture *fixture = *state;
    ww_error refusal = {0};
    write_file(fixture->path, "precious");
    assert_int_equal(create(fixture, fixture->path, false, &refusal), WW_USAGE);
    assert_true(store_says(&refusal, "exists already"));
    char text[9] = "";
    FILE *file = fopen(fixture->path, "rb");
    assert_int_equal(fread(text, 1, 8, file), 8);
    fclose(file);
    assert_string_equal(text, "precious");
    assert_int_equal(count_files(fixture), 1);
    CHECK_OK(create(fixture, fixture->path, true, error));
    ww_file_summary summary;
    CHECK_OK(ww_store_summarize(fixture->path, &summary, error));
    ww_file_summary_free(&summary);
    assert_int_equal(create(fixture, fixture->folder, true, &refusal), WW_USAGE);
    assert_true(store_says(&refusal, "is not a file"));
}

static void failures_leave_nothing(void **state)
{
    const store_fixture *fixture = *state;
    ww_error refusal = {0};
    char path[2 * STORE_PATH];
    snprintf(path, sizeof path, "%s/none/run.h5", fixture->folder);
    assert_int_equal(create(fixture, path, false, &refusal), WW_USAGE);
    assert_true(store_says(&refusal, "No such file or directory"));
    // More than the disk has.
    ww_member_layout layout = store_layout(0, (int64_t)1 << 48);
    const ww_provenance provenance = store_provenance();
    assert_int_equal(
        ww_store_create(fixture->path, false, &provenance, &layout, 1, &fixture->world, &refusal),
        WW_FAILED);
    assert_true(store_says(&refusal, "GiB free"));
    // More than a number can say.
    layout.dimension = (int64_t)1 << 40;
    assert_int_equal(
        ww_store_create(fixture->path, false, &provenance, &layout, 1, &fixture->world, &refusal),
        WW_USAGE);
    // A start that is making the same file at this moment, holding its temporary file.
    snprintf(path, sizeof path, "%s.tmp", fixture->path);
    write_file(path, "");
    ww_store_lock other = {0};
    CHECK_OK(ww_store_lock_take(path, &fixture->world, &other, error));
    assert_int_equal(create(fixture, fixture->path, false, &refusal), WW_FAILED);
    assert_true(store_says(&refusal, "being made by another job"));
    ww_store_unlock(&other);
    CHECK_OK(
        create(fixture, fixture->path, false, error)); // what a killed start left is taken over
    assert_int_equal(count_files(fixture), 1);
}

static void second_writer_is_refused(void **state)
{
    const store_fixture *fixture = *state;
    ww_error refusal = {0};
    ww_store_lock first = {0};
    ww_store_lock second = {0};
    CHECK_OK(create(fixture, fixture->path, false, error));
    // A reader with a lock of its own kind, as h5py has, is in nobody's way.
    const int reader = open(fixture->path, O_RDONLY);
    assert_int_equal(flock(reader, LOCK_SH), 0);
    CHECK_OK(ww_store_lock_take(fixture->path, &fixture->world, &first, error));
    assert_int_equal(ww_store_lock_take(fixture->path, &fixture->world, &second, &refusal),
                     WW_FAILED);
    assert_true(store_says(&refusal, "is being written by another job"));
    assert_int_equal(create(fixture, fixture->path, true, &refusal), WW_FAILED);
    assert_true(store_says(&refusal, "is being written by another job"));
    const ww_provenance provenance = store_provenance();
    CHECK_OK(ww_store_add_attempt(fixture->path, &provenance, &fixture->world, error));
    ww_file_summary summary;
    CHECK_OK(ww_store_summarize(fixture->path, &summary, error));
    ww_file_summary_free(&summary);
    assert_int_equal(flock(reader, LOCK_SH | LOCK_NB), 0);
    close(reader);
    ww_store_unlock(&first);
    CHECK_OK(ww_store_lock_take(fixture->path, &fixture->world, &second, error));
    ww_store_unlock(&second);
    ww_store_unlock(&second); // a second time does nothing
    snprintf(refusal.message, sizeof refusal.message, "%s.none", fixture->path);
    char *const none = strdup(refusal.message);
    assert_int_equal(ww_store_lock_take(none, &fixture->world, &second, &refusal), WW_USAGE);
    assert_true(store_says(&refusal, "No such file"));
    free(none);
}

/// Open MPI told to lock whole files: our lock must not stand in its way.
static void lock_beside_where_mpi_locks_whole_files(void **state)
{
    const store_fixture *fixture = *state;
    ww_error refusal = {0};
    ww_store_lock first = {0};
    ww_store_lock second = {0};
    CHECK_OK(create(fixture, fixture->path, false, error));
    setenv("OMPI_MCA_fs_ufs_lock_algorithm", "2", 1);
    CHECK_OK(ww_store_lock_take(fixture->path, &fixture->world, &first, error));
    assert_int_equal(ww_store_lock_take(fixture->path, &fixture->world, &second, &refusal),
                     WW_FAILED);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const int file = open(fixture->path, O_RDWR);
    assert_int_equal(fcntl(file, F_SETLK, &whole), 0);
    close(file);
    // Through a link it is the same lock.
    char link[STORE_PATH];
    snprintf(link, sizeof link, "%s/link.h5", fixture->folder);
    assert_int_equal(symlink(fixture->path, link), 0);
    assert_int_equal(ww_store_lock_take(link, &fixture->world, &second, &refusal), WW_FAILED);
    ww_store_unlock(&first);
    unsetenv("OMPI_MCA_fs_ufs_lock_algorithm");
}

static void fill_provenance(const store_fixture *fixture, bool has_threads)
{
    CHECK_OK(create(fixture, fixture->path, true, error));
    if (!has_threads) { // as files were before ranks had threads
        const hid_t file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
        assert_true(file >= 0);
        assert_true(H5Ldelete(file, "/provenance/attempts/threads", H5P_DEFAULT) >= 0);
        assert_true(H5Fclose(file) >= 0);
    }
    ww_provenance provenance = store_provenance();
    memset(provenance.command, 'x', sizeof provenance.command); // too long, and without an end
    for (int64_t row = 1; row < WW_PROVENANCE_ROWS; row++) {
        provenance.first_step = row;
        provenance.ranks = row;
        CHECK_OK(ww_store_add_attempt(fixture->path, &provenance, &fixture->world, error));
    }
    // All rows are in use: the next one doubles them.
    provenance.ranks = 300;
    provenance.threads = 5;
    CHECK_OK(ww_store_add_attempt(fixture->path, &provenance, &fixture->world, error));
    assert_int_equal(count_files(fixture), 1);
    ww_file_summary summary;
    CHECK_OK(ww_store_summarize(fixture->path, &summary, error));
    assert_int_equal(summary.attempt_count, WW_PROVENANCE_ROWS + 1);
    assert_int_equal(summary.first.ranks, 4);
    assert_string_equal(summary.first.command, "widthwise run");
    assert_string_equal(summary.first.arithmetic, "Haswell");
    assert_int_equal(summary.newest.ranks, 300);
    assert_int_equal(summary.newest.first_step, 255);
    assert_int_equal(summary.first.threads, has_threads ? 2 : 0);
    assert_int_equal(summary.newest.threads, has_threads ? 5 : 0);
    assert_int_equal(strlen(summary.newest.command), WW_PROVENANCE_TEXT - 1);
    ww_file_summary_free(&summary);
}

static void provenance_makes_room(void **state)
{
    fill_provenance(*state, true);
    fill_provenance(*state, false);
}

static void refuse(const char *path, ww_status expected, const char *said)
{
    ww_file_summary summary;
    ww_error refusal = {0};
    assert_int_equal(ww_store_summarize(path, &summary, &refusal), expected);
    assert_true(store_says(&refusal, path) && store_says(&refusal, said));
    assert_null(summary.members);
}

static void foreign_files_are_refused(void **state)
{
    const store_fixture *fixture = *state;
    refuse(fixture->path, WW_USAGE, "No such file or directory");
    refuse(fixture->folder, WW_USAGE, "Is a directory");
    write_file(fixture->path, "step,loss\n0,2.3\n");
    refuse(fixture->path, WW_USAGE, "is not an HDF5 file");
    write_file(fixture->path, "");
    refuse(fixture->path, WW_USAGE, "is not an HDF5 file");
    hid_t file = H5Fcreate(fixture->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    refuse(fixture->path, WW_USAGE, "of another program");

    CHECK_OK(create(fixture, fixture->path, true, error));
    file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t attribute = H5Aopen(file, "schema_version", H5P_DEFAULT);
    const int64_t version = WW_SCHEMA_VERSION + 1;
    assert_true(H5Awrite(attribute, H5T_NATIVE_INT64, &version) >= 0);
    H5Aclose(attribute);
    H5Fclose(file);
    refuse(fixture->path, WW_USAGE, "schema version 2");

    CHECK_OK(create(fixture, fixture->path, true, error));
    file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Adelete(file, "features");
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 16);
    const hid_t scalar = H5Screate(H5S_SCALAR);
    attribute = H5Acreate2(file, "features", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, text, "compression\0\0\0\0") >= 0);
    H5Aclose(attribute);
    H5Sclose(scalar);
    H5Tclose(text);
    H5Fclose(file);
    refuse(fixture->path, WW_USAGE, "features that this program does not know (compression)");

    CHECK_OK(create(fixture, fixture->path, true, error));
    struct stat whole;
    assert_int_equal(stat(fixture->path, &whole), 0);
    assert_int_equal(truncate(fixture->path, whole.st_size - 1), 0);
    refuse(fixture->path, WW_FAILED, "damaged or cut off");
    char report[4096];
    ww_error refusal = {0};
    assert_int_equal(store_verify(fixture, report, &refusal), WW_FAILED);
    assert_true(store_says(&refusal, "damaged or cut off"));
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_tiling tiling = ww_tiling_make(WIDTH, 0, 1);
    ww_store *store = NULL;
    assert_int_equal(
        ww_store_open(fixture->path, &layout, &fixture->world, &tiling, &store, &refusal),
        WW_FAILED);
    assert_true(store_says(&refusal, "damaged or cut off"));
}

/// HDF5 prints its stack where the program wants it so; after our calls it still does.
static void error_setting_of_hdf5_is_kept(void **state)
{
    const store_fixture *fixture = *state;
    H5E_auto2_t function = NULL;
    H5E_auto2_t after = NULL;
    void *data = NULL;
    H5Eget_auto2(H5E_DEFAULT, &function, &data);
    assert_non_null(function);
    write_file(fixture->path, "no HDF5");
    refuse(fixture->path, WW_USAGE, "is not an HDF5 file");
    CHECK_OK(create(fixture, fixture->path, true, error));
    H5Eget_auto2(H5E_DEFAULT, &after, &data);
    assert_ptr_equal(function, after);
}

/// Slabs moved in rounds of a few bytes and in one call give the same.
static void rounds_cover_every_row(void **state)
{
    const store_fixture *fixture = *state;
    CHECK_OK(create(fixture, fixture->path, false, error));
    hid_t file = H5I_INVALID_HID;
    CHECK_OK(ww_file_open_writing(fixture->path, MPI_COMM_SELF, &file, error));
    static const char *const names[] = {"/state/run0000/checkpoint0/hidden_weights",
                                        "/snapshots/run0000/hidden_weights"};
    enum { ROWS = 23, FIRST = 130 };
    double values[ROWS][STORE_DIMENSION];
    double back[ROWS][STORE_DIMENSION];
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < STORE_DIMENSION; j++)
            values[r][j] = 100.0 * r + j;
    static const int64_t limits[] = {1, 40, 41, 80, 200, 100000};
    for (int which = 0; which < 2; which++) {
        ww_array array;
        CHECK_OK(ww_array_open(file, "test", strdup(names[which]), which, &array, error));
        assert_int_equal(ww_array_rows(&array), WIDTH);
        assert_int_equal(ww_array_row_values(&array), STORE_DIMENSION);
        assert_int_equal(ww_array_planes(&array), which + 1);
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            values[0][0] += 1;
            memset(back, 0, sizeof back);
            CHECK_OK(ww_array_write_by(&array, which, FIRST, ROWS, values, limits[i], error));
            store_peek(fixture->path, names[which],
                       (int64_t)(which * WIDTH + FIRST) * STORE_DIMENSION * 8, back, sizeof back);
            assert_memory_equal(values, back, sizeof back);
            memset(back, 0, sizeof back);
            CHECK_OK(ww_array_read_by(&array, which, FIRST, ROWS, back, limits[i], error));
            assert_memory_equal(values, back, sizeof back);
        }
        ww_array_close(&array);
    }
    ww_file_close(&file);
}

/// Shares of a hash over any number of ranks add up to the plain definition.
static void shares_of_a_hash_add_up(void **state)
{
    const store_fixture *fixture = *state;
    CHECK_OK(create(fixture, fixture->path, false, error));
    hid_t file = H5I_INVALID_HID;
    CHECK_OK(ww_file_open_writing(fixture->path, MPI_COMM_SELF, &file, error));
    ww_array array;
    CHECK_OK(ww_array_open(file, "test", strdup("/record/run0000/train_inputs"), 0, &array, error));
    double *values = calloc((size_t)STORE_TRAIN * STORE_DIMENSION, sizeof *values);
    for (int i = 0; i < STORE_TRAIN * STORE_DIMENSION; i++)
        values[i] = 1.0 / (i + 1);
    uint64_t expected = 0;
    for (int64_t block = 0; block * 1024 < STORE_TRAIN; block++) {
        const int64_t rows = STORE_TRAIN - block * 1024 < 1024 ? STORE_TRAIN - block * 1024 : 1024;
        expected += ww_hash_block(values + block * 1024 * STORE_DIMENSION,
                                  (size_t)(rows * STORE_DIMENSION) * 8,
                                  ww_hash_name("/record/run0000/train_inputs"), (uint64_t)block);
    }
    for (int size = 1; size <= 7; size++) {
        uint64_t written = 0;
        uint64_t read = 0;
        for (int rank = 0; rank < size; rank++) {
            CHECK_OK(ww_array_write_share(&array, values, 1024, rank, size, &written, error));
            CHECK_OK(ww_array_hash(&array, STORE_TRAIN, 1024, rank, size, &read, error));
        }
        assert_true(written == expected && read == expected);
    }
    free(values);
    ww_array_close(&array);
    ww_file_close(&file);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(skeleton_is_all_there, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(existing_file_is_kept, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(failures_leave_nothing, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(second_writer_is_refused, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(lock_beside_where_mpi_locks_whole_files, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(provenance_makes_room, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(foreign_files_are_refused, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(error_setting_of_hdf5_is_kept, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(rounds_cover_every_row, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(shares_of_a_hash_add_up, store_setup, store_teardown)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
