/// What a watch knows of a file: how far each run is, how fast, and whether anybody writes.
///
/// Everything is read as `show` reads it, without a lock, but nothing is put back where a change of
/// the file's structure is under way or was cut short: that is for the job that comes next.
#ifndef WIDTHWISE_APP_WATCHED_H
#define WIDTHWISE_APP_WATCHED_H

#include "app/pace.h"
#include "widthwise/store.h"
#include "widthwise/store_look.h"

/// Curves of a run that are shown, where it records them.
enum {
    WW_WATCHED_LOSS,
    WW_WATCHED_TRAIN_ACCURACY,
    WW_WATCHED_TEST_ACCURACY,
    WW_WATCHED_CURVES,
    WW_WATCHED_RECORDS = 128 ///< most values of a curve
};

/// What curve number `curve` is called.
const char *ww_watched_curve_name(int curve);

typedef struct ww_watched_run {
    int64_t index, generation;
    ww_run_state state;
    bool trained;      ///< what is left are results
    bool has_replicas; ///< of which so many are done, instead of steps
    int64_t done, all; ///< steps
    double work;       ///< of all of them, to weigh runs with
    ww_pace pace;      ///< of steps
    char *label, *reason, *config_text;
    size_t records; ///< of each curve
    double *curves; ///< [WW_WATCHED_CURVES, WW_WATCHED_RECORDS]; NULL: not read
} ww_watched_run;

/// Why there is nothing new.
typedef enum ww_watched_trouble {
    WW_WATCHED_WELL,
    WW_WATCHED_ABSENT,    ///< there is no such file
    WW_WATCHED_UNREADABLE ///< it is being changed, or is damaged: `sentence` says which
} ww_watched_trouble;

/// Starts as zeroes but for `path`.
typedef struct ww_watched {
    const char *path;
    ww_watched_run *runs; ///< [count], as last read
    size_t count;
    int64_t attempts;
    ww_provenance newest;
    int64_t states[WW_RUN_STATES]; ///< number of runs in each
    int64_t mark[2];               ///< of the file that was read
    ww_pace pace;                  ///< of the fraction of all work that is done
    ww_watched_trouble trouble;
    double since; ///< time of the last look that found all well, or of the first
    bool lasts;   ///< the trouble is old enough to be told, where there is a picture from before
    ww_error sentence;
    bool changed; ///< the last look found anything new
    ww_writer writer;
    double free_since; ///< time since which nobody was seen to write, and nothing moved
    bool quiet;        ///< that is long enough: no job is just about to begin
    bool unattended;   ///< and it is known that nobody writes
} ww_watched;

/// Looks at the file. `writer` was found before: what a job that ends in between has written is
/// then seen as a change. A failure is one that waiting does not cure: not a file of this program,
/// or damaged while nobody writes. Serial. Not collective.
ww_status ww_watched_look(ww_watched *watched, ww_writer writer, ww_error *error);
void ww_watched_free(ww_watched *watched);

/// Whether runs are there, and none is running or has still to begin.
bool ww_watched_has_ended(const ww_watched *watched);

/// Whether they have ended and no job is at them: none writes and, where a run can be gone on with,
/// none is just about to.
bool ww_watched_is_over(const ww_watched *watched);

/// Whether a run is to be shown with its curves: it runs, or there are few and it has begun.
bool ww_watched_shows(const ww_watched *watched, const ww_watched_run *run);

/// Fraction of a run's steps that is made.
double ww_watched_fraction(const ww_watched_run *run);

/// Fraction of all work that is done: a run that diverged or that a stop rule ended has no more,
/// and the work of one that failed counts not at all.
double ww_watched_all_fraction(const ww_watched *watched);

#endif
