/// Changes of patterns in a step, as they go over the ranks: each to all of them, whole to the rank
/// that has the row of its sample, and as far as it is of their rows, which have a number in that
/// column, to the others.
#ifndef WIDTHWISE_TRAIN_LAZY_CHANGES_H
#define WIDTHWISE_TRAIN_LAZY_CHANGES_H

#include "train/lazy_pairs.h"
#include "train/lazy_share.h"

/// A change of a pattern, as it has come.
typedef struct ww_lazy_change_seen {
    int sign; ///< 1: it has become active
    /// Of its unit then: whole where the row of the sample is of this rank, else the words that the
    /// rows of this rank lie in.
    const uint64_t *patterns;
    const void *scales; ///< a_r, doubles [k], where they are weighed
} ww_lazy_change_seen;

typedef struct ww_lazy_changes {
    const ww_lazy_pairs *pairs;
    const ww_lazy_share *share;
    int64_t head; ///< words of a change before its patterns
    /// Those of this rank in this step: 2 i + sign; a_r where output weights are weighed; the
    /// unit's pattern.
    int64_t *made;
    int64_t made_count, made_room; ///< words of these
    int64_t most;                  ///< changes of a step of all ranks that are worth an exchange
    int64_t own_most;              ///< and of this rank, with room for an uneven division
    int64_t left_out;              ///< of this rank, beyond those
    int64_t *outgoing;             ///< the same as they go to each rank [outgoing room]
    int64_t outgoing_room;
    int64_t *outgoing_counts; ///< words for each rank [ranks]
    ww_incoming incoming;
    ww_lazy_change_seen *seen; ///< all changes of a step, by sample: those of i end at ends[i]
    int64_t seen_room;
    int64_t *ends; ///< [n + 1]
} ww_lazy_changes;

/// Not collective. Free with ww_lazy_changes_free, also after a failure.
ww_status ww_lazy_changes_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                 ww_lazy_changes *changes, ww_error *error);
void ww_lazy_changes_free(ww_lazy_changes *changes);
/// Bytes that it takes but for messages. Pure.
int64_t ww_lazy_changes_bytes(const ww_problem *problem);

/// The pattern of this pair has changed. Those beyond `own_most` are left out. WW_FAILED: memory
/// is short. Not collective.
ww_status ww_lazy_changes_add(ww_lazy_changes *changes, int64_t unit, int64_t sample,
                              ww_error *error);

/// Whether changes of a step, `total` of all ranks of which these have left out some, are more than
/// are worth an exchange: to make anew what they change is then less work, or less memory. Pure.
bool ww_lazy_changes_are_many(const ww_lazy_changes *changes, int64_t total, int64_t left_out);
/// Forgets those of this rank, which are not exchanged.
void ww_lazy_changes_drop(ww_lazy_changes *changes);

/// After all changes of a step, `total` of all ranks, which are not many: those of all ranks are
/// seen. WW_FAILED: memory is short. Collective.
ww_status ww_lazy_changes_exchange(ww_lazy_changes *changes, int64_t total, ww_error *error);

/// Changes that were seen of a sample, and how many. Not collective.
static inline const ww_lazy_change_seen *ww_lazy_changes_of(const ww_lazy_changes *changes,
                                                            int64_t sample, int64_t *count)
{
    const int64_t begin = sample > 0 ? changes->ends[sample - 1] : 0;
    *count = changes->ends[sample] - begin;
    return changes->seen + begin;
}

#endif
