/// Whether what an engine believes is what its weights say.
///
/// Engines that keep no weights (`lazy`, `samples`) know activation patterns and outputs by other
/// ways. An audit makes the weights, computes from them alone what every unit is on every train
/// sample, and compares. A check runs the engine `dense` beside another one, step by step. How far
/// both may differ by rounding is derived in src/train/lazy.md: a pair of a unit and a sample whose
/// pre-activation is nearer to 0 than that is undecided.
#ifndef WIDTHWISE_AUDIT_H
#define WIDTHWISE_AUDIT_H

#include "widthwise/audit_found.h"
#include "widthwise/train.h"

/// "12 pairs compared, 0 mismatches, 0 undecided by rounding; outputs differ by 1e-15 of their
/// scale", into `text` [size]. Pure.
void ww_audit_text(const ww_audit *audit, char *text, size_t size);

/// Compares patterns of all units on all train samples, and outputs, with those that follow from
/// the weights that were looked at last: of `samples` those as they are, of `lazy` those that the
/// last step was made with. Only of an engine that makes its weights (ww_engine_makes_tiles). No
/// number of the run depends on it. WW_FAILED: they do not agree, of which `*audit` tells more; or
/// memory is short. Collective.
ww_status ww_audit_engine(ww_engine *engine, ww_audit *audit, ww_error *error);

/// Additions and multiplications of an audit on this rank. Pure.
double ww_audit_flops(const ww_problem *problem);

/// A second engine, `dense` in double precision, on the same course.
typedef struct ww_check ww_check;

/// Whether there can be one. WW_USAGE: the engine is `dense` itself, of several hidden layers, or
/// trains output weights. Pure.
ww_status ww_check_allowed(const ww_problem *problem, ww_error *error);

/// Puts `dense` into the state that the engine is in. `engine` is borrowed. WW_FAILED: memory is
/// short. Collective. Free with ww_check_free.
ww_status ww_check_create(ww_engine *engine, ww_check **check, ww_error *error);
void ww_check_free(ww_check *check);

/// After every step of the engine: compares patterns of all units on the batch, and its outputs,
/// and makes the step. WW_FAILED as of an audit. Collective.
ww_status ww_check_step(ww_check *check, ww_error *error);

/// What was found so far.
const ww_audit *ww_check_found(const ww_check *check);

#endif
