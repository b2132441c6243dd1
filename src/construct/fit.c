// Weights that give every sample its label (BR theorem 7, whose proof rests on theorem 8 of Soudry
// & Hoffer 2017), for networks without a bias.
//
// Samples are taken in groups of at most r - 1, with r the dimension of what they span. For a group
// let a != 0 be orthogonal to its samples, and b+, b- with <b+, x> = 1 where y = +1 and 0 where
// y = -1, and the other way round. With z = <a, x>, which is 0 on the group, and a small e > 0 four
// units, two with output weight +v and two with -v, make
//   v S [s(z + e <b+, x>) + s(z - e <b+, x>) - s(z + e <b-, x>) - s(z - e <b-, x>)].
// On the group that is v S e (1 - alpha) y, since s(e) + s(-e) = e (1 - alpha): with
// S = 1 / (v e (1 - alpha)) it is y. Elsewhere, where |z| > e |<b, x>|, both pairs have the one
// sign of z and make 2 s(z): the difference is 0. So for almost all samples the sum over groups is
// y on every one of them, with 2 ceil(n / (r - 1)) units a half. Where the samples are independent
// one group holds them all, and a = 0 will do. Theorem 7 has k >= 2 ceil(n / (2 d - 2)) units a
// half, half as many, for theirs with a bias each.
//
// More groups than that, where there are units for them, lie better: smaller ones leave room to
// choose a, and need smaller b.
//
// It stands or falls with how near to a group's hyperplane the other samples lie: e is half of the
// least |z| / |<b, x>|. So what comes out is looked at, with a bound of all rounding errors, and
// another grouping is drawn where that is not small, and after a few of the fewest groups one of
// more.

#include "construct/parts.h"

#include "base/lapack.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ATTEMPTS = 16, FEWEST_ATTEMPTS = 4, MOST_NORMALS = 8, RIGHT_SIDES = 2, NAME = 64 };

// How far N(x) may be from y, rounding included, for a grouping to be taken.
static const double ACCURACY = 1.0 / 64.0;

int64_t ww_fit_groups(const ww_wanted *wanted)
{
    const int64_t n = wanted->chosen_count;
    if (n <= wanted->rank)
        return 1;
    return (n + wanted->rank - 2) / (wanted->rank - 1);
}

typedef struct fit {
    const ww_wanted *wanted;
    ww_construction *made;
    int64_t count, rank; // samples that count, r
    int64_t least, most; // groups that it takes, samples in the largest of so many
    int64_t groups;      // of the attempt at hand
    double unit_share;   // v (1 - alpha)
    double *points;      // [count, r], samples as unit vectors by the basis
    int64_t *order;      // [count], grouping
    double *factor;      // [r, most] by columns: samples of a group, then its QR
    double *tau;
    double *solved; // [r, RIGHT_SIDES + MOST_NORMALS] by columns: b+, b-, candidates for a
    double *places; // [RIGHT_SIDES + MOST_NORMALS], products with one sample
    double *work;
    int work_size;
    double *row;            // [r]
    double tightest;        // how near to where it must not be a sample lies, at the last attempt
    int64_t blamed;         // that sample, of those that count
    int64_t blamed_company; // samples of the group that it lies too near to
} fit;

static void fit_free(fit *self)
{
    free(self->points);
    free(self->order);
    free(self->factor);
    free(self->tau);
    free(self->solved);
    free(self->places);
    free(self->work);
    free(self->row);
}

static double product(const double *a, const double *b, int64_t count)
{
    double sum = 0.0;
    for (int64_t j = 0; j < count; j++)
        sum += a[j] * b[j];
    return sum;
}

