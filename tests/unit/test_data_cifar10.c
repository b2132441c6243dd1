// CIFAR-10 in its binary version, plain and gzip: what is kept of it, and what can be wrong with
// it.
#include "data_support.h"

enum { FILES = 6, RECORDS = 4, PIXELS = 3072, RECORD = 1 + PIXELS };

static const char *const names[FILES] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                         "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};

/// Labels of the records of each file; the train set has 0 to 5, and 2 of label 5.
static const unsigned char labels[FILES][RECORDS] = {{3, 1, 0, 4}, {1, 1, 3, 0}, {2, 5, 0, 4},
                                                     {4, 3, 2, 2}, {0, 5, 1, 3}, {1, 0, 3, 5}};

/// Pixel j of record r of file f.
static unsigned char pixel(size_t f, size_t r, size_t j)
{
    return (unsigned char)(1 + 31 * f + 7 * r + j % 101 + j / 1024);
}

static void write_bytes(const char *folder, const char *name, const unsigned char *bytes,
                        size_t count, bool gzip)
{
    char *packed = ww_format(NULL, "%s.gz", name);
    char *other = ww_format(NULL, "%s/%s", folder, gzip ? name : packed);
    (void)remove(other);
    if (gzip)
        write_gzip(folder, packed, bytes, count);
    else
        write_file(folder, name, bytes, count);
    free(packed);
    free(other);
}

/// Bytes of file `f`.
static unsigned char *bytes_of(size_t f)
{
    static unsigned char bytes[RECORDS * RECORD];
    for (size_t r = 0; r < RECORDS; r++) {
        bytes[r * RECORD] = labels[f][r];
        for (size_t j = 0; j < PIXELS; j++)
            bytes[r * RECORD + 1 + j] = pixel(f, r, j);
    }
    return bytes;
}

static void write_all(const char *folder, bool gzip)
{
    for (size_t f = 0; f < FILES; f++)
        write_bytes(folder, names[f], bytes_of(f), (size_t)RECORDS * RECORD, gzip);
}

/// `count` goes into data, `choice` into data.cifar10. The result is overwritten by the next call.
static const char *yaml(const char *folder, const char *count, const char *choice)
{
    static char text[4096];
    (void)snprintf(text, sizeof text,
                   "training: {batch: 1}\n"
                   "data: {source: cifar10, normalize: none, %s,\n"
                   "  cifar10: {folder: %s%s%s}}\n",
                   count, folder, choice[0] == '\0' ? "" : ", ", choice);
    return text;
}

/// Samples are the listed records of the five train files in a row, with the listed labels.
static void check_train(const ww_samples *samples, int64_t count, const size_t *records,
                        const int64_t *wanted, double divisor)
{
    assert_int_equal(samples->count, count);
    for (int64_t s = 0; s < count; s++) {
        assert_int_equal(samples->labels[s], wanted[s]);
        assert_int_equal(samples->components[s], wanted[s]);
        for (size_t j = 0; j < PIXELS; j++)
            assert_true(samples->inputs[s * PIXELS + (int64_t)j] ==
                        pixel(records[s] / RECORDS, records[s] % RECORDS, j) / divisor);
    }
}

static void test_all_samples(void **state)
{
    for (int gzip = 0; gzip < 2; gzip++) {
        write_all(*state, gzip == 1);
        ww_dataset data = load_good(yaml(*state, "train: all, test: all", ""));
        size_t records[20];
        int64_t wanted[20];
        for (size_t i = 0; i < 20; i++) {
            records[i] = i;
            wanted[i] = labels[i / RECORDS][i % RECORDS];
        }
        assert_int_equal(data.dimension, PIXELS);
        assert_int_equal(data.classes, 6);
        assert_int_equal(data.components, 1);
        check_train(&data.train, 20, records, wanted, 255.0);
        assert_int_equal(data.test.count, RECORDS);
        for (int64_t s = 0; s < RECORDS; s++)
            assert_int_equal(data.test.labels[s], labels[5][s]);
        assert_true(data.test.inputs[PIXELS + 5] == pixel(5, 1, 5) / 255.0);
        ww_dataset_free(&data);
    }
}

static void test_choice(void **state)
{
    for (int gzip = 0; gzip < 2; gzip++) {
        write_all(*state, gzip == 1);
        ww_dataset data =
            load_good(yaml(*state, "train: 5, test: 1", "classes: [1, 3], divisor: 2"));
        check_train(&data.train, 5, (const size_t[]){0, 1, 4, 5, 6},
                    (const int64_t[]){1, 0, 0, 0, 1}, 2.0);
        assert_int_equal(data.classes, 2);
        ww_dataset_free(&data);
        // The first of each class, in the order of the files.
        data = load_good(yaml(*state, "train: 6, test: all", "classes: [1, 3], balanced: true"));
        check_train(&data.train, 6, (const size_t[]){0, 1, 4, 5, 6, 13},
                    (const int64_t[]){1, 0, 0, 0, 1, 1}, 255.0);
        assert_int_equal(data.test.count, 2);
        ww_dataset_free(&data);
    }
}

