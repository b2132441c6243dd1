/// Weights that a run begins with where they are not drawn (network.start): built from its data, or
/// out of a file. They are held for as long as the run goes on, since everything that is measured
/// against t = 0 needs them.
#ifndef WIDTHWISE_APP_START_H
#define WIDTHWISE_APP_START_H

#include "widthwise/construct.h"
#include "widthwise/train.h"

/// Starts as zeroes: drawn.
typedef struct ww_app_start {
    double *hidden;        ///< [local units, d]
    double *output;        ///< [local units, k]; NULL: drawn
    ww_construction built; ///< what is known of what was built, without its rows
} ww_app_start;

/// Makes them for run `index` of the file `path`. Those of another run are read from its file when
/// the run begins, and from then on from what the run itself has recorded. Collective. Free with
/// ww_app_start_free, also after a failure.
ww_status ww_app_start_make(const char *path, int64_t index, const ww_problem *problem,
                            ww_app_start *start, ww_error *error);
void ww_app_start_free(ww_app_start *start);

/// Gives them to the problem, for as long as they are there.
void ww_app_start_give(const ww_app_start *start, ww_problem *problem);

/// One line on what was built, into `text` [size]; "" where nothing was.
void ww_app_start_describe(const ww_app_start *start, const ww_problem *problem, char *text,
                           size_t size);

/// Before a file is made: what can be found wrong with a start without building it. `path` is that
/// of the new file; `data` may be NULL where the data set is not at hand. Collective.
ww_status ww_app_start_check(const char *path, const ww_config *config, const ww_dataset *shape,
                             const ww_dataset *data, const ww_parallel *parallel, ww_error *error);

/// Bytes that are held on this rank, and most while weights are built. Pure.
int64_t ww_app_start_bytes(const ww_problem *problem);
int64_t ww_app_start_work_bytes(const ww_problem *problem);

#endif
