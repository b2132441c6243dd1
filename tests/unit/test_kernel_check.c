/// The check of BLAS before training finds a product of which a single number is wrong. The
/// products of this program stand before those of the library, and spoil what these give.

#include "cmocka_all.h"

#include "train/kernels.h"

#include <cblas.h>
#include <dlfcn.h>
#include <string.h>

// Which of the products to spoil (-1: none), how many were made so far, and which number of it.
static int64_t spoiled, made;
static int64_t place;
static bool with_nan;

typedef void (*any_function)(void);

static any_function library_function(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    any_function function = NULL;
    if (found == NULL)
        fail_msg("the library has no %s", name);
    memcpy(&function, &found, sizeof function); // as POSIX says; ISO C has no conversion
    return function;
}

static bool is_to_be_spoiled(void)
{
    return made++ == spoiled;
}

typedef void (*double_product)(enum CBLAS_ORDER, enum CBLAS_TRANSPOSE, enum CBLAS_TRANSPOSE,
                               blasint, blasint, blasint, double, const double *, blasint,
                               const double *, blasint, double, double *, blasint);

void cblas_dgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE left_way,
                 enum CBLAS_TRANSPOSE right_way, blasint rows, blasint columns, blasint inner,
                 double factor, const double *left, blasint left_stride, const double *right,
                 blasint right_stride, double keep, double *product, blasint stride)
{
    ((double_product)library_function("cblas_dgemm"))(order, left_way, right_way, rows, columns,
                                                      inner, factor, left, left_stride, right,
                                                      right_stride, keep, product, stride);
    if (is_to_be_spoiled()) {
        double *number = &product[place % rows * stride + place / rows % columns];
        *number = with_nan ? 0.0 / (*number - *number) : *number + 0x1p-13; // the last of its bits
    }
}

typedef void (*single_product)(enum CBLAS_ORDER, enum CBLAS_TRANSPOSE, enum CBLAS_TRANSPOSE,
                               blasint, blasint, blasint, float, const float *, blasint,
                               const float *, blasint, float, float *, blasint);

void cblas_sgemm(enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE left_way,
                 enum CBLAS_TRANSPOSE right_way, blasint rows, blasint columns, blasint inner,
                 float factor, const float *left, blasint left_stride, const float *right,
                 blasint right_stride, float keep, float *product, blasint stride)
{
    ((single_product)library_function("cblas_sgemm"))(order, left_way, right_way, rows, columns,
                                                      inner, factor, left, left_stride, right,
                                                      right_stride, keep, product, stride);
    if (is_to_be_spoiled())
        product[place % rows * stride + place / rows % columns] += 0x1p-13F;
}

static ww_status check(int64_t which, int64_t number)
{
    ww_error error = {0};
    spoiled = which;
    place = number;
    made = 0;
    return ww_kernel_check(&error);
}

static void good_products_pass(void **state)
{
    (void)state;
    assert_int_equal(check(-1, 0), WW_OK);
    assert_true(made > 4);
}

static void one_wrong_number_is_found(void **state)
{
    (void)state;
    with_nan = false;
    assert_int_equal(check(-1, 0), WW_OK);
    const int64_t products = made;
    for (int64_t which = 0; which < products; which++)
        for (int64_t number = 0; number < 40000; number += 4409)
            if (check(which, number) == WW_OK)
                fail_msg("number %lld of product %lld may be wrong", (long long)number,
                         (long long)which);
}

static void what_is_no_number_is_found(void **state)
{
    (void)state;
    with_nan = true;
    assert_int_equal(check(0, 77), WW_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_products_pass),
        cmocka_unit_test(one_wrong_number_is_found),
        cmocka_unit_test(what_is_no_number_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
