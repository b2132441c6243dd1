// Samples on one line through 0: sorted by the size of their product with one fixed random
// direction, those are neighbours.

#include "widthwise/data.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"
#include "widthwise/random.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

// Products with the random direction that are further apart than this, and rounding, cannot be of
// one line.
static const double REACH = 1e-12;

typedef struct placed {
    double place; // |<x, direction>| of the unit vector
    double norm;
    const double *input;
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

// +1 where two samples have one direction, -1 where they have opposite ones, else 0. Norms of d
// terms are off by more than equal samples are from each other. What they make the unit vectors x
// and y differ by lies along x, and only what lies across it counts.
static int on_one_line(const placed *a, const placed *b, int64_t dimension, double tolerance)
{
    if (a->norm == 0.0 || b->norm == 0.0)
        return a->norm == b->norm;
    double product = 0.0;
    for (int64_t j = 0; j < dimension; j++)
        product += (a->input[j] / a->norm) * (b->input[j] / b->norm);
    const double sign = product < 0.0 ? -1.0 : 1.0;
    double along = 0.0;
    for (int64_t j = 0; j < dimension; j++) {
        const double unit = a->input[j] / a->norm;
        along += (sign * (b->input[j] / b->norm) - unit) * unit;
    }
    double square = 0.0;
    for (int64_t j = 0; j < dimension; j++) {
        const double unit = a->input[j] / a->norm;
        const double across = sign * (b->input[j] / b->norm) - unit - along * unit;
        square += across * across;
    }
    return sqrt(square) <= tolerance ? (int)sign : 0;
}

static void place_samples(const ww_samples *parts, size_t part_count, int64_t dimension,
                          const double *direction, placed *list)
{
    int64_t sample = 0;
    for (size_t p = 0; p < part_count; p++) {
        for (int64_t s = 0; s < parts[p].count; s++, sample++) {
            const double *input = parts[p].inputs + s * dimension;
            const double norm = ww_norm(input, dimension);
            double product = 0.0;
            for (int64_t j = 0; j < dimension && norm > 0.0; j++)
                product += input[j] / norm * direction[j];
            list[sample] =
                (placed){.place = fabs(product), .norm = norm, .input = input, .sample = sample};
        }
    }
    qsort(list, (size_t)sample, sizeof *list, compare);
}

// Finds those that lie on the line of list[i], the first of it by place. For the time being they
// get its number for a line, and for a direction whether it is the opposite one.
static void settle_line(const placed *list, int64_t count, int64_t i, int64_t dimension,
                        double reach, double tolerance, ww_line *lines)
{
    lines[list[i].sample] = (ww_line){.line = list[i].sample, .direction = 0};
    for (int64_t j = i + 1; j < count && list[j].place - list[i].place <= reach; j++) {
        ww_line *line = &lines[list[j].sample];
        const int sign = line->line < 0 ? on_one_line(&list[i], &list[j], dimension, tolerance) : 0;
        if (sign != 0)
            *line = (ww_line){.line = list[i].sample, .direction = sign < 0};
    }
}

// Names lines and directions by their first samples. `first` [count, 2] is room.
static void name_lines(int64_t count, int64_t *first, ww_line *lines)
{
    for (int64_t i = 0; i < 2 * count; i++)
        first[i] = -1;
    for (int64_t s = 0; s < count; s++) {
        int64_t *of_line = first + 2 * lines[s].line;
        const int64_t side = lines[s].direction;
        if (of_line[side] < 0)
            of_line[side] = s;
        const int64_t other = of_line[1 - side];
        lines[s].direction = of_line[side];
        lines[s].line = other >= 0 && other < of_line[side] ? other : of_line[side];
    }
}

ww_status ww_lines_find(const ww_samples *parts, size_t part_count, int64_t dimension,
                        double tolerance, ww_line *lines, ww_error *error)
{
    static const char what[] = "a search for samples on one line";
    int64_t count = 0;
    for (size_t p = 0; p < part_count; p++)
        count += parts[p].count;
    double *direction = ww_allocate((size_t)dimension, sizeof *direction, what, error);
    placed *list = ww_allocate((size_t)count, sizeof *list, what, error);
    int64_t *first = ww_allocate((size_t)count, 2 * sizeof *first, what, error);
    const bool has_room = direction != NULL && list != NULL && first != NULL;
    if (has_room) {
        ww_normals((ww_stream){.seed = 0, .purpose = WW_DRAW_MEANS}, 0, (size_t)dimension,
                   direction);
        place_samples(parts, part_count, dimension, direction, list);
        const double rounding = 2.0 * (double)dimension * DBL_EPSILON; // of norms and products
        const double reach =
            (fmax(REACH, tolerance) + rounding) * (1.0 + ww_norm(direction, dimension));
        for (int64_t s = 0; s < count; s++)
            lines[s].line = -1;
        for (int64_t i = 0; i < count; i++)
            if (lines[list[i].sample].line < 0)
                settle_line(list, count, i, dimension, reach, tolerance, lines);
        name_lines(count, first, lines);
    }
    free(direction);
    free(list);
    free(first);
    return has_room ? WW_OK : WW_FAILED;
}

static void note(const ww_samples *samples, int64_t sample, int64_t first, ww_coincidence *found)
{
    found->samples++;
    if (found->first < 0 || first < found->first) {
        found->first = first;
        found->second = sample;
    }
    if (samples->labels[sample] != samples->labels[first] &&
        (found->unlike[0] < 0 || first < found->unlike[0])) {
        found->unlike[0] = first;
        found->unlike[1] = sample;
    }
}

ww_status ww_coincidence_find(const ww_samples *samples, int64_t dimension, ww_coincidence *found,
                              ww_error *error)
{
    *found = (ww_coincidence){.first = -1, .second = -1, .unlike = {-1, -1}, .first_zero = -1};
    ww_line *lines = ww_allocate((size_t)samples->count, sizeof *lines,
                                 "a search for samples that coincide", error);
    if (lines == NULL)
        return WW_FAILED;
    const ww_status status = ww_lines_find(samples, 1, dimension, WW_SAME_DIRECTION, lines, error);
    for (int64_t s = 0; status == WW_OK && s < samples->count; s++) {
        if (lines[s].direction != s)
            note(samples, s, lines[s].direction, found);
        if (ww_norm(samples->inputs + s * dimension, dimension) > 0.0)
            continue;
        found->zeros++;
        if (found->first_zero < 0)
            found->first_zero = s;
    }
    free(lines);
    return status;
}
