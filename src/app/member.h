/// One member of an experiment: what is known of it before it runs, and how it runs.
#ifndef WIDTHWISE_APP_MEMBER_H
#define WIDTHWISE_APP_MEMBER_H

#include "app/ending.h"
#include "app/progress.h"
#include "widthwise/data.h"
#include "widthwise/gram_results.h"
#include "widthwise/measure.h"
#include "widthwise/store.h"
#include "widthwise/theory.h"

enum { WW_MEMBER_FACTS = 24 };

/// Everything about a member that its place in the file needs.
typedef struct ww_app_member {
    int64_t index;
    const ww_config *config; ///< borrowed
    const char *label;       ///< borrowed
    ww_dataset shape;        ///< of its data set, without samples
    char *config_text;
    ww_measure_plan *plan;
    ww_gram_plan *gram; ///< of the Gram matrix; NULL where it is not wanted
    ww_theory_plan theory_plan;
    ww_field theory[WW_THEORY_FIELDS];
    double *train_targets; ///< computed for a new file, [n]; NULL: none, or those of the file
    ww_field *final; ///< those of the plan, and behind them those of the Gram matrix at snapshots
    ww_fact facts[WW_MEMBER_FACTS];
    ww_member_layout layout;
} ww_app_member;

/// Fills `member` for `config` on a data set of that shape. Not collective.
ww_status ww_app_member_prepare(const ww_config *config, int64_t index, const char *label,
                                const ww_dataset *shape, ww_app_member *member, ww_error *error);
void ww_app_member_release(ww_app_member *member);

/// Members of an experiment, in its order. Starts as zeroes.
typedef struct ww_app_members {
    ww_app_member *list; ///< [count]; `config` is NULL in those that were skipped
    size_t count;
} ww_app_members;

/// Prepares `count` members of the experiment, from number `first` on, but those to `skip` (may be
/// NULL) [count]; `indices` [count] are their numbers in the file (NULL: those in the experiment).
/// Data sets are described, not loaded. WW_USAGE names the member. Collective. Free with
/// ww_app_members_free, also after a failure.
ww_status ww_app_members_prepare(const ww_experiment *experiment, size_t first, size_t count,
                                 const int64_t *indices, const bool *skip,
                                 const ww_parallel *parallel, ww_app_members *members,
                                 ww_error *error);
void ww_app_members_free(ww_app_members *members);

/// Number of the trajectory's field of that name; -1 where it is not measured.
int64_t ww_app_trajectory_field(const ww_app_member *member, const char *name);

/// Whether the Gram matrix of the network is looked at in its snapshots.
bool ww_app_has_gram_at_snapshots(const ww_app_member *member);

/// Says in front of a sentence which member of a sweep it is about.
void ww_app_name_member(int64_t index, const char *label, ww_error *error);

/// The data set in use, kept while members share it: also after the ranks that loaded it have
/// parted, since each lets go of it on its own.
typedef struct ww_data_cache {
    const ww_config *config; ///< whose data set it is; NULL: none
    ww_dataset data;
    int64_t resident, own; ///< see ww_data_cache_peak
} ww_data_cache;

/// Loads the data set of `config` unless it is the one already there. Collective.
ww_status ww_data_cache_get(ww_data_cache *cache, const ww_config *config,
                            const ww_parallel *parallel, ww_error *error);
/// Loads it divided: what this rank has on the grid of `problem`. Collective.
ww_status ww_data_cache_get_part(ww_data_cache *cache, const ww_problem *problem, ww_error *error);
/// Not collective.
void ww_data_cache_free(ww_data_cache *cache);

/// Most memory that this rank has had resident, in bytes, without what another rank of the node
/// counts. Not collective.
int64_t ww_data_cache_peak(ww_data_cache *cache);

/// Runs a member, from its newest checkpoint or from the start, until its end or until `ending`
/// asks for an early one, audits it as `wish` (auditing.h) asks for, and reports its outcome.
/// WW_DIVERGED and WW_STOPPED are outcomes; other failures leave the last checkpoint in the file.
/// `*advanced`: this start made a step, or came to an end. Collective.
struct ww_audit_wish;
ww_status ww_app_member_run(const char *path, const ww_app_member *member, const ww_dataset *data,
                            const ww_parallel *parallel, const struct ww_audit_wish *wish,
                            ww_ending *ending, ww_progress *progress, bool *advanced,
                            ww_error *error);

/// Computes what the file is to have of a member's Gram matrix, and does not train: its state stays
/// as it is. WW_STOPPED: an early end was asked for before all was there. Collective.
ww_status ww_app_member_gram(const char *path, const ww_app_member *member, const ww_dataset *data,
                             const ww_parallel *parallel, ww_ending *ending, ww_progress *progress,
                             bool *advanced, ww_error *error);

#endif
