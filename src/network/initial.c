#include "widthwise/network.h"
#include "widthwise/random.h"

#include <string.h>

static ww_stream stream_of(const ww_config *config, ww_purpose purpose)
{
    return (ww_stream){.seed = (uint64_t)config->seeds.weights, .purpose = purpose};
}

// Values first .. first + count - 1 of output weights, or normals times `deviation`.
static void draw_normals(const ww_config *config, ww_purpose purpose, double deviation,
                         int64_t first, int64_t count, double *out)
{
    ww_normals(stream_of(config, purpose), (uint64_t)first, (size_t)count, out);
    for (int64_t i = 0; i < count; i++)
        out[i] *= deviation;
}

static void draw_signs(const ww_config *config, double size, int64_t first, int64_t count,
                       double *out)
{
    ww_uniforms(stream_of(config, WW_DRAW_OUTPUT_WEIGHTS), (uint64_t)first, (size_t)count, out);
    for (int64_t i = 0; i < count; i++)
        out[i] = out[i] < 0.5 ? size : -size;
}

static void draw_hidden(const ww_config *config, int64_t dimension, int64_t first_unit,
                        int64_t units, double *out)
{
    draw_normals(config, WW_DRAW_HIDDEN_WEIGHTS, ww_config_hidden_std(config),
                 first_unit * dimension, units * dimension, out);
}

static void draw_output(const ww_config *config, int64_t outputs, int64_t first_unit, int64_t units,
                        double *out)
{
    const double size = ww_config_output_std(config);
    if (config->network.output.kind == WW_OUTPUT_SIGNS)
        draw_signs(config, size, first_unit * outputs, units * outputs, out);
    else
        draw_normals(config, WW_DRAW_OUTPUT_WEIGHTS, size, first_unit * outputs, units * outputs,
                     out);
}

typedef void (*draw_units)(const ww_config *config, int64_t columns, int64_t first_unit,
                           int64_t units, double *out);

// Rows of units [units, columns], where an odd unit has `sign` times those of the even one before
// it. These are the draws of the even one: units are keyed by their index as without pairs.
static void draw_pairs(const ww_config *config, draw_units draw, int64_t columns,
                       int64_t first_unit, int64_t units, double sign, double *out)
{
    const size_t row = (size_t)columns;
    for (int64_t i = 0; i < units; i++) {
        const int64_t unit = first_unit + i;
        double *own = out + (size_t)i * row;
        if (unit % 2 != 0 && i > 0)
            memcpy(own, own - row, row * sizeof *own);
        else
            draw(config, columns, unit - unit % 2, 1, own);
        for (size_t j = 0; unit % 2 != 0 && j < row; j++)
            own[j] *= sign;
    }
}

static bool has_pairs(const ww_config *config)
{
    return config->network.hidden.pairs == WW_PAIRS_ANTISYMMETRIC;
}

void ww_initial_hidden_weights(const ww_config *config, int64_t dimension, int64_t first_unit,
                               int64_t units, double *out)
{
    if (has_pairs(config))
        draw_pairs(config, draw_hidden, dimension, first_unit, units, 1.0, out);
    else
        draw_hidden(config, dimension, first_unit, units, out);
}

void ww_initial_output_weights(const ww_config *config, int64_t outputs, int64_t first_unit,
                               int64_t units, double *out)
{
    if (has_pairs(config))
        draw_pairs(config, draw_output, outputs, first_unit, units, -1.0, out);
    else
        draw_output(config, outputs, first_unit, units, out);
}
