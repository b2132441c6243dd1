#include "widthwise/shared.h"

#include "parallel/mpi_error.h"

#include "widthwise/memory.h"
#include "widthwise/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 64 };

ww_status ww_nodes_create(const ww_parallel *parallel, ww_nodes *nodes, ww_error *error)
{
    ww_parallel *node = &nodes->node;
    *nodes = (ww_nodes){{.communicator = MPI_COMM_NULL, .size = 1, .profile = parallel->profile},
                        {.communicator = MPI_COMM_NULL}};
    const double began = ww_call_begin(parallel->profile);
    WW_TRY(ww_mpi_status(
        ww_call_end(parallel->profile, WW_CALL_GROUP, 0, began,
                    MPI_Comm_split_type(parallel->communicator, MPI_COMM_TYPE_SHARED,
                                        parallel->rank, MPI_INFO_NULL, &node->communicator)),
        "finding the ranks of a node", error));
    MPI_Comm_set_errhandler(node->communicator, MPI_ERRORS_RETURN);
    MPI_Comm_rank(node->communicator, &node->rank);
    MPI_Comm_size(node->communicator, &node->size);
    return ww_parallel_split(parallel, node->rank == 0 ? 0 : 1, &nodes->firsts, error);
}

void ww_nodes_destroy(ww_nodes *nodes)
{
    ww_parallel_destroy(&nodes->node);
    ww_parallel_destroy(&nodes->firsts);
}

ww_status ww_nodes_fullest(const ww_parallel *parallel, int64_t *ranks, ww_error *error)
{
    ww_nodes nodes;
    ww_status status = ww_nodes_create(parallel, &nodes, error);
    double most = nodes.node.size;
    if (status == WW_OK)
        status = ww_maximum(parallel, &most, 1, error);
    *ranks = (int64_t)most;
    ww_nodes_destroy(&nodes);
    return status;
}

static bool map(int file, size_t bytes, int access, int flags, void **memory)
{
    *memory = mmap(NULL, bytes, access, MAP_SHARED | flags, file, 0);
    return *memory != MAP_FAILED;
}

// Reserves the memory, so that touching it later cannot fail.
static bool reserve(int file, size_t bytes)
{
    int code = EINTR;
    while (code == EINTR) // signals tell a run to end early
        code = posix_fallocate(file, 0, (off_t)bytes);
    return code == 0;
}

// Whether memory of that size can be asked for as a file without harm: above the limit for files
// the system ends the program, and above what is free it goes on reserving until it ends something.
static bool is_allowed(size_t bytes)
{
    struct rlimit limit;
    return bytes < (size_t)(ww_available_memory() / 16 * 15) &&
           getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes <= limit.rlim_cur;
}

// Memory that can be given to other ranks. False, and nothing left, where there is none.
static bool make_mapped(size_t bytes, ww_shared *block)
{
    if (!is_allowed(bytes))
        return false;
    const int file = memfd_create("widthwise", MFD_CLOEXEC);
    if (file < 0)
        return false;
    void *memory = NULL;
    if (!reserve(file, bytes) || !map(file, bytes, PROT_READ | PROT_WRITE, 0, &memory)) {
        (void)close(file);
        return false;
    }
    *block = (ww_shared){
        .memory = memory, .bytes = bytes, .is_mapped = true, .is_open = true, .file = file};
    return true;
}

ww_status ww_shared_allocate(int ranks, size_t count, size_t size, const char *what,
                             ww_shared *block, ww_error *error)
{
    size_t bytes = 0;
    *block = (ww_shared){0};
    const bool fits = !__builtin_mul_overflow(count, size, &bytes);
    if (ranks > 1 && fits && bytes > 0 && make_mapped(bytes, block))
        return WW_OK;
    block->bytes = bytes;
    block->memory = ww_allocate(count, size, what, error); // says so where it does not fit
    return block->memory == NULL ? WW_FAILED : WW_OK;
}

// What the first rank of a node tells of its block: who has it open where, and which it is.
typedef struct offer {
    int64_t is_open, process, file, device, inode;
} offer;

static offer make_offer(const ww_shared *block)
{
    struct stat facts;
    if (!block->is_open || fstat(block->file, &facts) != 0)
        return (offer){0};
    return (offer){.is_open = 1,
                   .process = getpid(),
                   .file = block->file,
                   .device = (int64_t)facts.st_dev,
                   .inode = (int64_t)facts.st_ino};
}

