#include "train/engine.h"

#include "widthwise/memory.h"

#include <stdlib.h>

struct ww_engine {
    const ww_engine_methods *methods;
    void *state;
    int64_t steps;
};

// `auto` is a pure function of the configuration: there is one engine to choose from.
static const ww_engine_methods *choose(const ww_config *config)
{
    switch (config->training.engine) {
    case WW_ENGINE_AUTO:
    case WW_ENGINE_DENSE:
    case WW_ENGINE_WINDOW:
        break;
    }
    return &ww_engine_dense;
}

ww_engine_cost ww_engine_cost_of(const ww_problem *problem)
{
    return choose(problem->config)->cost(problem);
}

ww_status ww_engine_create(const ww_problem *problem, ww_engine **engine, ww_error *error)
{
    *engine = NULL;
    ww_engine *made = ww_allocate(1, sizeof *made, "the engine", error);
    ww_status status = made != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK) {
        made->methods = choose(problem->config);
        status = made->methods->create(problem, &made->state, error);
    }
    status = ww_agree(problem->parallel, status, error);
    if (status == WW_OK)
        *engine = made;
    else
        ww_engine_free(made);
    return status;
}

void ww_engine_free(ww_engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->state != NULL)
        engine->methods->destroy(engine->state);
    free(engine);
}

ww_status ww_engine_step(ww_engine *engine, int64_t request, int64_t *requests, double *batch_loss,
                         ww_error *error)
{
    const ww_status status =
        engine->methods->step(engine->state, engine->steps, request, requests, batch_loss, error);
    if (status == WW_OK)
        engine->steps++;
    else if (status == WW_DIVERGED)
        ww_error_prefix(error, "training diverged at step %lld: ", (long long)engine->steps);
    return status;
}

int64_t ww_engine_steps(const ww_engine *engine)
{
    return engine->steps;
}

const double *ww_engine_tile(void *engine, int64_t tile)
{
    const ww_engine *self = engine;
    return self->methods->tile(self->state, tile);
}

const double *ww_engine_output_weights(const ww_engine *engine)
{
    return engine->methods->output_weights(engine->state);
}

void ww_engine_storage(ww_engine *engine, double **hidden_weights, double **output_weights)
{
    engine->methods->storage(engine->state, hidden_weights, output_weights);
}

void ww_engine_restored(ww_engine *engine, int64_t step)
{
    engine->methods->restored(engine->state);
    engine->steps = step;
}
