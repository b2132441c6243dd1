#include "app/sparkline.h"

#include "widthwise/store_look.h"

#include <math.h>

ww_scale ww_scale_of(const double *values, size_t count, bool logarithmic)
{
    ww_scale scale = {.low = INFINITY, .high = -INFINITY, .logarithmic = logarithmic};
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]) || (logarithmic && values[i] <= 0.0))
            continue;
        scale.low = fmin(scale.low, values[i]);
        scale.high = fmax(scale.high, values[i]);
    }
    return scale;
}

static double height(const ww_scale *scale, double value)
{
    return scale->logarithmic ? log(value) : value;
}

int ww_scale_level(const ww_scale *scale, double value)
{
    if (isnan(value))
        return -1;
    if (!(scale->high >= scale->low)) // a curve without any value that could be drawn
        return value > 0.0 ? WW_SPARKLINE_LEVELS - 1 : 0;
    if (scale->logarithmic && value <= 0.0)
        return 0;
    const double low = height(scale, scale->low);
    const double high = height(scale, scale->high);
    const double at = height(scale, value);
    if (!(high > low) && at == low)
        return WW_SPARKLINE_LEVELS / 2;
    if (at >= high)
        return WW_SPARKLINE_LEVELS - 1;
    if (!(at > low))
        return 0;
    return (int)fmin((at - low) / (high - low) * WW_SPARKLINE_LEVELS, WW_SPARKLINE_LEVELS - 1);
}

void ww_sparkline_print(FILE *stream, const double *values, size_t count, size_t cells,
                        const ww_scale *scale, bool unicode)
{
    static const char *const blocks[WW_SPARKLINE_LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[WW_SPARKLINE_LEVELS] = {".", ":", "-", "=",
                                                             "+", "*", "#", "@"};
    const size_t shown = count < cells ? count : cells;
    for (size_t cell = 0; cell < cells; cell++) {
        int level = -1;
        if (cell < shown)
            level = ww_scale_level(
                scale, values[ww_spread((int64_t)cell, (int64_t)shown, (int64_t)count)]);
        fputs(level < 0 ? " " : unicode ? blocks[level] : letters[level], stream);
    }
}

void ww_bar_print(FILE *stream, double fraction, size_t cells, bool unicode)
{
    static const char *const parts[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    enum { PARTS = sizeof parts / sizeof parts[0] };
    const double within = fraction > 0.0 ? fmin(fraction, 1.0) : 0.0; // also of no number
    const size_t filled = (size_t)(within * (double)(cells * PARTS));
    for (size_t cell = 0; cell < cells; cell++) {
        if (filled >= (cell + 1) * PARTS)
            fputs(unicode ? "█" : "#", stream);
        else if (unicode && filled > cell * PARTS)
            fputs(parts[filled % PARTS], stream);
        else
            fputs(unicode ? " " : ".", stream);
    }
}
