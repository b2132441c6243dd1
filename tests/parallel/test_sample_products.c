// K = X X^T of the train samples: made by all ranks of a node together, with the bits that one rank
// alone gets, symmetric to the last bit, and once in the memory of the node.

#include "cmocka_all.h"
#include "train/sample_products.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

enum { MOST = 300, MOST_DIMENSION = 41 };

static ww_parallel world, alone;
static double inputs[MOST * MOST_DIMENSION];

// The problem, as far as K is made of it.
typedef struct small_problem {
    ww_dataset data;
    ww_problem problem;
} small_problem;

static void set_problem(const ww_parallel *parallel, int64_t samples, int64_t dimension,
                        small_problem *small)
{
    *small = (small_problem){
        .data = {.dimension = dimension, .train = {.count = samples, .inputs = inputs}}};
    small->problem =
        (ww_problem){.data = &small->data, .parallel = parallel, .dimension = dimension};
}

static ww_sample_products make(const small_problem *small)
{
    ww_sample_products products = {0};
    ww_error error = {0};
    if (ww_sample_products_create(&small->problem, &products, &error) != WW_OK)
        fail_msg("%s", error.message);
    return products;
}

static void check_numbers(const ww_sample_products *products, int64_t samples, int64_t dimension)
{
    assert_int_equal(products->samples, samples);
    assert_true(products->stride >= samples && products->stride < samples + 64);
    for (int64_t i = 0; i < samples; i++) {
        const double *row = products->values + i * products->stride;
        for (int64_t j = 0; j < samples; j++) {
            double sum = 0.0, size = 0.0;
            for (int64_t k = 0; k < dimension; k++) {
                sum += inputs[i * dimension + k] * inputs[j * dimension + k];
                size += fabs(inputs[i * dimension + k] * inputs[j * dimension + k]);
            }
            assert_true(fabs(row[j] - sum) <= 4e-16 * (double)dimension * size);
            assert_true(row[j] == products->values[j * products->stride + i]);
        }
        for (int64_t j = samples; j < products->stride; j++)
            assert_true(row[j] == 0.0);
    }
}

// Together, `is_guest` of which ranks; and as one rank alone makes it.
static void check(int64_t samples, int64_t dimension, int threads, bool is_shared)
{
    small_problem small, single;
    world.threads = threads;
    set_problem(&world, samples, dimension, &small);
    set_problem(&alone, samples, dimension, &single);
    (void)ww_shared_most_guest_bytes();
    ww_sample_products products = make(&small), own = make(&single);
    const int64_t bytes = ww_sample_products_bytes(&small.problem);
    assert_int_equal(bytes, samples * products.stride * (int64_t)sizeof(double));
    check_numbers(&products, samples, dimension);
    assert_memory_equal(products.values, own.values, (size_t)bytes);
    assert_int_equal(products.shared.is_mapped, is_shared);
    assert_int_equal(products.shared.is_guest, is_shared && world.rank > 0);
    assert_int_equal(ww_shared_most_guest_bytes(), is_shared && world.rank > 0 ? bytes : 0);
    ww_sample_products_free(&own);
    ww_sample_products_free(&products);
    assert_null(products.values);
    assert_int_equal(ww_shared_most_guest_bytes(), is_shared && world.rank > 0 ? bytes : 0);
    assert_int_equal(ww_shared_most_guest_bytes(), 0);
}

static void test_together(void **state)
{
    (void)state;
    static const int64_t samples[] = {1, 5, 64, 128, 129, 257, MOST};
    static const int64_t dimensions[] = {1, 7, MOST_DIMENSION};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        for (size_t k = 0; k < sizeof dimensions / sizeof dimensions[0]; k++)
            for (int threads = 1; threads <= 3; threads += 2)
                check(samples[i], dimensions[k], threads, world.size > 1);
}

/// Where the system gives no memory in common, each rank makes its own.
static void test_apart(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 1000, .rlim_max = before.rlim_max};
    if (world.rank == 0)
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    check(MOST, 7, 1, false);
    if (world.rank == 0)
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void test_too_much(void **state)
{
    (void)state;
    small_problem small;
    ww_sample_products products = {0};
    ww_error error = {0};
    set_problem(&world, INT64_C(1) << 31, 7, &small); // bytes that are no number
    assert_int_not_equal(ww_sample_products_create(&small.problem, &products, &error), WW_OK);
    assert_non_null(strstr(error.message, "the products of all samples"));
    ww_sample_products_free(&products);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_WORLD, &world, &error) != WW_OK ||
        ww_parallel_create(MPI_COMM_SELF, &alone, &error) != WW_OK)
        return 1;
    for (int64_t i = 0; i < MOST * MOST_DIMENSION; i++)
        inputs[i] = sin((double)(i * i % 10007)) * ldexp(1.0, (int)(i % 5));
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_together),
                                       cmocka_unit_test(test_apart),
                                       cmocka_unit_test(test_too_much)};
    const int failed = cmocka_run_group_tests_name("sample_products", tests, NULL, NULL);
    ww_parallel_destroy(&alone);
    ww_parallel_destroy(&world);
    MPI_Finalize();
    return failed == 0 ? 0 : 1;
}
