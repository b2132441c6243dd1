// IDX files, plain and gzip: what is kept of them, and everything that can be wrong with them.
#include "data_support.h"

enum { TRAIN = 12, TEST = 6, HEIGHT = 2, WIDTH = 3, PIXELS = HEIGHT * WIDTH, CAPACITY = 256 };

static const unsigned char train_labels[TRAIN] = {3, 5, 0, 3, 1, 5, 5, 3, 0, 2, 4, 3};
static const unsigned char test_labels[TEST] = {5, 3, 1, 0, 2, 4};

/// Bytes of an IDX file of `items` items: labels, or images whose pixel j of image i is 20 i + j.
typedef struct idx_bytes {
    unsigned char bytes[CAPACITY];
    size_t count;
} idx_bytes;

static void put_word(idx_bytes *file, unsigned long word)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        file->bytes[file->count++] = (unsigned char)(word >> shift & 255);
}

static idx_bytes labels_file(const unsigned char *labels, size_t items)
{
    idx_bytes file = {.count = 0};
    put_word(&file, 0x00000801);
    put_word(&file, items);
    memcpy(file.bytes + file.count, labels, items);
    file.count += items;
    return file;
}

static idx_bytes images_file(size_t items)
{
    idx_bytes file = {.count = 0};
    put_word(&file, 0x00000803);
    put_word(&file, items);
    put_word(&file, HEIGHT);
    put_word(&file, WIDTH);
    for (size_t i = 0; i < items; i++)
        for (size_t j = 0; j < PIXELS; j++)
            file.bytes[file.count++] = (unsigned char)(20 * i + j);
    return file;
}

static void write_either(const char *folder, const char *name, const idx_bytes *file, bool gzip)
{
    if (gzip)
        write_gzip(folder, name, file->bytes, file->count);
    else
        write_file(folder, name, file->bytes, file->count);
}

/// Writes the four good files.
static void write_all(const char *folder, bool gzip)
{
    const idx_bytes files[] = {images_file(TRAIN), labels_file(train_labels, TRAIN),
                               images_file(TEST), labels_file(test_labels, TEST)};
    const char *const names[] = {"train-images", "train-labels", "test-images", "test-labels"};
    for (size_t i = 0; i < 4; i++)
        write_either(folder, names[i], &files[i], gzip);
}

/// Configuration that reads the four files; `head` goes into the file, `count` into data, `choice`
/// into data.idx. The result is overwritten by the next call.
static const char *yaml_with(const char *folder, const char *head, const char *count,
                             const char *choice)
{
    static char text[4096];
    (void)snprintf(text, sizeof text,
                   "%s\n"
                   "data: {source: idx, %s,\n"
                   "  idx: {train_images: %s/train-images, train_labels: %s/train-labels,\n"
                   "        test_images: %s/test-images, test_labels: %s/test-labels%s%s}}\n",
                   head, count, folder, folder, folder, folder, choice[0] == '\0' ? "" : ", ",
                   choice);
    return text;
}

/// The same with a batch of one and raw inputs.
static const char *yaml(const char *folder, const char *count, const char *choice)
{
    char with_none[256];
    (void)snprintf(with_none, sizeof with_none, "normalize: none, %s", count);
    return yaml_with(folder, "training: {batch: 1}", with_none, choice);
}

/// Samples are the listed items of the file, with the listed labels.
static void check_samples(const ww_samples *samples, int64_t count, const int64_t *items,
                          const int64_t *labels, double divisor)
{
    assert_int_equal(samples->count, count);
    for (int64_t s = 0; s < count; s++) {
        assert_int_equal(samples->labels[s], labels[s]);
        assert_int_equal(samples->components[s], labels[s]);
        for (int64_t j = 0; j < PIXELS; j++)
            assert_true(samples->inputs[s * PIXELS + j] == (double)(20 * items[s] + j) / divisor);
    }
}

