#include "widthwise/network.h"
#include "widthwise/random.h"

static void draw(const ww_config *config, ww_purpose purpose, double deviation, int64_t first,
                 int64_t count, double *out)
{
    const ww_stream stream = {.seed = (uint64_t)config->seeds.weights, .purpose = purpose};
    ww_normals(stream, (uint64_t)first, (size_t)count, out);
    for (int64_t i = 0; i < count; i++)
        out[i] *= deviation;
}

void ww_initial_hidden_weights(const ww_config *config, int64_t dimension, int64_t first_unit,
                               int64_t units, double *out)
{
    draw(config, WW_DRAW_HIDDEN_WEIGHTS, ww_config_hidden_std(config), first_unit * dimension,
         units * dimension, out);
}

void ww_initial_output_weights(const ww_config *config, int64_t outputs, int64_t first_unit,
                               int64_t units, double *out)
{
    draw(config, WW_DRAW_OUTPUT_WEIGHTS, config->network.output.scale, first_unit * outputs,
         units * outputs, out);
}
