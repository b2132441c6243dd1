/// Where a file comes from: version, compiler, libraries, host.
#ifndef WIDTHWISE_APP_PROVENANCE_H
#define WIDTHWISE_APP_PROVENANCE_H

#include "widthwise/parallel.h"
#include "widthwise/store.h"

/// Version of the program with its commit, e.g. "0.1.0 (commit 1a2b3c)".
const char *ww_version_text(void);

/// Fills `provenance` for this start; `command` is the command line in short. WW_FAILED when ranks
/// run with different arithmetic (unlike processors or libraries): bits could not be promised.
/// Collective.
ww_status ww_provenance_make(const ww_parallel *parallel, const char *command, int64_t first_run,
                             int64_t first_step, ww_provenance *provenance, ww_error *error);

#endif
