/// Memory that the ranks of a node have in common.
///
/// What all ranks need alike and only read, such as the inputs of a data set, stands once in the
/// memory of each node: its first rank fills it, the others map it read-only.
///
/// It is anonymous memory of the system with a descriptor (memfd), which the other ranks open
/// through /proc, and no shared window of MPI, for three reasons seen with Open MPI 4.1:
/// - A window is freed collectively. Crews of a sweep come to their ends at different times, and a
///   data set outlives the communicator it was loaded on; here each rank lets go when it likes, and
///   the memory is the system's again when the last one has, however the ranks end.
/// - A window's backing file is in /dev/shm, 64 MB in a container. Where it does not fit, the first
///   rank gets an error and the others wait for it forever; and the space that was looked at is not
///   reserved, so that another job may still take it and the first touch ends the program. Memory
///   here is bounded by that of the node alone, and reserved before it is used.
/// - Without its component `sm` MPI has no such windows at all.
///
/// Where the system refuses (no memfd or /proc, ranks in containers of their own, limits), the
/// ranks of that node agree on copies of their own, and nothing else changes.
#ifndef WIDTHWISE_SHARED_H
#define WIDTHWISE_SHARED_H

#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Ranks by the node they are on. Starts as zeroes.
typedef struct ww_nodes {
    ww_parallel node;   ///< the ranks of this rank's node, in their order
    ww_parallel firsts; ///< on the first rank of each node: those; elsewhere all other ranks
} ww_nodes;

/// Finds out who is on which node; nothing to find out for one rank. Collective. Destroy it also
/// after a failure.
ww_status ww_nodes_create(const ww_parallel *parallel, ww_nodes *nodes, ww_error *error);
/// Collective over `node` and `firsts`.
void ww_nodes_destroy(ww_nodes *nodes);

/// Ranks on the fullest node. Collective.
ww_status ww_nodes_fullest(const ww_parallel *parallel, int64_t *ranks, ww_error *error);

/// A stretch of a block, in bytes.
typedef struct ww_stretch {
    size_t first, bytes;
} ww_stretch;

/// A piece of memory. Starts as zeroes. Only `memory` and `held` are for others to use.
typedef struct ww_shared {
    void *memory; ///< NULL: none
    size_t bytes;
    ww_stretch held; ///< what of it is there: whole pages. The rest has addresses, but no memory,
                     ///< and who touches it is ended by the system
    bool is_mapped;  ///< memory with a descriptor, else plain memory
    bool is_guest;   ///< it is that of another rank of the node: not to be written to
    bool is_open;    ///< `file` is open: it can still be given to others
    int file;
} ww_shared;

/// Memory for `count` elements of `size` bytes, zeroed and aligned to 64 bytes or more, that
/// ww_share can give to the other ranks of a node of `ranks` ranks. With one rank, and where the
/// system has none that can be given, it is plain memory. WW_FAILED: memory is short. Not
/// collective.
ww_status ww_shared_allocate(int ranks, size_t count, size_t size, const char *what,
                             ww_shared *block, ww_error *error);

/// Copies `bytes` bytes of rank 0, in the block that it allocated, to all other ranks, whose blocks
/// are empty: once a node. Whoever writes to a block after that does it for the whole node, or for
/// himself alone. `what` names it in messages. WW_FAILED: memory is short. Collective.
ww_status ww_share(const ww_parallel *parallel, const ww_nodes *nodes, size_t bytes,
                   const char *what, ww_shared *block, ww_error *error);

/// Room for `bytes` bytes on all ranks, whose blocks are empty, that the ranks of a node fill
/// together: zeroes. Each node holds what its ranks want of it, from the first to the last byte of
/// all their stretches, rounded to whole pages. `*together`: the ranks of this node have it in
/// common; else each has memory of its own, and in it what itself wants. Each rank writes to its
/// part alone, and when all have done so calls ww_shared_settle. `what` names it in messages.
/// WW_FAILED: memory is short. Collective.
ww_status ww_share_room(const ww_parallel *parallel, const ww_nodes *nodes, size_t bytes,
                        ww_stretch wanted, const char *what, ww_shared *block, bool *together,
                        ww_error *error);

/// From now on the block of a guest is not to be written to, and all pages of a block that ranks
/// have filled together are resident on each, so that memory is counted alike whoever wrote which.
/// Not collective.
void ww_shared_settle(const ww_shared *block);

/// Lets go of a block; an empty one is allowed. The memory stays for ranks that have not done so.
/// Not collective.
void ww_shared_free(ww_shared *block);

/// Bytes of this rank's resident memory that another rank of the node has already counted.
int64_t ww_shared_guest_bytes(const ww_shared *block);

/// The same of all blocks that this process has had at one time: most since the last call, or the
/// start.
int64_t ww_shared_most_guest_bytes(void);

#endif
