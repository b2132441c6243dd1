/// The part of a survey that looks through the network of the engine `layers`: all of it where
/// there are several hidden layers, and what no other engine can tell where there is one.
#ifndef WIDTHWISE_MEASURE_SURVEY_LAYERS_H
#define WIDTHWISE_MEASURE_SURVEY_LAYERS_H

#include "measure/survey.h"

/// Adds what `needs` asks for to `survey`, whose arrays of outputs are made unless there is one
/// hidden layer. Collective.
ww_status ww_survey_layers(const ww_problem *problem, const ww_origin *origin, ww_engine *engine,
                           ww_batches *batches, unsigned needs, ww_survey *survey, ww_error *error);

/// Bytes that it allocates at most, the outputs included, and additions and multiplications of its
/// matrix products, both on this rank. Pure.
void ww_survey_layers_cost(const ww_problem *problem, unsigned needs, int64_t *bytes,
                           double *flops);

#endif