static ww_status fit_create(const ww_wanted *wanted, ww_construction *made, fit *self,
                            ww_error *error)
{
    const ww_config *config = wanted->config;
    *self =
        (fit){.wanted = wanted,
              .made = made,
              .count = wanted->chosen_count,
              .rank = wanted->rank,
              .least = ww_fit_groups(wanted),
              .unit_share = ww_config_output_std(config, 1) * (1.0 - ww_negative_slope(config))};
    self->most = (self->count + self->least - 1) / self->least;
    const size_t n = (size_t)self->count;
    const size_t r = (size_t)self->rank;
    const size_t columns = RIGHT_SIDES + MOST_NORMALS;
    const char *what = "a fit of the samples";
    WW_TRY(ww_to_int(64 * (self->most + (int64_t)columns), "the work of a fit", &self->work_size,
                     error));
    self->points = ww_allocate(n, r * sizeof *self->points, what, error);
    self->order = ww_allocate(n, sizeof *self->order, what, error);
    self->factor = ww_allocate((size_t)self->most, r * sizeof *self->factor, what, error);
    self->tau = ww_allocate((size_t)self->most, sizeof *self->tau, what, error);
    self->solved = ww_allocate(columns, r * sizeof *self->solved, what, error);
    self->places = ww_allocate(columns, sizeof *self->places, what, error);
    self->work = ww_allocate((size_t)self->work_size, sizeof *self->work, what, error);
    self->row = ww_allocate(r, sizeof *self->row, what, error);
    const bool has_room = self->points != NULL && self->order != NULL && self->factor != NULL &&
                          self->tau != NULL && self->solved != NULL && self->places != NULL &&
                          self->work != NULL && self->row != NULL;
    return has_room ? WW_OK : WW_FAILED;
}

static void find_points(fit *self)
{
    const ww_wanted *wanted = self->wanted;
    const int64_t d = wanted->dimension;
    for (int64_t i = 0; i < self->count; i++) {
        const int64_t sample = wanted->chosen[i];
        const double *input = ww_wanted_input(wanted, sample);
        double *point = self->points + i * self->rank;
        for (int64_t j = 0; j < self->rank; j++)
            point[j] = product(wanted->basis + j * d, input, d) / wanted->norms[sample];
    }
}

static double *column(const fit *self, int64_t number)
{
    return self->solved + number * self->rank;
}

// Remembers what lies nearest to where it must not.
static void blame(fit *self, double distance, int64_t sample, int64_t company)
{
    if (distance >= self->tightest)
        return;
    self->tightest = distance;
    self->blamed = sample;
    self->blamed_company = company;
}

// b+ and b-, of least norm, and candidates for a: first as coordinates by Q, then all at once.
// False where the group's samples depend on each other.
static bool solve_group(fit *self, int64_t group, int64_t first, int64_t size, int64_t *candidates)
{
    const ww_wanted *wanted = self->wanted;
    const int r = ww_int(self->rank);
    const int s = ww_int(size);
    const int64_t left = self->rank - size; // dimensions that a can be in
    const int sides = RIGHT_SIDES;
    int info = 0;
    *candidates = left > 1 ? MOST_NORMALS : left;
    const int columns = ww_int(RIGHT_SIDES + *candidates);
    for (int64_t i = 0; i < size; i++)
        memcpy(self->factor + i * self->rank, self->points + self->order[first + i] * self->rank,
               (size_t)self->rank * sizeof *self->factor);
    dgeqrf_(&r, &s, self->factor, &r, self->tau, self->work, &self->work_size, &info);
    WW_ASSERT(info == 0);
    memset(self->solved, 0, (size_t)(columns * self->rank) * sizeof *self->solved);
    for (int64_t i = 0; i < size; i++) {
        const int64_t sample = wanted->chosen[self->order[first + i]];
        column(self, ww_wanted_sign(wanted, sample) > 0.0 ? 0 : 1)[i] = 1.0 / wanted->norms[sample];
    }
    dtrtrs_("U", "T", "N", &s, &sides, self->factor, &r, self->solved, &r, &info, 1, 1, 1);
    for (int64_t i = 0; i < size; i++) {
        const double *point = self->points + self->order[first + i] * self->rank;
        const double left_over = fabs(self->factor[i * self->rank + i]);
        blame(self, left_over / sqrt(product(point, point, self->rank)), self->order[first + i],
              size - 1);
    }
    if (info != 0)
        return false;
    for (int64_t i = 0; i < *candidates; i++) {
        double *a = column(self, RIGHT_SIDES + i) + size;
        const int64_t number =
            ((self->made->attempts * self->count + group) * MOST_NORMALS + i) * self->rank;
        ww_normals(ww_construction_stream(wanted->config, WW_DIRECTIONS), (uint64_t)number,
                   (size_t)left, a);
        const double norm = sqrt(product(a, a, left));
        for (int64_t j = 0; j < left; j++)
            a[j] /= norm;
    }
    dormqr_("L", "N", &r, &columns, &s, self->factor, &r, self->tau, self->solved, &r, self->work,
            &self->work_size, &info, 1, 1);
    WW_ASSERT(info == 0);
    return true;
}

