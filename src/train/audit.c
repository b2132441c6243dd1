#include "widthwise/audit.h"

#include "train/comparison.h"
#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>

void ww_audit_text(const ww_audit *audit, char *text, size_t size)
{
    (void)snprintf(text, size,
                   "%lld pairs compared, %lld mismatch%s, %lld undecided by rounding; outputs "
                   "differ by %.2g of their scale",
                   (long long)audit->pairs, (long long)audit->mismatches,
                   audit->mismatches == 1 ? "" : "es", (long long)audit->undecided,
                   audit->difference);
}

double ww_audit_flops(const ww_problem *problem)
{
    // The weights by their coefficients, and the products; where the former are weights already,
    // there is nothing to do.
    return ww_engine_makes_tiles(problem)
               ? 4.0 * (double)problem->tiling.local_units * (double)problem->data->train.count *
                     (double)problem->dimension
               : 0.0;
}

typedef struct auditor {
    ww_engine *engine;
    ww_comparison comparison;
    int64_t *indices; // [B], samples that are looked at at once
} auditor;

static const double *seen_tile(void *context, int worker, int64_t tile)
{
    const auditor *self = context;
    return self->comparison.methods->seen_tile(self->comparison.state, worker, tile);
}

// Looks at all train samples, as many at once as a step does: where the last are fewer, the last of
// them again.
static ww_status look(auditor *self, int64_t *seen, ww_error *error)
{
    ww_comparison *comparison = &self->comparison;
    const int64_t n = comparison->count, batch = comparison->group;
    for (int64_t first = 0; first < n; first += batch) {
        const int64_t count = n - first < batch ? n - first : batch;
        for (int64_t i = 0; i < batch; i++)
            self->indices[i] = first + (i < count ? i : count - 1);
        WW_TRY(comparison->methods->look(comparison->state, ww_engine_steps(self->engine),
                                         self->indices, seen, error));
        ww_comparison_take(comparison, first / batch, count);
    }
    return WW_OK;
}

static ww_status make(auditor *self, ww_error *error)
{
    const ww_problem *problem = ww_engine_problem(self->engine);
    WW_TRY(
        ww_comparison_create(self->engine, problem->data->train.count, &self->comparison, error));
    self->indices = ww_allocate((size_t)problem->batch, sizeof *self->indices,
                                "the samples of an audit", error);
    return self->indices != NULL ? WW_OK : WW_FAILED;
}

ww_status ww_audit_engine(ww_engine *engine, ww_audit *audit, ww_error *error)
{
    const ww_problem *problem = ww_engine_problem(engine);
    auditor self = {.engine = engine};
    int64_t seen = 0;
    *audit = (ww_audit){.verdict = WW_AUDIT_NONE};
    WW_ASSERT(ww_engine_methods_of(engine)->look != NULL);
    ww_status status = ww_agree(problem->parallel, make(&self, error), error);
    if (status == WW_OK)
        status = look(&self, &seen, error);
    if (status == WW_OK) {
        const ww_compared by = {.name = "the weights",
                                .tile = seen_tile,
                                .context = &self,
                                .samples = &problem->data->train,
                                .steps = seen};
        audit->first_step = seen;
        ww_engine_settle(engine);
        status = ww_comparison_make(&self.comparison, &by, audit, error);
    }
    ww_comparison_free(&self.comparison);
    free(self.indices);
    return status;
}
