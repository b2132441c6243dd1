// Quantities of how far the hidden weights, those of all layers together, have moved from where
// they began.

#include "measure/quantities.h"

#include <math.h>

static double distance(const ww_survey *survey, double *carry)
{
    (void)carry;
    return sqrt(survey->movement_squared / survey->initial_squared);
}

static double distance_absolute(const ww_survey *survey, double *carry)
{
    (void)carry;
    return sqrt(survey->movement_squared);
}

static double row_movement(const ww_survey *survey, double *carry)
{
    (void)carry;
    return survey->row_movement;
}

const ww_quantity ww_quantities_movement[] = {
    {WW_SCALAR_FIELD("distance", "1", "LL section 7, figure 1c",
                     "Distance of the hidden weights from their start, relative to its norm."),
     "||W(t) - W(0)||_F / ||W(0)||_F", WW_NEED_MOVEMENT, WW_RISES, .value = distance},
    {WW_SCALAR_FIELD("distance_absolute", "1", "LL section 7",
                     "Distance of the hidden weights from their start."),
     "||W(t) - W(0)||_F", WW_NEED_MOVEMENT, WW_RISES, .value = distance_absolute},
    {WW_SCALAR_FIELD("row_movement", "1", "LL proof of lemma A.1; AR lemma 5.3; ZG notation",
                     "Largest distance of one unit's weights from their start."),
     "max_r ||w_r(t) - w_r(0)||", WW_NEED_MOVEMENT, WW_RISES, .value = row_movement},
    {.formula = NULL},
};
