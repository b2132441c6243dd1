#include "train/lazy_changes.h"

#include "widthwise/memory.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 2 };

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "the changes of a step";
    const size_t ranks = (size_t)problem->parallel->size;
    const size_t samples = (size_t)problem->data->train.count;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_changes, outgoing_counts), ranks, sizeof(int64_t), what},
        {offsetof(ww_lazy_changes, ends), samples + 1, sizeof(int64_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_changes_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS);
}

// Each change adds n numbers to N and has n bits, and N is made anew by n additions a pair, of
// units by the word: about as long as the changes of one pair in 30 take, and numbers of several
// outputs far longer. But all ranks see all changes, in 40 bytes each and more: so there are to be
// no more than of one pair in PART, which is more than windows are for (lazy_full.c); and all their
// words are to be a number that messages can have.
static int64_t find_most(const ww_lazy_pairs *pairs, int64_t head)
{
    enum { PART = 128, PART_OF_WEIGHED = 32 };
    const int64_t size = pairs->problem->parallel->size;
    const double all = (double)pairs->problem->tiling.width * (double)pairs->samples;
    const double most = 1.0 + all / (pairs->is_weighed ? PART_OF_WEIGHED : PART);
    const double words = (double)(2 * (head + pairs->words) + size * (head + 2));
    return (int64_t)fmin(most, (double)INT_MAX / words);
}

// Of a rank: twice what is its part.
static int64_t find_own_most(const ww_lazy_changes *changes)
{
    const int64_t size = changes->pairs->problem->parallel->size;
    const int64_t part = 2 * (changes->most / size) + 64;
    return part < changes->most ? part : changes->most;
}

ww_status ww_lazy_changes_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                 ww_lazy_changes *changes, ww_error *error)
{
    const int64_t head = 1 + (pairs->is_weighed ? pairs->outputs : 0);
    *changes = (ww_lazy_changes){
        .pairs = pairs, .share = share, .head = head, .most = find_most(pairs, head)};
    changes->own_most = find_own_most(changes);
    ww_allocation list[ARRAYS];
    list_arrays(pairs->problem, list);
    WW_TRY(ww_allocate_all(changes, list, ARRAYS, error));
    return ww_incoming_create(pairs->problem->parallel, &changes->incoming, error);
}

void ww_lazy_changes_free(ww_lazy_changes *changes)
{
    free(changes->made);
    free(changes->outgoing);
    free(changes->outgoing_counts);
    ww_incoming_free(&changes->incoming);
    free(changes->seen);
    free(changes->ends);
}

// Memory for so many words.
static ww_status make_room(int64_t **words, int64_t *room, int64_t needed, ww_error *error)
{
    enum { FIRST = 1 << 12 };
    if (needed <= *room)
        return WW_OK;
    const int64_t twice = 2 * *room > FIRST ? 2 * *room : FIRST;
    const int64_t larger = needed > twice ? needed : twice;
    int64_t *grown = realloc(*words, (size_t)larger * sizeof *grown);
    if (grown == NULL)
        return ww_fail(error, WW_FAILED, "out of memory for the changes of a step");
    *words = grown;
    *room = larger;
    return WW_OK;
}

ww_status ww_lazy_changes_add(ww_lazy_changes *changes, int64_t unit, int64_t sample,
                              ww_error *error)
{
    const ww_lazy_pairs *pairs = changes->pairs;
    const int64_t head = changes->head;
    if (changes->made_count / (head + pairs->words) >= changes->own_most) {
        changes->left_out++;
        return WW_OK;
    }
    WW_TRY(make_room(&changes->made, &changes->made_room, changes->made_count + head + pairs->words,
                     error));
    int64_t *words = changes->made + changes->made_count;
    words[0] = 2 * sample + (ww_lazy_is_active(pairs, unit, sample) ? 1 : 0);
    if (pairs->is_weighed)
        memcpy(words + 1, pairs->scales + unit * pairs->outputs,
               (size_t)pairs->outputs * sizeof *words);
    memcpy(words + head, ww_lazy_patterns(pairs, unit), (size_t)pairs->words * sizeof *words);
    changes->made_count += head + pairs->words;
    return WW_OK;
}

