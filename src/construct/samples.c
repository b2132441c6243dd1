// The samples that are to be fitted: their signs, those that lie on one line, and what they span.

#include "construct/parts.h"

#include "base/lapack.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 64 };

// Unit vectors nearer to each other are one direction: a fit that tells them apart takes weights
// that are larger by as much.
static const double SAME = 1e-12;
// Directions in which unit vectors vary by less than 1e-5 of the most, squared, are not made use
// of: weights would be larger by as much, and rounding with them.
static const double NEGLIGIBLE = 1e-10;

const double *ww_wanted_input(const ww_wanted *wanted, int64_t i)
{
    const ww_dataset *data = wanted->data;
    return i < wanted->train ? data->train.inputs + i * wanted->dimension
                             : data->test.inputs + (i - wanted->train) * wanted->dimension;
}

double ww_wanted_sign(const ww_wanted *wanted, int64_t i)
{
    const ww_dataset *data = wanted->data;
    return i < wanted->train ? ww_target_of_label(data->train.labels[i], 1, 0)
                             : -ww_target_of_label(data->test.labels[i - wanted->train], 1, 0);
}

void ww_wanted_name(const ww_wanted *wanted, int64_t i, char *text, size_t size)
{
    const bool is_train = i < wanted->train;
    (void)snprintf(text, size, "%s sample %lld", is_train ? "train" : "test",
                   (long long)(is_train ? i : i - wanted->train));
}

static ww_status measure_norms(ww_wanted *wanted, ww_error *error)
{
    for (int64_t i = 0; i < wanted->count; i++) {
        wanted->norms[i] = ww_norm(ww_wanted_input(wanted, i), wanted->dimension);
        if (wanted->norms[i] > 0.0)
            continue;
        char name[NAME];
        ww_wanted_name(wanted, i, name, sizeof name);
        return ww_fail(error, WW_USAGE,
                       "%s is the zero vector, on which every network without bias is 0, so no "
                       "weights give it a label; take it out of the data",
                       name);
    }
    return WW_OK;
}

// Two samples on one line, a < b, of which the network cannot be +1 and -1.
static ww_status refuse_pair(const ww_wanted *wanted, int64_t a, int64_t b, bool opposite,
                             ww_error *error)
{
    char first[NAME];
    char second[NAME];
    ww_wanted_name(wanted, a, first, sizeof first);
    ww_wanted_name(wanted, b, second, sizeof second);
    const bool mixed = (a < wanted->train) != (b < wanted->train);
    return ww_fail(error, WW_USAGE,
                   "%s and %s lie in %s and have %s, but network.start: %s wants +1 on one and -1 "
                   "on the other, which %s; take one of them out of the data",
                   first, second, opposite ? "opposite directions" : "the same direction",
                   mixed ? "the same label" : "different labels",
                   wanted->config->network.start == WW_START_FIT ? "fit" : "bad-fit",
                   opposite ? "the networks that it builds do not give, being even there"
                            : "no network without bias gives");
}

// Of the samples on each line keeps the shortest, which takes the place of the line's first one in
// shortest [count].
static ww_status choose_from(ww_wanted *wanted, const ww_line *lines, int64_t *shortest,
                             ww_error *error)
{
    for (int64_t i = 0; i < wanted->count; i++) {
        const int64_t first = lines[i].line;
        if (ww_wanted_sign(wanted, i) != ww_wanted_sign(wanted, first))
            return refuse_pair(wanted, first, i, lines[i].direction != first, error);
        if (i == first || wanted->norms[i] < wanted->norms[shortest[first]])
            shortest[first] = i;
    }
    for (int64_t i = 0; i < wanted->count; i++)
        if (shortest[lines[i].line] == i)
            wanted->chosen[wanted->chosen_count++] = i;
    return WW_OK;
}

static ww_status choose(ww_wanted *wanted, ww_error *error)
{
    const size_t n = (size_t)wanted->count;
    const char *what = "a list of samples on one line";
    const ww_samples parts[] = {wanted->data->train, wanted->data->test};
    const size_t part_count = wanted->count > wanted->train ? 2 : 1;
    ww_line *lines = ww_allocate(n, sizeof *lines, what, error);
    int64_t *shortest = ww_allocate(n, sizeof *shortest, what, error);
    ww_status status = lines != NULL && shortest != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = ww_lines_find(parts, part_count, wanted->dimension, SAME, lines, error);
    if (status == WW_OK)
        status = choose_from(wanted, lines, shortest, error);
    free(lines);
    free(shortest);
    return status;
}

// The matrix whose eigenvectors tell what the samples span, as unit vectors U [n, d]: U^T U, or
// where there are fewer samples than dimensions U U^T, which has the same eigenvalues but for
// zeroes.
typedef struct moments {
    int size;        // min(n, d)
    bool of_samples; // U U^T
    double *matrix;  // [size, size]; then an eigenvector in each row
    double *values;  // [size], rising
    double *work;
    double *rows; // [BLOCK or n, d], unit vectors
    int work_size;
} moments;

enum { BLOCK = 512 };

static void moments_free(moments *self)
{
    free(self->matrix);
    free(self->values);
    free(self->work);
    free(self->rows);
}

