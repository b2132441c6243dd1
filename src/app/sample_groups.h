/// The option --sample-groups: groups of ranks that the samples of full batches are divided over.
#ifndef WIDTHWISE_APP_SAMPLE_GROUPS_H
#define WIDTHWISE_APP_SAMPLE_GROUPS_H

#include "app/member.h"

/// WW_USAGE: `groups` (0: left open) do not divide `ranks`, or none of the members has samples that
/// can be divided so; says which and why. Not collective.
ww_status ww_sample_groups_check(const ww_app_members *members, int64_t groups, int64_t ranks,
                                 ww_error *error);

/// "samples in 2 groups of 3 ranks" into `text` [size]; "" where there is one group. Pure.
void ww_sample_groups_text(const ww_problem *problem, char *text, size_t size);

#endif
