/// What is kept of the network at t = 0, and how the parts of a survey read it.
#ifndef WIDTHWISE_MEASURE_ORIGIN_H
#define WIDTHWISE_MEASURE_ORIGIN_H

#include "widthwise/measure.h"

/// Sets of samples with patterns.
enum { WW_ORIGIN_TRAIN, WW_ORIGIN_TEST, WW_ORIGIN_SETS };

/// The origin for what quantities need (WW_NEED_*, survey.h). As ww_origin_create otherwise.
ww_status ww_origin_create_for(const ww_problem *problem, ww_engine *engine, unsigned needs,
                               ww_origin **origin, ww_error *error);

/// Bytes that it keeps on this rank, and that making it takes beside them for a while. Pure.
void ww_origin_cost(const ww_problem *problem, unsigned needs, int64_t *kept, int64_t *passing);

/// Of `samples` samples from `start` on (a block) of a set, those on which unit `unit` (of this
/// rank) of hidden layer `layer`, whose patterns [samples] are given, was on the other side at
/// t = 0. Pure.
int64_t ww_origin_changes(const ww_origin *origin, int set, int64_t layer, int64_t unit,
                          int64_t start, int64_t samples, const uint8_t *patterns);

/// Whether patterns of that set are kept (WW_ORIGIN_SETS: a set of which none ever are). `origin`
/// may be NULL. Pure.
bool ww_origin_has_patterns(const ww_origin *origin, int set);
/// Whether an origin made for these needs keeps them. Pure.
bool ww_origin_keeps_patterns(const ww_problem *problem, unsigned needs, int set);
/// Those patterns of a unit on a block, as above, as bytes of 0 and 1. Pure.
void ww_origin_patterns(const ww_origin *origin, int set, int64_t layer, int64_t unit,
                        int64_t start, int64_t samples, uint8_t *patterns);

/// Keeps the patterns of a unit on a block, given as above, of one hidden layer: the first survey
/// does, or where it comes after t = 0 ww_origin_draw_patterns. The origin has room for them.
void ww_origin_keep(const ww_origin *origin, int set, int64_t unit, int64_t start, int64_t samples,
                    const uint8_t *patterns);
/// Makes all patterns of a set that are to be kept from weights that are drawn again, in the room
/// of surveys: one hidden layer. Not collective.
void ww_origin_draw_patterns(const ww_origin *origin, int set);

/// The room for surveys of one hidden layer, which works in it although the origin stays as it is;
/// NULL with several layers, or without an origin. Pure.
struct ww_gathering *ww_origin_room(const ww_origin *origin);

/// W_l(0) of one tile (global index, of this rank), [tile units, columns]: from the copy, or drawn
/// again, into `room` of that size, if need be. `origin` may be NULL. Not collective.
const double *ww_origin_tile(const ww_origin *origin, const ww_problem *problem, int64_t layer,
                             int64_t tile, double *room);

/// phi: smallest distance between two train samples; NaN of one sample, and where nothing asked for
/// it. Pure.
double ww_origin_nearest(const ww_origin *origin);

#endif