static ww_status moments_create(const ww_wanted *wanted, moments *self, ww_error *error)
{
    const int64_t n = wanted->chosen_count;
    const int64_t d = wanted->dimension;
    const int64_t size = n < d ? n : d;
    const char *what = "the space that the samples span";
    self->of_samples = n < d;
    WW_TRY(ww_to_int(size, "the dimension of what is to be fitted", &self->size, error));
    WW_TRY(ww_to_int(40 * size, "the work on what is to be fitted", &self->work_size, error));
    const size_t rows = (size_t)(self->of_samples || n < BLOCK ? n : BLOCK);
    self->matrix = ww_allocate((size_t)size, (size_t)size * sizeof *self->matrix, what, error);
    self->values = ww_allocate((size_t)size, sizeof *self->values, what, error);
    self->work = ww_allocate((size_t)self->work_size, sizeof *self->work, what, error);
    self->rows = ww_allocate(rows, (size_t)d * sizeof *self->rows, what, error);
    return self->matrix != NULL && self->values != NULL && self->work != NULL && self->rows != NULL
               ? WW_OK
               : WW_FAILED;
}

// Unit vectors of the samples first .. first + count - 1 that count, into self->rows.
static void take_rows(const ww_wanted *wanted, int64_t first, int64_t count, moments *self)
{
    const int64_t d = wanted->dimension;
    for (int64_t i = 0; i < count; i++) {
        const int64_t sample = wanted->chosen[first + i];
        const double *input = ww_wanted_input(wanted, sample);
        for (int64_t j = 0; j < d; j++)
            self->rows[i * d + j] = input[j] / wanted->norms[sample];
    }
}

static void add_moments(const ww_wanted *wanted, moments *self)
{
    const int64_t n = wanted->chosen_count;
    const int d = ww_int(wanted->dimension);
    if (self->of_samples) {
        take_rows(wanted, 0, n, self);
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, self->size, d, 1.0, self->rows, d, 0.0,
                    self->matrix, self->size);
        return;
    }
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t count = n - first < BLOCK ? n - first : BLOCK;
        take_rows(wanted, first, count, self);
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, d, ww_int(count), 1.0, self->rows, d,
                    1.0, self->matrix, d);
    }
}

// Row `to` of the basis, of the eigenvector in row `from`: sqrt(n / lambda) times the unit vector
// q of the samples' space, which is U^T v / sqrt(lambda) where v is one of U U^T.
static void put_direction(const ww_wanted *wanted, const moments *self, int64_t from, int64_t to)
{
    const int64_t d = wanted->dimension;
    const double *vector = self->matrix + from * self->size;
    const double factor = sqrt((double)wanted->chosen_count / self->values[from]);
    double *row = wanted->basis + to * d;
    memset(row, 0, (size_t)d * sizeof *row);
    if (!self->of_samples)
        for (int64_t j = 0; j < d; j++)
            row[j] = factor * vector[j];
    for (int64_t i = 0; self->of_samples && i < self->size; i++)
        for (int64_t j = 0; j < d; j++)
            row[j] += factor / sqrt(self->values[from]) * vector[i] * self->rows[i * d + j];
}

static ww_status take_span(ww_wanted *wanted, moments *self, ww_error *error)
{
    int info = 0;
    add_moments(wanted, self);
    // The upper triangle by rows is the lower one by columns.
    dsyev_("V", "L", &self->size, self->matrix, &self->size, self->values, self->work,
           &self->work_size, &info, 1, 1);
    if (info != 0)
        return ww_fail(error, WW_FAILED,
                       "the space that the samples span was not found: LAPACK's eigenvalues did "
                       "not converge; look for numbers far out of the usual in the data");
    int64_t first = 0;
    while (self->values[first] <= NEGLIGIBLE * self->values[self->size - 1])
        first++;
    wanted->rank = self->size - first;
    wanted->basis =
        ww_allocate((size_t)wanted->rank, (size_t)wanted->dimension * sizeof *wanted->basis,
                    "a basis of the samples", error);
    if (wanted->basis == NULL)
        return WW_FAILED;
    for (int64_t j = 0; j < wanted->rank; j++)
        put_direction(wanted, self, first + j, j);
    return WW_OK;
}

static ww_status find_span(ww_wanted *wanted, ww_error *error)
{
    moments self = {0};
    ww_status status = moments_create(wanted, &self, error);
    if (status == WW_OK)
        status = take_span(wanted, &self, error);
    moments_free(&self);
    return status;
}

ww_status ww_wanted_collect(const ww_config *config, const ww_dataset *data, ww_wanted *wanted,
                            ww_error *error)
{
    const bool both = config->network.start == WW_START_BAD_FIT;
    *wanted = (ww_wanted){.config = config,
                          .data = data,
                          .dimension = data->dimension,
                          .train = data->train.count,
                          .count = data->train.count + (both ? data->test.count : 0)};
    const size_t n = (size_t)wanted->count;
    wanted->norms = ww_allocate(n, sizeof *wanted->norms, "norms of samples to fit", error);
    wanted->chosen = ww_allocate(n, sizeof *wanted->chosen, "a list of samples to fit", error);
    if (wanted->norms == NULL || wanted->chosen == NULL)
        return WW_FAILED;
    WW_TRY(measure_norms(wanted, error));
    WW_TRY(choose(wanted, error));
    return find_span(wanted, error);
}

void ww_wanted_free(ww_wanted *wanted)
{
    free(wanted->norms);
    free(wanted->chosen);
    free(wanted->basis);
    *wanted = (ww_wanted){0};
}
