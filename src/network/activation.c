#include "widthwise/network.h"

double ww_negative_slope(const ww_config *config)
{
    return config->network.activation.kind == WW_ACTIVATION_LEAKY_RELU
               ? config->network.activation.slope
               : 0.0;
}

void ww_activate(double slope, double *preactivations, size_t count, uint8_t *active)
{
    for (size_t i = 0; i < count; i++) {
        const double z = preactivations[i];
        const int positive = z >= 0.0;
        active[i] = (uint8_t)positive;
        preactivations[i] = positive ? z : slope * z;
    }
}
