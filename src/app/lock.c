#include "app/lock.h"

#include "app/ending.h"

#include <stdio.h>

static void say(const char *sentence)
{
    fprintf(stderr, "widthwise: %s\n", sentence);
}

ww_status ww_app_lock_take(const char *path, int64_t wait_seconds, const ww_parallel *parallel,
                           ww_store_lock *lock, ww_error *error)
{
    *lock = (ww_store_lock){
        .wait_seconds = (double)wait_seconds, .say = say, .gives_up = ww_ending_signalled};
    const ww_status status = ww_store_lock_take(path, parallel, lock, error);
    if (lock->recovered)
        fprintf(stderr,
                "widthwise: %s: a change of its structure that was cut short has been undone\n",
                path);
    return status;
}