// Words of a change of this sample, as a rank gets it.
static int64_t words_for(const ww_lazy_changes *changes, int rank, int64_t sample)
{
    const ww_lazy_share *share = changes->share;
    return changes->head + (ww_lazy_share_has(share, rank, sample)
                                ? changes->pairs->words
                                : ww_lazy_words_of(share->places[rank], share->counts[rank]));
}

// Memory for all that is seen of a step.
static ww_status prepare_seen(ww_lazy_changes *changes, int64_t total, ww_error *error)
{
    if (total <= changes->seen_room)
        return WW_OK;
    free(changes->seen);
    changes->seen_room = 2 * total;
    changes->seen = ww_allocate((size_t)changes->seen_room, sizeof *changes->seen,
                                "the changes of a step", error);
    if (changes->seen != NULL)
        return WW_OK;
    changes->seen_room = 0;
    return WW_FAILED;
}

// Each change as it goes to a rank: whole, or what is of its rows.
static ww_status write_outgoing(ww_lazy_changes *changes, ww_error *error)
{
    const ww_lazy_share *share = changes->share;
    const int64_t head = changes->head, whole = head + changes->pairs->words;
    const int size = changes->pairs->problem->parallel->size;
    int64_t count = 0;
    for (int rank = 0; rank < size; rank++)
        for (int64_t i = 0; i < changes->made_count; i += whole)
            count += words_for(changes, rank, changes->made[i] / 2);
    WW_TRY(make_room(&changes->outgoing, &changes->outgoing_room, count, error));
    int64_t *words = changes->outgoing;
    for (int rank = 0; rank < size; rank++) {
        const int64_t *begin = words;
        for (int64_t i = 0; i < changes->made_count; i += whole) {
            const int64_t *change = changes->made + i, sample = change[0] / 2;
            const int64_t first =
                ww_lazy_share_has(share, rank, sample) ? 0 : share->places[rank] / WW_PATTERN_WORD;
            const int64_t length = words_for(changes, rank, sample);
            memcpy(words, change, (size_t)head * sizeof *words);
            memcpy(words + head, change + head + first, (size_t)(length - head) * sizeof *words);
            words += length;
        }
        changes->outgoing_counts[rank] = words - begin;
    }
    return WW_OK;
}

// All changes of `words`, by sample.
static void sort_changes(ww_lazy_changes *changes, const int64_t *words, int64_t count)
{
    const int rank = changes->pairs->problem->parallel->rank;
    const int64_t n = changes->pairs->samples;
    int64_t *ends = changes->ends;
    memset(ends, 0, (size_t)(n + 1) * sizeof *ends);
    for (int64_t i = 0; i < count; i += words_for(changes, rank, words[i] / 2))
        ends[words[i] / 2 + 1]++;
    for (int64_t i = 0; i < n; i++)
        ends[i + 1] += ends[i];
    for (int64_t i = 0; i < count; i += words_for(changes, rank, words[i] / 2))
        changes->seen[ends[words[i] / 2]++] =
            (ww_lazy_change_seen){.sign = (int)(words[i] % 2),
                                  .patterns = (const uint64_t *)(words + i + changes->head),
                                  .scales = words + i + 1};
}

bool ww_lazy_changes_are_many(const ww_lazy_changes *changes, int64_t total, int64_t left_out)
{
    return total > changes->most || left_out > 0;
}

void ww_lazy_changes_drop(ww_lazy_changes *changes)
{
    changes->made_count = changes->left_out = 0;
}

ww_status ww_lazy_changes_exchange(ww_lazy_changes *changes, int64_t total, ww_error *error)
{
    const ww_parallel *parallel = changes->pairs->problem->parallel;
    const int64_t *words = changes->made;
    int64_t count = changes->made_count;
    WW_ASSERT(changes->left_out == 0); // else there are many
    ww_status status = prepare_seen(changes, total, error);
    if (parallel->size > 1) {
        if (status == WW_OK)
            status = write_outgoing(changes, error);
        status = ww_exchange_words(parallel, status, changes->outgoing, changes->outgoing_counts,
                                   &changes->incoming, error);
        words = changes->incoming.words;
        count = changes->incoming.count;
    }
    WW_TRY(status);
    sort_changes(changes, words, count);
    changes->made_count = 0;
    return WW_OK;
}
