/// `widthwise list members`: what an experiment consists of, and how ranks will be divided.
#ifndef WIDTHWISE_APP_MEMBERS_H
#define WIDTHWISE_APP_MEMBERS_H

#include "widthwise/error.h"
#include "widthwise/parallel.h"

/// Called with the words after `list`. Collective; rank 0 prints.
ww_status ww_app_list_members(const ww_parallel *parallel, int count, char **words,
                              ww_error *error);

#endif
