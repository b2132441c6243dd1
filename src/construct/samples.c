// The samples that are to be fitted: their signs, those that lie on one line, and what they span.

#include "construct/parts.h"

#include "base/lapack.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 64 };

// Unit vectors nearer to each other are one direction; places on the random direction that are
// further apart are not.
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

static double norm_of(const double *input, int64_t dimension)
{
    double largest = 0.0; // squares of what it leaves are in range
    for (int64_t j = 0; j < dimension; j++)
        largest = fmax(largest, fabs(input[j]));
    if (largest == 0.0)
        return 0.0;
    double sum = 0.0;
    for (int64_t j = 0; j < dimension; j++)
        sum += (input[j] / largest) * (input[j] / largest);
    return largest * sqrt(sum);
}

static ww_status measure_norms(ww_wanted *wanted, ww_error *error)
{
    for (int64_t i = 0; i < wanted->count; i++) {
        wanted->norms[i] = norm_of(ww_wanted_input(wanted, i), wanted->dimension);
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

typedef struct placed {
    double place;
    int64_t sample;
} placed;

static int compare(const void *a, const void *b)
{
    const placed *x = a;
    const placed *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

// +1 where two samples have one direction, -1 where they have opposite ones, else 0.
static int on_one_line(const ww_wanted *wanted, int64_t a, int64_t b)
{
    const double *x = ww_wanted_input(wanted, a);
    const double *y = ww_wanted_input(wanted, b);
    double same = 0.0;
    double opposite = 0.0;
    for (int64_t j = 0; j < wanted->dimension; j++) {
        const double u = x[j] / wanted->norms[a];
        const double v = y[j] / wanted->norms[b];
        same += (u - v) * (u - v);
        opposite += (u + v) * (u + v);
    }
    if (sqrt(same) <= SAME)
        return 1;
    return sqrt(opposite) <= SAME ? -1 : 0;
}

static ww_status refuse_pair(const ww_wanted *wanted, int64_t a, int64_t b, int line,
                             ww_error *error)
{
    char first[NAME];
    char second[NAME];
    ww_wanted_name(wanted, a < b ? a : b, first, sizeof first);
    ww_wanted_name(wanted, a < b ? b : a, second, sizeof second);
    const bool mixed = (a < wanted->train) != (b < wanted->train);
    return ww_fail(error, WW_USAGE,
                   "%s and %s lie in %s and have %s, but network.start: %s wants +1 on one and -1 "
                   "on the other, which %s; take one of them out of the data",
                   first, second, line > 0 ? "the same direction" : "opposite directions",
                   mixed ? "the same label" : "different labels",
                   wanted->config->network.start == WW_START_FIT ? "fit" : "bad-fit",
                   line > 0 ? "no network without bias gives"
                            : "the networks that it builds do not give, being even there");
}

// Of the samples on one line with list[i], which begins at that place, keeps the shortest.
static ww_status settle_line(const ww_wanted *wanted, const placed *list, int64_t i, double reach,
                             bool *settled, bool *kept, ww_error *error)
{
    int64_t shortest = list[i].sample;
    settled[i] = true;
    for (int64_t j = i + 1; j < wanted->count && list[j].place - list[i].place <= reach; j++) {
        const int64_t other = list[j].sample;
        const int line = settled[j] ? 0 : on_one_line(wanted, list[i].sample, other);
        if (line == 0)
            continue;
        if (ww_wanted_sign(wanted, list[i].sample) != ww_wanted_sign(wanted, other))
            return refuse_pair(wanted, list[i].sample, other, line, error);
        settled[j] = true;
        if (wanted->norms[other] < wanted->norms[shortest])
            shortest = other;
    }
    kept[shortest] = true;
    return WW_OK;
}

static void place_samples(const ww_wanted *wanted, const double *direction, placed *list)
{
    for (int64_t i = 0; i < wanted->count; i++) {
        const double *input = ww_wanted_input(wanted, i);
        double product = 0.0;
        for (int64_t j = 0; j < wanted->dimension; j++)
            product += input[j] / wanted->norms[i] * direction[j];
        list[i] = (placed){.place = fabs(product), .sample = i};
    }
    qsort(list, (size_t)wanted->count, sizeof *list, compare);
}

// Sorted by the size of their product with one random direction, samples on one line are
// neighbours.
static ww_status choose(ww_wanted *wanted, ww_error *error)
{
    const size_t n = (size_t)wanted->count;
    const size_t d = (size_t)wanted->dimension;
    const char *what = "a search for samples on one line";
    double *direction = ww_allocate(d, sizeof *direction, what, error);
    placed *list = ww_allocate(n, sizeof *list, what, error);
    bool *settled = ww_allocate(n, sizeof *settled, what, error);
    bool *kept = ww_allocate(n, sizeof *kept, what, error);
    ww_status status =
        direction != NULL && list != NULL && settled != NULL && kept != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK) {
        ww_normals(ww_construction_stream(wanted->config, WW_DIRECTIONS), 0, d, direction);
        place_samples(wanted, direction, list);
        const double reach = SAME * (1.0 + norm_of(direction, wanted->dimension));
        for (int64_t i = 0; status == WW_OK && i < wanted->count; i++)
            if (!settled[i])
                status = settle_line(wanted, list, i, reach, settled, kept, error);
        for (int64_t i = 0; status == WW_OK && i < wanted->count; i++)
            if (kept[i])
                wanted->chosen[wanted->chosen_count++] = i;
    }
    free(direction);
    free(list);
    free(settled);
    free(kept);
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
