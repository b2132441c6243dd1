// What the keeper `samples` puts into a checkpoint, and takes from it.

#include "train/keep_samples.h"

#include "train/keeper.h"

#include <string.h>

int64_t ww_keep_samples_kept_columns(const ww_problem *problem)
{
    return 2 * problem->data->train.count;
}

// Patterns of a tile by its P, packed as those of a batch.
static int64_t find_patterns(const ww_keep_samples *self, ww_rows tile)
{
    const int64_t stride = self->sums.pattern_bytes;
    self->methods->see(ww_keep_samples_preactivations(self, tile), tile.units * self->samples,
                       self->tile_active);
    ww_pack_patterns(self->tile_active, tile.units, self->samples, self->tile_patterns, stride);
    return stride;
}

// P, and C or what it is made of, side by side. Offsets are brought up to the patterns of P, by
// which they are known again: the next update would do just that.
void ww_keep_samples_kept_tile(void *state, int64_t step, ww_rows tile, double *values)
{
    ww_keep_samples *self = state;
    const ww_activation_methods *methods = self->methods;
    const int64_t n = self->samples;
    (void)step;
    ww_keep_samples_apply_all(self);
    if (ww_has_pattern_sums(self->problem)) {
        const int64_t stride = find_patterns(self, tile);
        ww_pattern_sums_note(&self->sums, tile, 0, n, self->tile_patterns, stride);
        ww_pattern_sums_offsets(&self->sums, tile, self->turned);
    } else {
        methods->turn(ww_keep_samples_coefficients(self, tile), n, tile.units, self->turned);
    }
    for (int64_t unit = 0; unit < tile.units; unit++) {
        double *both = values + 2 * unit * n;
        methods->widen(ww_place(methods, ww_keep_samples_preactivations(self, tile), unit * n), n,
                       both);
        methods->widen(ww_place(methods, self->turned, unit * n), n, both + n);
    }
}

void ww_keep_samples_put_kept_tile(void *state, ww_rows tile, const double *values)
{
    const ww_keep_samples *self = state;
    const ww_activation_methods *methods = self->methods;
    const int64_t n = self->samples;
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const double *both = values + 2 * unit * n;
        methods->narrow(both, n,
                        ww_place(methods, ww_keep_samples_preactivations(self, tile), unit * n));
        methods->narrow(both + n, n, ww_place(methods, self->turned, unit * n));
    }
    if (ww_has_pattern_sums(self->problem)) {
        const int64_t stride = find_patterns(self, tile);
        ww_pattern_sums_put(&self->sums, tile, self->turned, self->tile_patterns, stride);
    } else {
        methods->turn(self->turned, tile.units, n, ww_keep_samples_coefficients(self, tile));
    }
}

size_t ww_keep_samples_words(const ww_problem *problem)
{
    return ww_has_pattern_sums(problem) ? (size_t)problem->data->train.count : 0;
}

void ww_keep_samples_save_words(const void *state, double *values)
{
    const ww_keep_samples *self = state;
    memcpy(values, self->sums.totals, ww_keep_samples_words(self->problem) * sizeof *values);
}

void ww_keep_samples_load_words(void *state, const double *values)
{
    const ww_keep_samples *self = state;
    memcpy(self->sums.totals, values, ww_keep_samples_words(self->problem) * sizeof *values);
}

void ww_keep_samples_restored(void *state, int64_t step, bool has_kept)
{
    ww_keep_samples *self = state;
    (void)step;
    (void)has_kept; // what is kept is the weights here
    self->moves.count = 0;
    self->is_full = false;
    ww_coming_forget(&self->coming);
}
