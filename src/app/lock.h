/// The lock of a file, for commands that write it.
#ifndef WIDTHWISE_APP_LOCK_H
#define WIDTHWISE_APP_LOCK_H

#include "widthwise/store.h"

/// Takes the lock, if need be after waiting for another job for `wait_seconds`, and tells the user
/// what there is to tell of that. Collective.
ww_status ww_app_lock_take(const char *path, int64_t wait_seconds, const ww_parallel *parallel,
                           ww_store_lock *lock, ww_error *error);

#endif