// Maps what was offered, if it is really that: in another container the same process number is
// another process. What others have filled with all pages at once, so that memory is counted alike
// whoever reads which.
static bool take(const offer *offered, size_t bytes, bool fills, ww_shared *block)
{
    char path[PATH_SIZE];
    struct stat facts;
    if (offered->is_open == 0)
        return false;
    (void)snprintf(path, sizeof path, "/proc/%lld/fd/%lld", (long long)offered->process,
                   (long long)offered->file);
    const int file = open(path, (fills ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (file < 0)
        return false;
    void *memory = NULL;
    const bool same = fstat(file, &facts) == 0 && (int64_t)facts.st_dev == offered->device &&
                      (int64_t)facts.st_ino == offered->inode;
    const bool mapped = same && map(file, bytes, fills ? PROT_READ | PROT_WRITE : PROT_READ,
                                    fills ? 0 : MAP_POPULATE, &memory);
    (void)close(file);
    if (mapped)
        *block = (ww_shared){.memory = memory, .bytes = bytes, .is_mapped = true, .is_guest = true};
    return mapped;
}

// The ranks of a node map the block of their first, to fill it with him or to read it. `*all`:
// every one of them could; else none has.
static ww_status give(const ww_parallel *node, size_t bytes, bool fills, ww_shared *block,
                      bool *all, ww_error *error)
{
    offer offered = make_offer(block);
    WW_TRY(ww_broadcast(node, &offered, sizeof offered, 0, error));
    int taken = node->rank == 0 ? offered.is_open != 0 : take(&offered, bytes, fills, block);
    const double began = ww_call_begin(node->profile);
    WW_TRY(ww_mpi_status(
        ww_call_end(node->profile, WW_CALL_MEMORY, sizeof taken, began,
                    MPI_Allreduce(MPI_IN_PLACE, &taken, 1, MPI_INT, MPI_MIN, node->communicator)),
        "sharing memory on a node", error));
    *all = taken != 0;
    if (!*all && node->rank > 0)
        ww_shared_free(block);
    if (block->is_open)
        (void)close(block->file); // the mappings hold it
    block->is_open = false;
    return WW_OK;
}

ww_status ww_share(const ww_parallel *parallel, const ww_nodes *nodes, size_t bytes,
                   const char *what, ww_shared *block, ww_error *error)
{
    const ww_parallel *node = &nodes->node;
    bool all = false;
    ww_status status = WW_OK;
    if (node->rank == 0 && parallel->rank != 0)
        status = ww_shared_allocate(node->size, bytes, 1, what, block, error);
    const ww_status given = node->size > 1 ? give(node, bytes, false, block, &all, error) : WW_OK;
    status = status == WW_OK ? given : status;
    if (status == WW_OK && node->rank > 0 && !all)
        status = ww_shared_allocate(1, bytes, 1, what, block, error);
    // Nobody waits for contents before all have the memory.
    WW_TRY(ww_agree(parallel, status, error));
    if (node->rank == 0)
        status = ww_broadcast(&nodes->firsts, block->memory, bytes, 0, error);
    if (status == WW_OK && !all)
        status = ww_broadcast(node, block->memory, bytes, 0, error);
    // Nor does anybody read before the first rank of the node has the contents.
    return ww_agree(parallel, status, error);
}

ww_status ww_share_room(const ww_parallel *parallel, const ww_nodes *nodes, size_t bytes,
                        const char *what, ww_shared *block, bool *together, ww_error *error)
{
    const ww_parallel *node = &nodes->node;
    *together = false;
    ww_status status = WW_OK;
    if (node->rank == 0)
        status = ww_shared_allocate(node->size, bytes, 1, what, block, error);
    const ww_status given =
        node->size > 1 ? give(node, bytes, true, block, together, error) : WW_OK;
    status = status == WW_OK ? given : status;
    if (status == WW_OK && node->rank > 0 && !*together)
        status = ww_shared_allocate(1, bytes, 1, what, block, error);
    return ww_agree(parallel, status, error);
}

static void touch_pages(const ww_shared *block)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const volatile char *bytes = block->memory;
    for (size_t at = 0; at < block->bytes; at += page)
        (void)bytes[at];
}

void ww_shared_settle(const ww_shared *block)
{
    if (!block->is_mapped)
        return;
    if (block->is_guest)
        (void)mprotect(block->memory, block->bytes, PROT_READ);
#ifdef MADV_POPULATE_READ // Linux 5.14: one call instead of a fault for every few pages
    if (madvise(block->memory, block->bytes, MADV_POPULATE_READ) == 0)
        return;
#endif
    touch_pages(block);
}

void ww_shared_free(ww_shared *block)
{
    if (block->is_open)
        (void)close(block->file);
    if (block->is_mapped)
        (void)munmap(block->memory, block->bytes);
    else
        free(block->memory);
    *block = (ww_shared){0};
}

int64_t ww_shared_guest_bytes(const ww_shared *block)
{
    return block->is_guest ? (int64_t)block->bytes : 0;
}
