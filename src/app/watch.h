/// widthwise show --watch: follows a job from outside.
#ifndef WIDTHWISE_APP_WATCH_H
#define WIDTHWISE_APP_WATCH_H

#include "app/screen.h"
#include "app/watched.h"
#include "widthwise/parallel.h"

#include <stdio.h>

/// How often a file is looked at where nothing else is said, and most often, seconds.
#define WW_WATCH_SECONDS 2.0
#define WW_WATCH_LEAST_SECONDS 0.1

/// Shows every `seconds` how far the runs of `path` are, until all have ended: WW_OK. A file that
/// is not there yet is waited for. WW_STOPPED: a signal or the reader of the output ended it
/// before. Collective; rank 0 works, and others do not keep the processor from anybody.
ww_status ww_watch(const char *path, double seconds, const ww_parallel *parallel, ww_error *error);

/// Prints the picture, at `time` (seconds of ww_seconds), for a screen of that size: the head, runs
/// that are at work before others as far as there are rows for them, and a note where there is one.
void ww_watch_print(const ww_watched *watched, const ww_screen *screen, double time, FILE *stream);

#endif