// The candidate for a that leaves the largest e, and that e: half of the least |z| / |<b, x>| of
// samples outside of the group. The sample that sets it is remembered.
static double choose_normal(fit *self, int64_t first, int64_t size, int64_t candidates,
                            int64_t *chosen)
{
    double room[MOST_NORMALS];
    int64_t nearest[MOST_NORMALS] = {0};
    for (int64_t c = 0; c < MOST_NORMALS; c++)
        room[c] = INFINITY;
    for (int64_t i = 0; i < self->count; i++) {
        if (i >= first && i < first + size)
            continue;
        const double *point = self->points + self->order[i] * self->rank;
        for (int64_t c = 0; c < RIGHT_SIDES + candidates; c++)
            self->places[c] = fabs(product(column(self, c), point, self->rank));
        const double reach = fmax(self->places[0], self->places[1]);
        for (int64_t c = 0; c < candidates; c++) {
            const double ratio = self->places[RIGHT_SIDES + c] / reach; // 0 / 0 counts for nothing
            if (ratio < room[c]) {
                room[c] = ratio;
                nearest[c] = self->order[i];
            }
        }
    }
    *chosen = 0;
    for (int64_t c = 1; c < candidates; c++)
        if (room[c] > room[*chosen])
            *chosen = c;
    blame(self, room[*chosen], nearest[*chosen], size);
    return isinf(room[*chosen]) ? 1.0 : 0.5 * room[*chosen];
}

// One row in the coordinates of the data.
static void put_row(const fit *self, double *out)
{
    const ww_wanted *wanted = self->wanted;
    const int64_t d = wanted->dimension;
    memset(out, 0, (size_t)d * sizeof *out);
    for (int64_t j = 0; j < self->rank; j++)
        for (int64_t i = 0; i < d; i++)
            out[i] += self->row[j] * wanted->basis[j * d + i];
}

// Rows S (a + e b) and S (a - e b) of both halves.
static void put_group(fit *self, int64_t group, const double *normal, double size)
{
    for (int half = 0; half < RIGHT_SIDES; half++) {
        double *rows = half == 0 ? self->made->positive : self->made->negative;
        for (int sign = 0; sign < 2; sign++) {
            const double *b = column(self, half);
            WW_ASSERT(b != NULL); // for those who analyse this without running it
            for (int64_t j = 0; j < self->rank; j++)
                self->row[j] =
                    ((normal != NULL ? normal[j] / size : 0.0) + (sign == 0 ? b[j] : -b[j])) /
                    self->unit_share;
            put_row(self, rows + (2 * group + sign) * self->wanted->dimension);
        }
    }
}

// Rows for all groups of the order at hand. False where one cannot be had.
static bool build_rows(fit *self)
{
    self->tightest = INFINITY;
    for (int64_t group = 0; group < self->groups; group++) {
        const int64_t first = group * self->count / self->groups;
        const int64_t size = (group + 1) * self->count / self->groups - first;
        int64_t candidates = 0;
        int64_t chosen = 0;
        if (!solve_group(self, group, first, size, &candidates))
            return false;
        if (self->groups == 1) {
            put_group(self, group, NULL, 1.0);
            continue;
        }
        const double room = choose_normal(self, first, size, candidates, &chosen);
        if (!(room > 0.0))
            return false;
        put_group(self, group, column(self, RIGHT_SIDES + chosen), room);
    }
    return true;
}

