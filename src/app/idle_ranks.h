/// Ranks that a member leaves without work.
#ifndef WIDTHWISE_APP_IDLE_RANKS_H
#define WIDTHWISE_APP_IDLE_RANKS_H

#include "app/division.h"
#include "app/member.h"

#include <stdbool.h>
#include <stddef.h>

/// What leaves some of `ranks` ranks idle that work on the member, with so many groups of samples
/// wanted (ww_parallel), into `line` [size]; false: nothing does. Pure.
bool ww_idle_ranks_text(const ww_app_member *member, const ww_task *task, int ranks,
                        int sample_groups, char *line, size_t size);

#endif
