/// `widthwise plan --tune`: how long steps take by each engine, measured on the ranks and threads
/// at hand. It suggests and changes nothing: `auto` stays a pure function of the configuration.
/// Private to src/app.
#ifndef WIDTHWISE_APP_TUNE_H
#define WIDTHWISE_APP_TUNE_H

#include "app/miniature.h"
#include "app/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Seconds that measuring may take where nobody says.
#define WW_TUNE_SECONDS 30.0

enum { WW_TUNE_WAYS = 6, WW_TUNE_LEAST_ROUNDS = 5, WW_TUNE_ROUNDS = 40, WW_TUNE_LACK = 160 };

/// A way to make the steps of a member: an engine in a precision.
typedef struct ww_tune_way {
    ww_config config;        ///< that of the member, with this engine and precision
    bool is_auto;            ///< what `auto` stands for in this precision
    bool is_chosen;          ///< what a run would take
    int64_t memory;          ///< of a run: most bytes of a rank, without program and libraries
    char lack[WW_TUNE_LACK]; ///< why it is not measured; "": it is
    ww_miniature run;
    // Of each round, that of the slowest rank; [rounds].
    double step[WW_TUNE_ROUNDS], record[WW_TUNE_ROUNDS], processor[WW_TUNE_ROUNDS];
} ww_tune_way;

/// A member whose steps are measured, for all members that have the same work.
typedef struct ww_tune {
    const ww_planning *plan;
    const ww_parallel *parallel; ///< all ranks
    ww_parallel crew;            ///< those that work on one member; all crews measure at once
    size_t member;
    size_t alike;            ///< members that it stands for
    int crew_ranks;          ///< ranks of a crew at least
    double seconds;          ///< that measuring may take
    int64_t memory;          ///< bytes that a rank may have
    double step_rate;        ///< flops a second of steps of a rank, as for double precision
    double record_rate;      ///< the same of records
    bool is_seldom;          ///< records take next to nothing of the time, and are made once
    int64_t width;           ///< of what is measured
    bool is_short_of_memory; ///< which is why that is less than the member's
    bool is_cached;          ///< the weights of that fit into caches, those of the member do not
    int64_t segment;         ///< steps from one record to the next
    int64_t segments;        ///< of a round
    int64_t diverged; ///< step at which training diverged, so that rates are next to 0; or -1
    double changing;  ///< share of the steps that changed weights; NaN: all do
    int rounds;       ///< that are measured
    /// Those of the configuration's precision, and what `auto` has in the other.
    ww_tune_way ways[WW_TUNE_WAYS];
    size_t count;
} ww_tune;

/// Which ways there are, and what memory they take of a run. The same on all ranks. Not collective.
ww_status ww_tune_find_ways(ww_tune *self, ww_error *error);

/// Chooses how much of the network can be measured in the time and memory there is, from the rates:
/// the width, and ways that are left out. The same on all ranks. Not collective.
ww_status ww_tune_choose_width(ww_tune *self, ww_error *error);

/// The configuration that is trained to measure a way, at another width.
ww_config ww_tune_smaller(const ww_config *config, int64_t width);

/// Finds the rates on a small part, chooses the width, and measures all ways in turns. A way that
/// cannot be made, of which memory is short on some rank, is marked with the reason and left out.
/// Collective.
ww_status ww_tune_measure(ww_tune *self, const ww_dataset *data, ww_error *error);

/// Prints what was measured, and what follows from it.
void ww_tune_print(const ww_tune *self);

/// Of values of rounds: the middle, and the lowest and the highest but for a tenth at either end.
typedef struct ww_tune_spread {
    double low, median, high;
} ww_tune_spread;

/// Of `count` values, at least one and not more than WW_TUNE_ROUNDS. Pure.
ww_tune_spread ww_tune_spread_of(const double *values, int count);

/// Whether something that takes this part of the time of another is worth a word: by more than a
/// twentieth, and in all rounds that count. Pure.
bool ww_tune_is_faster(ww_tune_spread ratio);

/// Steps that belong together: engines work ahead for as many. Pure.
int64_t ww_tune_steps_together(int64_t batch);

/// All of it, for the members of a plan: those with the same work once, and as many as `seconds`
/// allow, the largest first. Rank 0 prints. Collective.
ww_status ww_tune_members(const ww_planning *plan, double seconds, ww_error *error);

#endif