// What the rows make of all samples: the largest |N(x) - y| with its bound, of those that count,
// and the least margin after the bound, of all.
static bool look(fit *self, double *least)
{
    const ww_wanted *wanted = self->wanted;
    double worst = 0.0;
    int64_t next = 0; // of those that count
    *least = INFINITY;
    for (int64_t i = 0; i < wanted->count; i++) {
        double bound = 0.0;
        const double sign = ww_wanted_sign(wanted, i);
        const double margin =
            (double)(sign * ww_construction_output(wanted->config, self->made,
                                                   ww_wanted_input(wanted, i), &bound));
        const bool counts = next < self->count && wanted->chosen[next] == i;
        next += counts;
        if (!(margin - bound >= *least))
            *least = margin - bound;
        if (!counts || fabs(margin - 1.0) + bound <= worst)
            continue;
        worst = fabs(margin - 1.0) + bound;
        if (!(worst <= ACCURACY))
            return false;
    }
    return true;
}

// Raises all rows so that no margin is below 1, rounding included: twice the unit of rounding for
// each of the roundings of a row and of a margin.
static void raise_margins(fit *self, double least)
{
    static const double ROUNDINGS = 1.0 + 16.0 * 0x1p-53;
    const int64_t values = self->made->rows * self->made->dimension;
    for (int64_t i = 0; i < values; i++) {
        self->made->positive[i] *= ROUNDINGS / least;
        self->made->negative[i] *= ROUNDINGS / least;
    }
}

static void tell(fit *self)
{
    const ww_wanted *wanted = self->wanted;
    ww_construction *made = self->made;
    made->samples = wanted->count;
    made->deviation = 0.0;
    made->least_margin = INFINITY;
    for (int64_t i = 0; i < wanted->count; i++) {
        double ignored = 0.0;
        const double margin = ww_wanted_sign(wanted, i) *
                              (double)ww_construction_output(wanted->config, made,
                                                             ww_wanted_input(wanted, i), &ignored);
        made->deviation = fmax(made->deviation, fabs(margin - 1.0));
        made->least_margin = fmin(made->least_margin, margin);
    }
}

static ww_status refuse(const fit *self, ww_error *error)
{
    char name[NAME];
    ww_wanted_name(self->wanted, self->wanted->chosen[self->blamed], name, sizeof name);
    return ww_fail(
        error, WW_FAILED,
        "no weights that fit were found in %d groupings of %lld samples: they are not "
        "in general position (%s lies in, or too near to, a plane through 0 with %lld "
        "others); take it out of the data, or give it more room by a larger network.width",
        MOST_ATTEMPTS, (long long)self->count, name, (long long)self->blamed_company);
}

// Groups of an attempt: the fewest at first, then twice as many each time, as far as there are
// units and samples.
static int64_t groups_of(const fit *self, int attempt)
{
    const int64_t room = self->wanted->config->network.width / 4;
    const int64_t most = room < self->count ? room : self->count;
    int64_t groups = self->least;
    for (int i = FEWEST_ATTEMPTS; i <= attempt && groups < most; i++)
        groups = 2 * groups < most ? 2 * groups : most;
    return self->least == 1 ? 1 : groups;
}

static ww_status search(fit *self, ww_error *error)
{
    find_points(self);
    for (int64_t i = 0; i < self->count; i++)
        self->order[i] = i;
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        double least = 0.0;
        self->groups = groups_of(self, attempt);
        if (2 * self->groups != self->made->rows)
            WW_TRY(ww_construction_allocate(2 * self->groups, self->wanted->dimension, self->made,
                                            error));
        if (attempt > 0)
            ww_permutation(
                ww_construction_stream(self->wanted->config, WW_GROUPINGS + (uint32_t)attempt),
                self->count, self->order);
        const bool fits = build_rows(self) && look(self, &least);
        self->made->attempts++;
        if (!fits)
            continue;
        if (self->wanted->config->loss == WW_LOSS_HINGE)
            raise_margins(self, least);
        tell(self);
        return WW_OK;
    }
    return refuse(self, error);
}

ww_status ww_fit_build(const ww_wanted *wanted, ww_construction *made, ww_error *error)
{
    fit self;
    ww_status status = fit_create(wanted, made, &self, error);
    if (status == WW_OK)
        status = search(&self, error);
    fit_free(&self);
    return status;
}