static void test_all_samples(void **state)
{
    for (int gzip = 0; gzip < 2; gzip++) {
        write_all(*state, gzip == 1);
        ww_dataset data = load_good(yaml(*state, "train: all, test: all", ""));
        const int64_t items[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
        const int64_t train[] = {3, 5, 0, 3, 1, 5, 5, 3, 0, 2, 4, 3};
        const int64_t test[] = {5, 3, 1, 0, 2, 4};
        assert_int_equal(data.dimension, PIXELS);
        assert_int_equal(data.classes, 6);
        assert_int_equal(data.components, 1);
        check_samples(&data.train, TRAIN, items, train, 255.0);
        check_samples(&data.test, TEST, items, test, 255.0);
        ww_dataset_free(&data);
    }
}

static void test_choice(void **state)
{
    for (int gzip = 0; gzip < 2; gzip++) {
        write_all(*state, gzip == 1);
        // The first five of labels 5 and 3 in file order; 5 becomes 0, 3 becomes 1.
        ww_dataset data =
            load_good(yaml(*state, "train: 5, test: all", "classes: [5, 3], divisor: 2"));
        check_samples(&data.train, 5, (const int64_t[]){0, 1, 3, 5, 6},
                      (const int64_t[]){1, 0, 1, 0, 0}, 2.0);
        check_samples(&data.test, 2, (const int64_t[]){0, 1}, (const int64_t[]){0, 1}, 2.0);
        assert_int_equal(data.classes, 2);
        ww_dataset_free(&data);
        // The number of classes is that of the file, not that of the first samples.
        data = load_good(yaml(*state, "train: 1, test: 1", ""));
        check_samples(&data.train, 1, (const int64_t[]){0}, (const int64_t[]){3}, 255.0);
        assert_int_equal(data.classes, 6);
        ww_dataset_free(&data);
    }
}

static void test_balanced(void **state)
{
    write_all(*state, true);
    ww_dataset data =
        load_good(yaml(*state, "train: 4, test: 2", "classes: [0, 3], balanced: true"));
    check_samples(&data.train, 4, (const int64_t[]){0, 2, 3, 8}, (const int64_t[]){1, 0, 1, 0},
                  255.0);
    ww_dataset_free(&data);
    data = load_good(yaml(*state, "train: all, test: all", "balanced: true"));
    check_samples(&data.train, 6, (const int64_t[]){0, 1, 2, 4, 9, 10},
                  (const int64_t[]){3, 5, 0, 1, 2, 4}, 255.0);
    ww_dataset_free(&data);
    load_bad(yaml(*state, "train: 3, test: 2", "classes: [0, 3], balanced: true"), "data.train",
             "3 samples cannot be divided equally among 2 classes", "a multiple of 2");
    load_bad(yaml(*state, "train: 6, test: 2", "classes: [0, 3], balanced: true"), "data.train",
             "has 2 of label 0", "at most 4");
}

static void test_counts_and_classes(void **state)
{
    write_all(*state, false);
    load_bad(yaml(*state, "train: 13, test: 1", ""), "data.train", "13 samples are asked for",
             "train-labels' has 12");
    load_bad(yaml(*state, "train: 8, test: 1", "classes: [3, 5]"), "test.yaml, line 2: data.train",
             "8 samples are asked for", "has 7 of the chosen classes");
    load_bad(yaml(*state, "train: 1, test: 7", ""), "data.test", "7 samples", "has 6");
    load_bad(yaml(*state, "train: 1, test: 1", "classes: [3, 7]"), "data.idx.classes",
             "label 7 does not occur in '", "0, 1, 2, 3, 4, 5");
    const unsigned char high[TEST] = {0, 1, 2, 3, 4, 9};
    const idx_bytes labels = labels_file(high, TEST);
    write_either(*state, "test-labels", &labels, false);
    load_bad(yaml(*state, "train: 1, test: 1", ""), "data.idx.test_labels", "has label 9",
             "train set, 5");
}

/// The batch can only be held against the data once they are read.
static void test_batch(void **state)
{
    write_all(*state, false);
    const char *all = "train: all, test: all";
    ww_dataset data = load_good(yaml_with(*state, "training: {batch: 12}", all, ""));
    ww_dataset_free(&data);
    load_bad(yaml_with(*state, "training: {batch: 13}", all, ""),
             "test.yaml, line 1: training.batch", "a batch of 13", "12 samples");
    data = load_good(yaml_with(*state, "training: {method: gd}", all, ""));
    ww_dataset_free(&data);
}

/// A file is changed in one way, and the error has to name it, the key and what is wrong.
static void check_broken(const char *folder, const char *name, const char *key,
                         const idx_bytes *file, const char *message)
{
    for (int gzip = 0; gzip < 2; gzip++) {
        write_all(folder, gzip == 0); // the other files are of the other kind
        write_either(folder, name, file, gzip == 1);
        load_bad(yaml(folder, "train: 1, test: 1", ""), key, name, message);
    }
}

static void test_broken_headers(void **state)
{
    const struct {
        size_t place;
        unsigned char value;
        const char *message;
    } cases[] = {
        {0, 'P', "is not an IDX file: it begins with bytes 50 00 08 03"},
        {1, 1, "is not an IDX file"},
        {2, 0x0d, "elements of IDX type 0d; only 08"},
        {3, 0, "has 0 axes"},
        {3, 1, "images and labels swapped"},
        {3, 200, "has 200 axes"},
        {7, 0, "holds no images"},
        {15, 0, "images of no pixels: axis 2"},
        {4, 255, "truncated"}, // 4 thousand million images
        {8, 255, "truncated"}, // of 4 thousand million rows
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        idx_bytes images = images_file(TRAIN);
        images.bytes[cases[i].place] = cases[i].value;
        check_broken(*state, "train-images", "data.idx.train_", &images, cases[i].message);
    }
    idx_bytes labels = labels_file(test_labels, TEST);
    labels.bytes[3] = 3;
    check_broken(*state, "test-labels", "data.idx.test_labels", &labels, "3 axes");
    labels = labels_file(test_labels, 0);
    check_broken(*state, "test-labels", "data.idx.test_labels", &labels, "holds no labels");
    labels = labels_file(test_labels, TEST - 1);
    check_broken(*state, "test-labels", "data.idx.test_labels", &labels, "has 5 labels, but");
    const unsigned char wide[] = {0, 0, 8, 2, 0, 0, 0, TEST, 0, 0,  0,  2,
                                  1, 2, 3, 4, 5, 6, 7, 8,    9, 10, 11, 12};
    idx_bytes images = {.count = sizeof wide};
    memcpy(images.bytes, wide, sizeof wide);
    check_broken(*state, "test-images", "data.idx.test_images", &images, "has images of 2 pixels");
}

/// Every length below the right one, plain and gzip, and one byte too many.
static void test_truncated(void **state)
{
    const char *const names[] = {"train-images", "test-labels"};
    const char *const keys[] = {"data.idx.train_images", "data.idx.test_labels"};
    const idx_bytes good[] = {images_file(TRAIN), labels_file(test_labels, TEST)};
    for (size_t f = 0; f < 2; f++) {
        idx_bytes file = good[f];
        for (file.count = 0; file.count < good[f].count; file.count += f == 0 ? 7 : 1)
            check_broken(*state, names[f], keys[f], &file, "truncated");
        file.count = good[f].count + 1;
        check_broken(*state, names[f], keys[f], &file, "goes on after");
    }
}

/// A gzip file that is itself cut short or damaged; even where the samples asked for are whole.
static void test_damaged_gzip(void **state)
{
    write_all(*state, true);
    char *path = ww_format(NULL, "%s/train-images", (const char *)*state);
    unsigned char bytes[CAPACITY];
    FILE *file = fopen(path, "rb");
    const size_t count = fread(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
    assert_true(count > 40 && count < sizeof bytes);
    for (size_t kept = 2; kept < count; kept++) {
        write_file(*state, "train-images", bytes, kept);
        load_bad(yaml(*state, "train: 1, test: 1", ""), "data.idx.train_images", "train-images",
                 "truncated");
    }
    bytes[count - 6] ^= 1; // in the checksum
    write_file(*state, "train-images", bytes, count);
    load_bad(yaml(*state, "train: 1, test: 1", ""), "data.idx.train_images", "is damaged",
             "incorrect data check");
    free(path);
}

static void test_unreadable(void **state)
{
    write_all(*state, false);
    char *path = ww_format(NULL, "%s/train-labels", (const char *)*state);
    assert_int_equal(remove(path), 0);
    load_bad(yaml(*state, "train: 1, test: 1", ""), "data.idx.train_labels", path,
             "No such file or directory");
    assert_int_equal(mkdir(path, 0700), 0);
    load_bad(yaml(*state, "train: 1, test: 1", ""), "data.idx.train_labels", path,
             "Is a directory");
    assert_int_equal(rmdir(path), 0);
    free(path);
}

/// A blank image has no direction.
static void test_blank_image(void **state)
{
    write_all(*state, false);
    idx_bytes images = images_file(TRAIN);
    memset(images.bytes + 16 + (size_t)4 * PIXELS, 0, PIXELS);
    write_either(*state, "train-images", &images, false);
    const char *head = "training: {batch: 1}";
    load_bad(yaml_with(*state, head, "train: 5, test: 1, normalize: sphere", ""), "data.normalize",
             "sample 4 of the train set", "all zeroes");
    const char *const allowed[] = {"train: 5, test: 1, normalize: ball",
                                   "train: 5, test: 1, normalize: none",
                                   "train: 4, test: 1, normalize: sphere"};
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        ww_dataset data = load_good(yaml_with(*state, head, allowed[i], ""));
        ww_dataset_free(&data);
    }
}

#define FASHION "/usr/share/datasets/fashion-mnist"

static void test_fashion_mnist(void **state)
{
    (void)state;
    if (access(FASHION "/train-images-idx3-ubyte.gz", R_OK) != 0)
        skip();
#define FILES                                                                                      \
    "train_images: " FASHION "/train-images-idx3-ubyte.gz,\n"                                      \
    "train_labels: " FASHION "/train-labels-idx1-ubyte.gz,\n"                                      \
    "test_images: " FASHION "/t10k-images-idx3-ubyte.gz,\n"                                        \
    "test_labels: " FASHION "/t10k-labels-idx1-ubyte.gz"
    ww_dataset data = load_good("data: {source: idx, train: 2000, test: all, normalize: none,\n"
                                "idx: {" FILES "}}");
    const int64_t first_train[] = {9, 0, 0, 3, 0, 2, 7, 2, 5, 5};
    const int64_t first_test[] = {9, 2, 1, 1, 6, 1, 4, 6, 5, 7};
    assert_int_equal(data.dimension, 784);
    assert_int_equal(data.classes, 10);
    assert_int_equal(data.train.count, 2000);
    assert_int_equal(data.test.count, 10000);
    assert_memory_equal(data.train.labels, first_train, sizeof first_train);
    assert_memory_equal(data.test.labels, first_test, sizeof first_test);
    int64_t of_class[10] = {0};
    for (int64_t s = 0; s < 10000; s++)
        of_class[data.test.labels[s]]++;
    double mean = 0.0, largest = 0.0;
    for (int64_t i = 0; i < (int64_t)10000 * 784; i++) {
        mean += data.test.inputs[i] / (10000.0 * 784.0);
        largest = data.test.inputs[i] > largest ? data.test.inputs[i] : largest;
    }
    for (int c = 0; c < 10; c++)
        assert_int_equal(of_class[c], 1000);
    assert_true(largest == 1.0);
    assert_true(mean > 0.28 && mean < 0.29); // 0.2868, as published for these images
    ww_dataset_free(&data);
    data = load_good("data: {source: idx, train: all, test: 100, normalize: none,\n"
                     "idx: {classes: [3, 5], balanced: true, " FILES "}}");
    assert_int_equal(data.train.count, 12000);
    assert_int_equal(data.train.labels[0], 0); // a dress at place 3 comes before a sandal at 8
    assert_int_equal(data.classes, 2);
    ww_dataset_free(&data);
}

/// The first n / 2 of each of two classes, in the order of the file: what papers call the first n.
static void test_first_of_two_classes(void **state)
{
    (void)state;
    if (access(FASHION "/train-images-idx3-ubyte.gz", R_OK) != 0)
        skip();
    enum { N = 1000 };
    ww_dataset whole = load_good("data: {source: idx, train: 8000, test: 1, normalize: none,\n"
                                 "idx: {" FILES "}}");
    ww_dataset data = load_good("data: {source: idx, train: 1000, test: 200, normalize: none,\n"
                                "idx: {classes: [0, 1], balanced: true, " FILES "}}");
    const int64_t d = data.dimension;
    int64_t taken[2] = {0, 0}, kept = 0;
    for (int64_t s = 0; s < whole.train.count && kept < N; s++) {
        const int64_t label = whole.train.labels[s];
        if (label > 1 || taken[label] == N / 2)
            continue;
        taken[label]++;
        assert_int_equal(data.train.labels[kept], label);
        assert_memory_equal(data.train.inputs + kept * d, whole.train.inputs + s * d,
                            (size_t)d * sizeof(double));
        kept++;
    }
    assert_int_equal(kept, N);
    assert_int_equal(taken[0], N / 2);
    assert_int_equal(data.test.count, 200);
    ww_dataset_free(&whole);
    ww_dataset_free(&data);
}
#undef FILES

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_samples),   cmocka_unit_test(test_choice),
        cmocka_unit_test(test_balanced),      cmocka_unit_test(test_counts_and_classes),
        cmocka_unit_test(test_batch),         cmocka_unit_test(test_broken_headers),
        cmocka_unit_test(test_truncated),     cmocka_unit_test(test_damaged_gzip),
        cmocka_unit_test(test_unreadable),    cmocka_unit_test(test_blank_image),
        cmocka_unit_test(test_fashion_mnist), cmocka_unit_test(test_first_of_two_classes),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
    MPI_Finalize();
    return failed;
}
