/// What a command line asks for: a configuration with the settings that override it.
#ifndef WIDTHWISE_APP_EXPERIMENT_H
#define WIDTHWISE_APP_EXPERIMENT_H

#include "app/options.h"
#include "widthwise/config.h"
#include "widthwise/parallel.h"

/// Reads the configuration `config_path` (NULL: the built-in default) on rank 0, gives it to all,
/// and expands it with `settings`. WW_USAGE names file, line and key. Collective.
ww_status ww_app_read_experiment(const ww_parallel *parallel, const char *config_path,
                                 const ww_option_texts *settings, ww_experiment *experiment,
                                 ww_error *error);

#endif
