/// A member with replicas: independent trainings, each on one rank, with results along an axis.
#ifndef WIDTHWISE_APP_REPLICAS_H
#define WIDTHWISE_APP_REPLICAS_H

#include "app/ending.h"
#include "app/member.h"
#include "app/progress.h"

#include <stdbool.h>

/// Bytes of results of one round of replicas, at most (but a replica a rank at least).
#define WW_REPLICA_ROUND_BYTES ((int64_t)64 << 20)

/// Runs the replicas that are not in the file yet, the ranks of `parallel` side by side, until all
/// are done or `ending` asks for an early end. Replica r has the bits of the run that its seeds
/// give alone (ww_config_replica). WW_STOPPED when some are left; a replica that diverges is an
/// outcome of its own. `data` is the data set that all share, or NULL where each draws its own;
/// `*advanced`: a replica was done. Collective.
ww_status ww_app_replicas_run(const char *path, const ww_app_member *member, const ww_dataset *data,
                              const ww_parallel *parallel, ww_ending *ending, ww_progress *progress,
                              bool *advanced, ww_error *error);

/// Whether all replicas of the member have the same data set.
bool ww_app_replicas_share_data(const ww_config *config);

#endif
