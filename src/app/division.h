/// How ranks are divided among the members of an experiment.
///
/// Members are worked on in stages. In each stage all members get about the same number of ranks;
/// the first stage has the fewest and largest crews. A crew takes members of its stage from a
/// common queue; when that is empty it splits into the smaller crews of the next stage, without
/// waiting for others. So a wide member has all ranks, many small ones are worked on side by side,
/// and nobody waits but at the very end. What a member computes does not depend on any of this.
#ifndef WIDTHWISE_APP_DIVISION_H
#define WIDTHWISE_APP_DIVISION_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Some work of a member that all ranks of its crew share.
typedef struct ww_task_phase {
    double work;   ///< of one rank alone, in any unit that is the same for all
    int64_t grain; ///< equal parts that the work can be divided in: further ranks idle
} ww_task_phase;

/// What the division needs to know of one member: two kinds of work, one after the other, that may
/// be of use to unlike numbers of ranks. What counts is when the member is done: a crew may be
/// larger than its training can use where the Gram matrix then makes up for it. Either may be
/// empty.
typedef struct ww_task {
    ww_task_phase training; ///< by tiles of the network, or by replicas
    ww_task_phase gram;     ///< by blocks of the matrix
    int least_ranks;        ///< below that its memory does not fit, or it cannot be done
    bool fits;              ///< on that many ranks it does
} ww_task;

/// All work of a task. Pure.
double ww_task_work(const ww_task *task);

typedef struct ww_stage {
    int ranks;           ///< of a crew at least
    size_t first, count; ///< its tasks in ww_division.order
} ww_stage;

typedef struct ww_division {
    int ranks;        ///< that are divided
    ww_stage *stages; ///< [stage_count], by falling ranks
    size_t stage_count;
    size_t *order;   ///< [tasks] by stage, in a stage by falling work
    int *first_rank; ///< [tasks] of the crew that is foreseen for the task
    double share;    ///< of the time that ranks are busy, as foreseen
} ww_division;

/// Divides `ranks` ranks among `count` tasks so that all is done soonest, as far as the model of
/// the tasks knows. Pure: the same on all ranks. WW_FAILED: memory is short. Free with
/// ww_division_free.
ww_status ww_division_make(const ww_task *tasks, size_t count, int ranks, ww_division *division,
                           ww_error *error);
void ww_division_free(ww_division *division);

/// Number of crews of at least `crew` ranks that a crew of `ranks` splits into, and the number of
/// the crew that its rank `rank` goes to. Sizes differ by one at most.
int ww_crews_of(int ranks, int crew);
int ww_crew_of_rank(int ranks, int crew, int rank);

#endif
