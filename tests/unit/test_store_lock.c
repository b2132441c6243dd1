/// Waiting for the lock, and file systems without locks; one rank.

#include "store_support.h"
#include "widthwise/clock.h"
#include "widthwise/store_look.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>

enum { WIDTH = 100 };

static bool no_locks; ///< as on a file system that knows none

/// Stands in front of the system's own.
int fcntl(int descriptor, int command, ...)
{
    typedef int (*plain)(int, int, ...);
    plain control = NULL;
    *(void **)&control = dlsym(RTLD_NEXT, "fcntl");
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (no_locks && (command == F_OFD_SETLK || command == F_OFD_GETLK)) {
        errno = ENOLCK;
        return -1;
    }
    return control(descriptor, command, argument);
}

static ww_store_lock first;
static bool ends; ///< the job that has the lock, as soon as it is waited for
static int told, asked;
static char sentence[WW_MESSAGE_SIZE];

static void hear(const char *text)
{
    told++;
    snprintf(sentence, sizeof sentence, "%s", text);
    if (ends)
        ww_store_unlock(&first);
}

static bool gives_up(void)
{
    return ++asked == 2;
}

static void begin(const store_fixture *fixture)
{
    const ww_member_layout layout = store_layout(0, WIDTH);
    const ww_provenance provenance = store_provenance();
    CHECK_OK(ww_store_create(fixture->path, true, &provenance, &layout, 1, &fixture->world, error));
    first = (ww_store_lock){0};
    CHECK_OK(ww_store_lock_take(fixture->path, &fixture->world, &first, error));
    told = asked = 0;
}

static void waits_for_another_job(void **state)
{
    const store_fixture *fixture = *state;
    begin(fixture);
    ends = true;
    ww_store_lock second = {.wait_seconds = 60, .say = hear};
    CHECK_OK(ww_store_lock_take(fixture->path, &fixture->world, &second, error));
    assert_true(second.descriptor >= 0);
    assert_int_equal(told, 1);
    assert_non_null(strstr(sentence, "is being written by another job; waiting up to 60 s for "
                                     "that to end"));
    ww_store_unlock(&second);
}

static void gives_up_in_the_end(void **state)
{
    const store_fixture *fixture = *state;
    ends = false;
    for (int round = 0; round < 3; round++) {
        begin(fixture);
        // No wait at all; until the time is over; until something else wants so.
        ww_store_lock second = {.wait_seconds = round == 0   ? 0
                                                : round == 1 ? 1.5
                                                             : 60,
                                .say = hear,
                                .gives_up = round == 2 ? gives_up : NULL};
        ww_error refusal = {0};
        const double began = ww_seconds();
        assert_int_equal(ww_store_lock_take(fixture->path, &fixture->world, &second, &refusal),
                         WW_FAILED);
        assert_true(store_says(&refusal, "is being written by another job (the newest start in it "
                                         "is of host node1 at 2024-05-01T12:00:00Z); wait until"));
        assert_true(second.descriptor < 0);
        assert_int_equal(told, round == 0 ? 0 : 1);
        assert_true(ww_seconds() - began < 30);
        assert_true(round == 0 || ww_seconds() - began >= 1);
        ww_store_unlock(&first);
    }
}

static void says_where_there_are_no_locks(void **state)
{
    const store_fixture *fixture = *state;
    begin(fixture);
    ww_store_unlock(&first);
    no_locks = true;
    ww_store_lock second = {.say = hear};
    CHECK_OK(ww_store_lock_take(fixture->path, &fixture->world, &second, error));
    assert_int_equal(told, 1);
    assert_non_null(strstr(sentence, "warning: the file system of "));
    assert_non_null(strstr(sentence, "knows no locks (No locks available)"));
    ww_store_unlock(&second);
    no_locks = false;
}

// The lock itself, or the one beside the file where MPI-IO locks the whole of it, as on NFS.
static void check_writers(const store_fixture *fixture)
{
    begin(fixture);
    assert_int_equal(ww_store_find_writer(fixture->path), WW_WRITER_THERE);
    ww_store_unlock(&first);
    assert_int_equal(ww_store_find_writer(fixture->path), WW_WRITER_NONE);
    // Whoever asks keeps nobody out, and needs no more than to read.
    assert_int_equal(chmod(fixture->path, 0400), 0);
    assert_int_equal(ww_store_find_writer(fixture->path), WW_WRITER_NONE);
    assert_int_equal(chmod(fixture->path, 0600), 0);
    CHECK_OK(ww_store_lock_take(fixture->path, &fixture->world, &first, error));
    ww_store_unlock(&first);
}

static void finds_writers(void **state)
{
    const store_fixture *fixture = *state;
    char beside[STORE_PATH + 8];
    snprintf(beside, sizeof beside, "%s.lock", fixture->path);
    assert_int_equal(ww_store_find_writer(fixture->path), WW_WRITER_UNKNOWN); // no such file
    check_writers(fixture);
    assert_int_not_equal(access(beside, F_OK), 0);
    assert_int_equal(setenv("OMPI_MCA_fs_ufs_lock_algorithm", "2", 1), 0);
    assert_int_equal(ww_store_find_writer(fixture->path), WW_WRITER_NONE); // none has made one
    assert_int_not_equal(access(beside, F_OK), 0);
    check_writers(fixture);
    assert_int_equal(access(beside, F_OK), 0);
    assert_int_equal(unsetenv("OMPI_MCA_fs_ufs_lock_algorithm"), 0);
    no_locks = true;
    assert_int_equal(ww_store_find_writer(fixture->path), WW_WRITER_UNKNOWN);
    no_locks = false;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(waits_for_another_job, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(finds_writers, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(gives_up_in_the_end, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(says_where_there_are_no_locks, store_setup,
                                        store_teardown)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