/// Other files than the usual ones, in the folder or elsewhere, in their own order.
static void test_listed_files(void **state)
{
    write_all(*state, true);
    char choice[1024];
    (void)snprintf(choice, sizeof choice,
                   "train_files: [data_batch_4.bin, '%s/data_batch_2.bin.gz'], test_files: "
                   "[data_batch_1.bin]",
                   (const char *)*state);
    ww_dataset data = load_good(yaml(*state, "train: all, test: 1", choice));
    check_train(&data.train, 8, (const size_t[]){12, 13, 14, 15, 4, 5, 6, 7},
                (const int64_t[]){4, 3, 2, 2, 1, 1, 3, 0}, 255.0);
    assert_int_equal(data.test.labels[0], 3);
    ww_dataset_free(&data);
}

static void test_counts_and_classes(void **state)
{
    write_all(*state, false);
    load_bad(yaml(*state, "train: 21, test: 1", ""), "data.train", "21 samples are asked for",
             "(the train set) has 20 of the chosen classes");
    load_bad(yaml(*state, "train: 1, test: 5", ""), "test.yaml, line 2: data.test", "5 samples",
             "(the test set) has 4");
    load_bad(yaml(*state, "train: 3, test: 2", "classes: [0, 3], balanced: true"), "data.train",
             "3 samples cannot be divided equally among 2 classes (data.cifar10.balanced)",
             "a multiple of 2");
    load_bad(yaml(*state, "train: 6, test: 2", "classes: [0, 5], balanced: true"), "data.train",
             "has 2 of label 5", "at most 4");
    load_bad(yaml(*state, "train: 1, test: 1", "classes: [3, 7]"), "data.cifar10.classes",
             "label 7 does not occur in '", "0, 1, 2, 3, 4, 5");
    load_bad(yaml(*state, "train: 1, test: 1", "classes: [3, 4]"), "data.cifar10.classes",
             "label 4 does not occur in '", "(the test set); choose among 0, 1, 3, 5");
}

static void test_broken_files(void **state)
{
    const char *const text = yaml(*state, "train: 1, test: 1", "");
    const size_t sizes[] = {1, RECORD - 1, RECORD + 1, RECORDS * RECORD - 7};
    for (int gzip = 0; gzip < 2; gzip++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char message[64];
            write_all(*state, gzip == 0);
            write_bytes(*state, names[3], bytes_of(3), sizes[i], gzip == 1);
            (void)snprintf(message, sizeof message, "has %zu bytes, no multiple of the 3073",
                           sizes[i]);
            load_bad(text, "data.cifar10.folder", names[3], message);
        }
        write_all(*state, gzip == 0);
        write_bytes(*state, names[5], bytes_of(5), 0, gzip == 1);
        load_bad(text, "data.cifar10.folder", names[5], "is empty");
        write_all(*state, gzip == 0);
        unsigned char *bytes = bytes_of(1);
        bytes[2 * RECORD] = 10;
        write_bytes(*state, names[1], bytes, (size_t)RECORDS * RECORD, gzip == 1);
        load_bad(text, names[1], "has label 10 in record 2", "those of CIFAR-10 are 0 to 9");
    }
}

static void test_damaged_gzip(void **state)
{
    write_all(*state, true);
    char *path = ww_format(NULL, "%s/%s.gz", (const char *)*state, names[0]);
    unsigned char bytes[8192];
    FILE *file = fopen(path, "rb");
    const size_t count = fread(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
    assert_true(count > 100 && count < sizeof bytes);
    const char *const text = yaml(*state, "train: 1, test: 1", "");
    for (size_t kept = 20; kept < count; kept += 37) {
        write_file(*state, "data_batch_1.bin.gz", bytes, kept);
        load_bad(text, "data.cifar10.folder", "data_batch_1.bin.gz", "truncated");
    }
    bytes[count - 6] ^= 1; // in the checksum
    write_file(*state, "data_batch_1.bin.gz", bytes, count);
    load_bad(text, "data.cifar10.folder", "is damaged", "incorrect data check");
    free(path);
}

static void test_unreadable(void **state)
{
    write_all(*state, false);
    char *path = ww_format(NULL, "%s/%s", (const char *)*state, names[4]);
    const char *const text = yaml(*state, "train: 1, test: 1", "");
    assert_int_equal(remove(path), 0);
    load_bad(text, path, "No such file or directory", "unpack cifar-10-binary.tar.gz");
    assert_int_equal(mkdir(path, 0700), 0);
    load_bad(text, "data.cifar10.folder", path, "Is a directory");
    assert_int_equal(rmdir(path), 0);
    free(path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_samples),  cmocka_unit_test(test_choice),
        cmocka_unit_test(test_listed_files), cmocka_unit_test(test_counts_and_classes),
        cmocka_unit_test(test_broken_files), cmocka_unit_test(test_damaged_gzip),
        cmocka_unit_test(test_unreadable),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
    MPI_Finalize();
    return failed;
}
