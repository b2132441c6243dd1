/// Arrays of n x n samples, whose rows are divided over the ranks; and how such an array is made
/// that is a sum over all units.
///
/// Ranks have whole blocks of rows, so that a block is of one rank. An array that is the same both
/// ways is made by half: block by block, each rank sums up what its own units add to the columns
/// from the block's first sample on. The sums over ranks of these go to the rank that has the
/// block, and those of later columns to the ranks whose rows these are, as well: it is as much as
/// would be sent of whole rows. All ranks have as much work as they have units.
#ifndef WIDTHWISE_TRAIN_LAZY_SHARE_H
#define WIDTHWISE_TRAIN_LAZY_SHARE_H

#include "train/sample_products.h"

/// Rows of a block, of which a rank has whole ones, but for the last.
enum { WW_LAZY_BLOCK = 16 };

/// The rows of this rank, and of all ranks.
typedef struct ww_lazy_share {
    const ww_problem *problem;
    int64_t first, rows;
    int *counts, *places; ///< rows, and the first one [ranks]
    int *parts;           ///< words of a sum that go to each rank [ranks]
} ww_lazy_share;

/// Rows that a rank has at most, and its first one. Pure.
int64_t ww_lazy_share_most_rows(const ww_problem *problem);
int64_t ww_lazy_share_first_row(const ww_problem *problem, int rank);

/// Not collective. Free with ww_lazy_share_free, also after a failure.
ww_status ww_lazy_share_create(const ww_problem *problem, ww_lazy_share *share, ww_error *error);
void ww_lazy_share_free(ww_lazy_share *share);
/// Bytes that it takes. Pure.
int64_t ww_lazy_share_bytes(const ww_problem *problem);

static inline bool ww_lazy_share_has(const ww_lazy_share *share, int rank, int64_t sample)
{
    return sample >= share->places[rank] && sample < share->places[rank] + share->counts[rank];
}

/// The same of this rank.
static inline bool ww_lazy_share_has_own(const ww_lazy_share *share, int64_t sample)
{
    return sample >= share->first && sample < share->first + share->rows;
}

/// Words of a pattern that are of samples first .. first + rows - 1: from first / WW_PATTERN_WORD
/// on.
static inline int64_t ww_lazy_words_of(int64_t first, int64_t rows)
{
    return rows > 0 ? (first + rows - 1) / WW_PATTERN_WORD - first / WW_PATTERN_WORD + 1 : 0;
}

/// An array of n x n entries of some words each, which are sums over the units of all ranks, and
/// the same both ways.
typedef struct ww_lazy_symmetric {
    void *context;
    int64_t planes; ///< words of an entry
    int64_t *room;  ///< [ww_lazy_share_room]
    /// Sums over this rank's units of samples first .. first + rows - 1 with samples first .. n -
    /// 1, into sums [n - first, rows, planes].
    void (*sum)(void *context, int64_t first, int64_t rows, int64_t *sums);
    /// Takes in an entry [planes]: of this rank's row `row`, from 0 on, and of column `column`.
    void (*put)(void *context, int64_t row, int64_t column, const int64_t *entry);
} ww_lazy_symmetric;

/// Words of room to make one with. Pure.
int64_t ww_lazy_share_room(const ww_problem *problem, int64_t planes);

/// Makes all rows: puts each entry of this rank's rows, some twice with the same words. Collective.
ww_status ww_lazy_share_make(const ww_lazy_share *share, const ww_lazy_symmetric *array,
                             ww_error *error);

#endif
