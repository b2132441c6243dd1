// For an audit (audit.h): outputs and patterns are those that the last step found, with the weights
// that it was made with, before its own update.

#include "train/lazy.h"

#include "widthwise/memory.h"

#include <math.h>
#include <string.h>

void ww_lazy_see_batch(ww_lazy *self)
{
    ww_lazy_choose(self->outputs, self->indices, self->problem->batch, self->pairs.outputs,
                   self->seen);
}

const double *ww_lazy_seen_outputs(void *state)
{
    const ww_lazy *self = state;
    return self->seen;
}

void ww_lazy_seen_patterns(void *state, uint8_t *bits, int64_t stride)
{
    const ww_lazy *self = state;
    const int64_t batch = self->problem->batch;
    for (int64_t unit = 0; unit < self->problem->tiling.local_units; unit++) {
        uint8_t *row = bits + unit * stride;
        if (ww_lazy_is_full_batch(self->problem)) { // all samples, in their order
            memcpy(row, ww_lazy_patterns(&self->pairs, unit), (size_t)stride);
            continue;
        }
        memset(row, 0, (size_t)stride);
        for (int64_t i = 0; i < batch; i++)
            row[i / 8] |=
                (uint8_t)(ww_lazy_is_active(&self->pairs, unit, self->indices[i]) << i % 8);
    }
}

// Full steps add to P or W, as `samples` and `dense` do. Where output weights are weighed the
// quantum of N comes to what steps round outputs by: m 2^-62 of a step at most, beside (2 n + d +
// 32) 2^-53.
ww_rounding ww_lazy_rounding(const void *state, int64_t steps)
{
    const ww_lazy *self = state;
    const ww_problem *problem = self->problem;
    const bool is_weighed = self->pairs.is_weighed;
    const double n = (double)self->samples, d = (double)problem->dimension;
    const double added = (double)self->full.steps, width = (double)problem->tiling.width;
    const double quantum = is_weighed ? ldexp(width, -9) / (2.0 * n + d + 32.0) : 0.0;
    const double outputs = is_weighed ? 2.0 * (double)self->pairs.outputs : 0.0; // sums over them
    return (ww_rounding){.pairs = 4.0 * added * (2.0 * n + d + 12.0 + outputs) + 2.0 * n + 3.0 * d +
                                  32.0 + outputs,
                         .carried = (double)steps * (1.0 + quantum)};
}

ww_status ww_lazy_look(void *state, int64_t step_number, const int64_t *indices, int64_t *seen,
                       ww_error *error)
{
    ww_lazy *self = state;
    *seen = self->has_outputs ? step_number - 1 : step_number;
    if (!self->has_outputs)
        WW_TRY(ww_lazy_find_first_outputs(self, 0, NULL, error));
    memcpy(self->indices, indices, (size_t)self->problem->batch * sizeof *indices);
    ww_lazy_see_batch(self);
    return WW_OK;
}

// R of the weights that were looked at.
static const double *seen_totals(const ww_lazy *self)
{
    return self->has_outputs ? self->before : self->pairs.totals;
}

const double *ww_lazy_seen_tile(void *state, int worker, int64_t tile)
{
    const ww_lazy *self = state;
    return ww_lazy_make_tile(self, seen_totals(self), worker, tile);
}

void ww_lazy_find_reach(void *state, int64_t tile, const double *lengths, double *reach)
{
    const ww_lazy *self = state;
    ww_lazy_reach(&self->pairs, seen_totals(self), ww_lazy_rows_of(self, tile), lengths, reach);
}
