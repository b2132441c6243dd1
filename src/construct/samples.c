// The samples that are to be fitted: their signs, those that lie on one line, and what they span.

#include "construct/parts.h"

#include "base/lapack.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 64 };

// Unit vectors nearer to each other are one direction; places on the random direction that are
// further apart are not.
static const double SAME = 1e-12;
// Of unit vectors, what is left of one beside those before it, below which it depends on them.
static const double DEPENDENT = 1e-10;

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

// What LAPACK works on: the first `count` of the samples as unit vectors, columns of [d, count].
typedef struct factored {
    int dimension, count, work_size;
    double *columns;
    double *tau;
    int *pivots;
    double *work;
} factored;

static void factored_free(factored *self)
{
    free(self->columns);
    free(self->tau);
    free(self->pivots);
    free(self->work);
}

// QR with pivots: the diagonal falls, and those that depend on the ones before have nothing left.
static ww_status factor(const ww_wanted *wanted, int64_t count, factored *self, int64_t *rank,
                        ww_error *error)
{
    const int64_t d = wanted->dimension;
    const char *what = "the space that the samples span";
    WW_TRY(ww_to_int(d, "the dimension of the data", &self->dimension, error));
    WW_TRY(ww_to_int(count, "the number of samples to fit", &self->count, error));
    WW_TRY(ww_to_int(64 * (count + 2), "the work on the samples to fit", &self->work_size, error));
    self->columns = ww_allocate((size_t)count, (size_t)d * sizeof *self->columns, what, error);
    self->tau = ww_allocate((size_t)(d < count ? d : count), sizeof *self->tau, what, error);
    self->pivots = ww_allocate((size_t)count, sizeof *self->pivots, what, error);
    self->work = ww_allocate((size_t)self->work_size, sizeof *self->work, what, error);
    if (self->columns == NULL || self->tau == NULL || self->pivots == NULL || self->work == NULL)
        return WW_FAILED;
    for (int64_t i = 0; i < count; i++) {
        const int64_t sample = wanted->chosen[i];
        const double *input = ww_wanted_input(wanted, sample);
        for (int64_t j = 0; j < d; j++)
            self->columns[i * d + j] = input[j] / wanted->norms[sample];
    }
    int info = 0;
    dgeqp3_(&self->dimension, &self->count, self->columns, &self->dimension, self->pivots,
            self->tau, self->work, &self->work_size, &info);
    WW_ASSERT(info == 0);
    const int64_t most = d < count ? d : count;
    *rank = 0;
    while (*rank < most && fabs(self->columns[*rank * d + *rank]) > DEPENDENT)
        ++*rank;
    return WW_OK;
}

static ww_status take_basis(ww_wanted *wanted, factored *self, ww_error *error)
{
    const size_t size = (size_t)(wanted->rank * wanted->dimension);
    const int rank = ww_int(wanted->rank);
    int info = 0;
    wanted->basis = ww_allocate(size, sizeof *wanted->basis, "a basis of the samples", error);
    if (wanted->basis == NULL)
        return WW_FAILED;
    dorgqr_(&self->dimension, &rank, &rank, self->columns, &self->dimension, self->tau, self->work,
            &self->work_size, &info);
    WW_ASSERT(info == 0);
    memcpy(wanted->basis, self->columns, size * sizeof *wanted->basis);
    return WW_OK;
}

// A few times as many samples as dimensions mostly span them all; only where they do not are all
// looked at.
static ww_status find_span(ww_wanted *wanted, ww_error *error)
{
    const int64_t d = wanted->dimension;
    const int64_t all = wanted->chosen_count;
    int64_t count = all / 2 < d ? all : 2 * d;
    ww_status status = WW_OK;
    for (bool is_settled = false; status == WW_OK && !is_settled; count = all) {
        factored self = {0};
        status = factor(wanted, count, &self, &wanted->rank, error);
        is_settled = wanted->rank == d || count == all;
        if (status == WW_OK && is_settled && wanted->rank < d)
            status = take_basis(wanted, &self, error);
        factored_free(&self);
    }
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
