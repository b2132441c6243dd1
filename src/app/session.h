/// The members of a file that one job runs: by crews of ranks, side by side.
#ifndef WIDTHWISE_APP_SESSION_H
#define WIDTHWISE_APP_SESSION_H

#include "app/auditing.h"
#include "app/ending.h"
#include "app/member.h"
#include "app/options.h"
#include "widthwise/config.h"
#include "widthwise/parallel.h"
#include "widthwise/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What one command does with one file: all members that are to run, prepared, and the data set of
/// the last one. Made by ww_session_make.
typedef struct ww_session {
    const ww_parallel *parallel; ///< all ranks
    const char *profile_path;    ///< of what --profile writes, "" where it only tells; NULL: none
    ww_profile profile;
    ww_parallel own; ///< all ranks, with the profile and groups of samples, where there are some:
                     ///< what `parallel` is
    int64_t sample_groups; ///< --sample-groups, 0: left open
    bool divide_data;      ///< --divide-data
    bool is_ordered;       ///< `own` has a communicator of its own: ranks by their groups
    ww_experiment experiment;
    ww_app_members members;
    ww_data_cache cache;
    ww_option_texts settings; ///< --set
    char *command;            ///< the command line, for the record
    const char *path;         ///< of the file, borrowed
    char *usual_path;         ///< where the command line names none: what `path` is
    double began;             ///< time that the command began
    ww_ending ending;         ///< begun by ww_session_hold
    ww_audit_wish audit;
    bool quiet;
    bool only_gram;      ///< of members that are not over only the Gram matrix is wanted
    const bool *is_over; ///< [members], whether their results are to be computed anew too; NULL: of
                         ///< none
    int64_t waiting;     ///< members that are still to be trained when only that is done
} ww_session;

/// One that begins now.
ww_session ww_session_make(const ww_parallel *parallel);

/// Takes the words after the subcommand `name` down and puts them where ww_options_parse has them,
/// and begins the profile where one is wanted: from then on `self` stays where it is. Collective,
/// as all that follows. End with ww_session_end, also after a failure.
ww_status ww_session_begin(ww_session *self, const char *name, const ww_option *options,
                           size_t option_count, int count, char **words, const char **operands,
                           size_t most_operands, ww_error *error);

/// The session's file is `path`, or where that is NULL `usual`, which is taken over (NULL: memory
/// was short). Watches from now on for what ends the job early.
ww_status ww_session_hold(ww_session *self, const char *path, char *usual, ww_error *error);

/// Frees all that the session has. Collective.
void ww_session_end(ww_session *self);

/// Prepares `count` members of the experiment, from number `first` on, but those to `skip` (may be
/// NULL) [count]; `indices` [count] are their numbers in the file (NULL: those in the experiment).
/// A Gram matrix that these ranks cannot work on is refused (ww_gram_limits). Where the file is
/// new, or there is only one member, the data set of the first is loaded, so that what is wrong
/// with it is said before anything is written; those of others are when their turn comes.
/// Collective.
ww_status ww_session_prepare(ww_session *self, size_t first, size_t count, const int64_t *indices,
                             const bool *skip, bool is_new, ww_error *error);

/// Prepares member `chosen` of the experiment, or all for WW_ALL_MEMBERS, computes targets where
/// labels are worst-case, makes the file and runs them. Refusals of ww_store_create. Collective.
enum { WW_ALL_MEMBERS = -1 };
ww_status ww_session_create_and_run(ww_session *self, int64_t chosen, bool force, ww_error *error);

/// Goes on with the file, with the session's settings on top of its configurations: resume.c. Waits
/// `wait_lock` seconds for another job that writes it. Collective.
ww_status ww_session_resume(ww_session *self, int64_t wait_lock, ww_error *error);

/// Puts the data set of a member into the cache, with the targets that the file has for it where
/// these were computed. Collective over `crew`.
ww_status ww_session_load_data(ww_session *session, const ww_parallel *crew,
                               const ww_app_member *member, ww_error *error);

/// Whether of a prepared member only the Gram matrix is wanted.
bool ww_session_wants_only_gram(const ww_session *self, size_t position);

/// Runs member number `position` of the prepared ones on the ranks of `crew`: trains it, or where
/// that is all that is wanted computes its Gram matrix. Outcomes and errors of ww_app_member_run,
/// and of loading its data. Collective over the crew.
ww_status ww_session_run_member(ww_session *session, const ww_parallel *crew, size_t position,
                                ww_progress *progress, bool *advanced, ww_error *error);

/// Runs the prepared members. One that fails or diverges is marked so in the file, with its reason,
/// and does not stop the others; when the job is to end early, those that follow wait for `resume`.
/// Returns WW_STOPPED when some work is left for `resume`, else the worst outcome, `outcome` of
/// those skipped included. Collective.
ww_status ww_session_run(ww_session *self, const bool *skip, ww_status outcome, ww_error *error);

#endif
