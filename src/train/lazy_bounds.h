/// How far pairs may be from the course of a window, by sample: the parts of lazy_course.h. Each
/// rank finds the bounds of the samples whose rows of K it has, and all have them then.
#ifndef WIDTHWISE_TRAIN_LAZY_BOUNDS_H
#define WIDTHWISE_TRAIN_LAZY_BOUNDS_H

#include "train/lazy_course.h"

/// Nanoseconds: to look at a pair, to bring rows up to a pattern. Pure.
double ww_lazy_looking(const ww_lazy_pairs *pairs);
double ww_lazy_folding(int64_t samples);

/// Norms of f~ in a window of that length, and what a pattern that changes may do to other pairs of
/// its unit.
void ww_lazy_find_shares(ww_lazy_course *course, int64_t length);

/// How far pairs may be off the chord: by samples, from one side and the other; and `*sum` of all.
/// Collective.
ww_status ww_lazy_find_limits(ww_lazy_course *course, int64_t length, double *sum, ww_error *error);

/// How far pairs may be led away from step to step, added up. Collective.
ww_status ww_lazy_find_paths(ww_lazy_course *course, ww_error *error);

/// P will have moved along the chord once more: it may be as much larger, and is rounded again.
/// Collective.
ww_status ww_lazy_wear(ww_lazy_course *course, ww_error *error);

#endif
