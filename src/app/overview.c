#include "app/overview.h"

#include "widthwise/clock.h"

#include <math.h>
#include <stdio.h>

static const double TELL_SECONDS = 0.5;
static const double WHOLE = 1125899906842624.0; // 2^50, all work

// What others cannot be told they do without: it is only for show, but for the word END, which they
// are told through MPI as everything else.
static void add(const ww_overview *self, size_t word, int64_t amount)
{
    ww_error ignored = {0};
    (void)ww_board_add(self->board, word, amount, NULL, &ignored);
}

static int64_t words_of(const ww_overview *self, double fraction)
{
    return (int64_t)(fraction * self->share * WHOLE);
}

void ww_overview_begin(ww_overview *overview, double share)
{
    overview->share = share;
    overview->found = overview->told = 0.0;
    overview->last_told = ww_seconds();
    add(overview, WW_OVERVIEW_BEGUN, 1);
}

void ww_overview_found(ww_overview *overview, double fraction)
{
    overview->found = overview->told = fraction;
    add(overview, WW_OVERVIEW_FOUND, words_of(overview, fraction));
}

static void tell(ww_overview *self, double fraction)
{
    add(self, WW_OVERVIEW_WORKED, words_of(self, fraction) - words_of(self, self->told));
    self->told = fraction;
    self->last_told = ww_seconds();
}

void ww_overview_worked(ww_overview *overview, double fraction)
{
    if (fraction > overview->told && ww_seconds() - overview->last_told >= TELL_SECONDS)
        tell(overview, fraction);
}

void ww_overview_ended(ww_overview *overview, ww_status status)
{
    if (status != WW_STOPPED) // there is no more to do
        tell(overview, 1.0);
    add(overview,
        status == WW_OK         ? WW_OVERVIEW_DONE
        : status == WW_DIVERGED ? WW_OVERVIEW_DIVERGED
        : status == WW_STOPPED  ? WW_OVERVIEW_STOPPED
                                : WW_OVERVIEW_FAILED,
        1);
}

void ww_overview_end_all(ww_overview *overview)
{
    add(overview, WW_OVERVIEW_END, 1);
}

void ww_overview_text(const ww_overview *overview, char *text, size_t size)
{
    ww_board *board = overview->board;
    const int64_t begun = ww_board_look(board, WW_OVERVIEW_BEGUN);
    const int64_t done = ww_board_look(board, WW_OVERVIEW_DONE);
    const struct {
        int64_t count;
        const char *word;
    } ends[] = {{ww_board_look(board, WW_OVERVIEW_FAILED), "failed"},
                {ww_board_look(board, WW_OVERVIEW_DIVERGED), "diverged"},
                {ww_board_look(board, WW_OVERVIEW_STOPPED), "stopped early"}};
    int64_t ended = done;
    size_t used = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        ended += ends[i].count;
    used += (size_t)snprintf(text, size, "%lld of %lld done, %lld running, %lld waiting",
                             (long long)done, (long long)overview->members,
                             (long long)(begun - ended), (long long)(overview->members - begun));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends[i].count > 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, ", %lld %s",
                                     (long long)ends[i].count, ends[i].word);
    const double worked = (double)ww_board_look(board, WW_OVERVIEW_WORKED) / WHOLE;
    const double left = 1.0 - worked - (double)ww_board_look(board, WW_OVERVIEW_FOUND) / WHOLE;
    if (worked <= 0.0 || used >= size)
        return;
    char duration[64];
    ww_duration_text(fmax(0.0, left) / worked * (ww_seconds() - overview->began), duration,
                     sizeof duration);
    (void)snprintf(text + used, size - used, ", %s left", duration);
}
