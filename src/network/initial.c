#include "widthwise/network.h"
#include "widthwise/random.h"

#include <math.h>
#include <string.h>

static ww_stream stream_of(const ww_config *config, ww_purpose purpose)
{
    return (ww_stream){.seed = (uint64_t)config->seeds.weights, .purpose = purpose};
}

// Values first .. first + count - 1 of output weights, or normals times `deviation`.
static void draw_normals(const ww_config *config, ww_purpose purpose, double deviation,
                         int64_t first, int64_t count, double *out)
{
    ww_scaled_normals(stream_of(config, purpose), (uint64_t)first, (size_t)count, deviation, out);
}

static void draw_signs(const ww_config *config, double size, int64_t first, int64_t count,
                       double *out)
{
    ww_uniforms(stream_of(config, WW_DRAW_OUTPUT_WEIGHTS), (uint64_t)first, (size_t)count, out);
    for (int64_t i = 0; i < count; i++)
        out[i] = out[i] < 0.5 ? size : -size;
}

// Rows uniform in the ball of `radius`: the first d coordinates of points that are uniform on the
// sphere in d + 2 dimensions, which takes no function of a library.
static void draw_ball(const ww_config *config, double radius, int64_t dimension, int64_t first_unit,
                      int64_t units, double *out)
{
    draw_normals(config, WW_DRAW_HIDDEN_WEIGHTS, 1.0, first_unit * dimension, units * dimension,
                 out);
    for (int64_t unit = 0; unit < units; unit++) {
        double *row = out + unit * dimension;
        double further[2] = {0.0};
        draw_normals(config, WW_DRAW_ROW_NORMS, 1.0, 2 * (first_unit + unit), 2, further);
        double square = further[0] * further[0] + further[1] * further[1];
        for (int64_t j = 0; j < dimension; j++)
            square += row[j] * row[j];
        const double factor = radius / sqrt(square);
        for (int64_t j = 0; j < dimension; j++)
            row[j] *= factor;
    }
}

static void draw_cube(const ww_config *config, double largest, int64_t first, int64_t count,
                      double *out)
{
    ww_uniforms(stream_of(config, WW_DRAW_HIDDEN_WEIGHTS), (uint64_t)first, (size_t)count, out);
    for (int64_t i = 0; i < count; i++)
        out[i] = largest * (2.0 * out[i] - 1.0);
}

static bool is_in_first_half(const ww_config *config, int64_t unit)
{
    return unit < config->network.width / 2;
}

static void fill_opposed(const ww_config *config, double radius, int64_t dimension,
                         int64_t first_unit, int64_t units, double *out)
{
    const double weight = radius / sqrt((double)dimension);
    for (int64_t i = 0; i < units * dimension; i++)
        out[i] = is_in_first_half(config, first_unit + i / dimension) ? -weight : weight;
}

static void draw_hidden(const ww_config *config, int64_t dimension, int64_t first_unit,
                        int64_t units, double *out)
{
    const double radius = ww_config_hidden_radius(config);
    switch (config->network.hidden.kind) {
    case WW_HIDDEN_GAUSSIAN:
        draw_normals(config, WW_DRAW_HIDDEN_WEIGHTS, ww_config_hidden_std(config),
                     first_unit * dimension, units * dimension, out);
        break;
    case WW_HIDDEN_BALL:
        draw_ball(config, radius, dimension, first_unit, units, out);
        break;
    case WW_HIDDEN_CUBE:
        draw_cube(config, radius, first_unit * dimension, units * dimension, out);
        break;
    case WW_HIDDEN_OPPOSED:
        fill_opposed(config, radius, dimension, first_unit, units, out);
        break;
    }
}

static void draw_output(const ww_config *config, int64_t outputs, int64_t first_unit, int64_t units,
                        double *out)
{
    const double size = ww_config_output_std(config, outputs);
    switch (config->network.output.kind) {
    case WW_OUTPUT_GAUSSIAN:
        draw_normals(config, WW_DRAW_OUTPUT_WEIGHTS, size, first_unit * outputs, units * outputs,
                     out);
        break;
    case WW_OUTPUT_SIGNS:
        draw_signs(config, size, first_unit * outputs, units * outputs, out);
        break;
    case WW_OUTPUT_HALVES:
        for (int64_t i = 0; i < units * outputs; i++)
            out[i] = is_in_first_half(config, first_unit + i / outputs) ? size : -size;
        break;
    }
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

// Weights as the precision of training has them: what is compared with W(0) later began there.
static void round_weights(const ww_config *config, int64_t count, double *weights)
{
    if (config->precision == WW_PRECISION_DOUBLE)
        return;
    for (int64_t i = 0; i < count; i++)
        weights[i] = (double)(float)weights[i];
}

void ww_drawn_hidden_weights(const ww_config *config, int64_t dimension, int64_t first_unit,
                             int64_t units, double *out)
{
    if (has_pairs(config))
        draw_pairs(config, draw_hidden, dimension, first_unit, units, 1.0, out);
    else
        draw_hidden(config, dimension, first_unit, units, out);
    round_weights(config, units * dimension, out);
}

void ww_drawn_layer_weights(const ww_config *config, int64_t layer, int64_t columns,
                            int64_t first_unit, int64_t units, double *out)
{
    if (layer == 1) {
        ww_drawn_hidden_weights(config, columns, first_unit, units, out);
        return;
    }
    WW_ASSERT(config->network.hidden.kind == WW_HIDDEN_GAUSSIAN && !has_pairs(config));
    ww_stream stream = stream_of(config, WW_DRAW_HIDDEN_WEIGHTS);
    stream.substream = (uint32_t)(layer - 1);
    ww_scaled_normals(stream, (uint64_t)(first_unit * columns), (size_t)(units * columns),
                      ww_config_hidden_std(config), out);
    round_weights(config, units * columns, out);
}

void ww_drawn_output_weights(const ww_config *config, int64_t outputs, int64_t first_unit,
                             int64_t units, double *out)
{
    if (has_pairs(config))
        draw_pairs(config, draw_output, outputs, first_unit, units, -1.0, out);
    else
        draw_output(config, outputs, first_unit, units, out);
    round_weights(config, units * outputs, out);
}

void ww_initial_hidden_weights(const ww_initial *initial, int64_t first_unit, int64_t units,
                               double *out)
{
    const int64_t d = initial->dimension;
    if (initial->hidden == NULL) {
        ww_drawn_hidden_weights(initial->config, d, first_unit, units, out);
        return;
    }
    memcpy(out, initial->hidden + (first_unit - initial->first_unit) * d,
           (size_t)(units * d) * sizeof *out);
    round_weights(initial->config, units * d, out);
}

void ww_initial_output_weights(const ww_initial *initial, int64_t first_unit, int64_t units,
                               double *out)
{
    const int64_t k = initial->outputs;
    if (initial->output == NULL) {
        ww_drawn_output_weights(initial->config, k, first_unit, units, out);
        return;
    }
    memcpy(out, initial->output + (first_unit - initial->first_unit) * k,
           (size_t)(units * k) * sizeof *out);
    round_weights(initial->config, units * k, out);
}

void ww_initial_layer_weights(const ww_initial *initial, int64_t layer, int64_t columns,
                              int64_t first_unit, int64_t units, double *out)
{
    if (layer == 1)
        ww_initial_hidden_weights(initial, first_unit, units, out);
    else
        ww_drawn_layer_weights(initial->config, layer, columns, first_unit, units, out);
}
