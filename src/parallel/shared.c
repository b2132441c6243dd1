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

// Bytes that this process has as a guest: now, and most since somebody asked. Resident memory is of
// the process as well, whoever of it holds the blocks.
static struct {
    int64_t now, most;
} guests;

static void count_guest(int64_t bytes)
{
    guests.now += bytes;
    guests.most = guests.now > guests.most ? guests.now : guests.most;
}

ww_status ww_nodes_create(const ww_parallel *parallel, ww_nodes *nodes, ww_error *error)
{
    ww_parallel *node = &nodes->node;
    *nodes = (ww_nodes){{.communicator = MPI_COMM_NULL, .size = 1, .profile = parallel->profile},
                        {.communicator = MPI_COMM_NULL, .size = 1}};
    if (parallel->size == 1)
        return WW_OK;
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

static bool is_whole(const ww_shared *block)
{
    return block->held.bytes == block->bytes;
}

static char *held_memory(const ww_shared *block)
{
    return (char *)block->memory + block->held.first;
}

// Maps a file, or without one memory of this rank alone: with `access` what is held of the block,
// the rest out of reach.
static bool map(int file, int access, int flags, ww_shared *block)
{
    const int kind = file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (is_whole(block)) {
        block->memory = mmap(NULL, block->bytes, access, kind | flags, file, 0);
        return block->memory != MAP_FAILED;
    }
    block->memory = mmap(NULL, block->bytes, PROT_NONE, kind, file, 0);
    if (block->memory == MAP_FAILED)
        return false;
    if (mprotect(held_memory(block), block->held.bytes, access) == 0)
        return true;
    (void)munmap(block->memory, block->bytes);
    return false;
}

// Reserves the memory, so that touching it later cannot fail. What is not held takes none.
static bool reserve(int file, const ww_shared *block)
{
    int code = EINTR;
    if (!is_whole(block) && ftruncate(file, (off_t)block->bytes) != 0)
        return false;
    while (code == EINTR) // signals tell a run to end early
        code = posix_fallocate(file, (off_t)block->held.first, (off_t)block->held.bytes);
    return code == 0;
}

// Above what is free the system goes on reserving until it ends something.
static bool is_free(size_t bytes)
{
    return bytes < (size_t)(ww_available_memory() / 16 * 15);
}

// Whether such a block can be asked for as a file without harm: above the limit for files the
// system ends the program.
static bool is_allowed(const ww_shared *block)
{
    struct rlimit limit;
    return is_free(block->held.bytes) && getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           block->bytes <= limit.rlim_cur;
}

// Memory that can be given to other ranks, of a block that is described but for it. False, and
// nothing left, where there is none.
static bool make_mapped(ww_shared *block)
{
    ww_shared made = *block;
    if (!is_allowed(&made))
        return false;
    made.file = memfd_create("widthwise", MFD_CLOEXEC);
    if (made.file < 0)
        return false;
    if (!reserve(made.file, &made) || !map(made.file, PROT_READ | PROT_WRITE, 0, &made)) {
        (void)close(made.file);
        return false;
    }
    made.is_mapped = made.is_open = true;
    *block = made;
    return true;
}

// Memory of this rank alone, of a block that is described but for it.
static ww_status make_private(const char *what, ww_shared *block, ww_error *error)
{
    if (is_whole(block)) {
        block->memory = ww_allocate(block->bytes, 1, what, error); // says so where it does not fit
        return block->memory == NULL ? WW_FAILED : WW_OK;
    }
    block->is_mapped = is_free(block->held.bytes) && map(-1, PROT_READ | PROT_WRITE, 0, block);
    if (block->is_mapped)
        return WW_OK;
    *block = (ww_shared){0};
    return ww_fail(error, WW_FAILED,
                   "out of memory: %.3f GiB on one rank for a part of %s; use more nodes or a "
                   "smaller problem",
                   (double)block->held.bytes / 1073741824.0, what);
}

static ww_shared whole_block(size_t bytes)
{
    return (ww_shared){.bytes = bytes, .held = {.bytes = bytes}};
}

static ww_status make_block(int ranks, const char *what, ww_shared *block, ww_error *error)
{
    if (ranks > 1 && block->held.bytes > 0 && make_mapped(block))
        return WW_OK;
    return make_private(what, block, error);
}

ww_status ww_shared_allocate(int ranks, size_t count, size_t size, const char *what,
                             ww_shared *block, ww_error *error)
{
    size_t bytes = 0;
    *block = (ww_shared){0};
    if (__builtin_mul_overflow(count, size, &bytes)) {
        (void)ww_allocate(count, size, what, error); // says so
        return WW_FAILED;
    }
    *block = whole_block(bytes);
    return make_block(ranks, what, block, error);
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
static bool take(const offer *offered, bool fills, ww_shared *block)
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
    ww_shared taken = *block;
    const bool same = fstat(file, &facts) == 0 && (int64_t)facts.st_dev == offered->device &&
                      (int64_t)facts.st_ino == offered->inode;
    taken.is_guest = taken.is_mapped = same && map(file, fills ? PROT_READ | PROT_WRITE : PROT_READ,
                                                   fills ? 0 : MAP_POPULATE, &taken);
    (void)close(file);
    if (taken.is_mapped) {
        *block = taken;
        count_guest(ww_shared_guest_bytes(block));
    }
    return taken.is_mapped;
}

// The ranks of a node map the block of their first, to fill it with him or to read it. `*all`:
// every one of them could; else none has.
static ww_status give(const ww_parallel *node, bool fills, ww_shared *block, bool *all,
                      ww_error *error)
{
    offer offered = make_offer(block);
    WW_TRY(ww_broadcast(node, &offered, sizeof offered, 0, error));
    int taken = node->rank == 0 ? offered.is_open != 0 : take(&offered, fills, block);
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
    if (parallel->rank != 0)
        *block = whole_block(bytes);
    if (node->rank == 0 && parallel->rank != 0)
        status = make_block(node->size, what, block, error);
    const ww_status given = node->size > 1 ? give(node, false, block, &all, error) : WW_OK;
    status = status == WW_OK ? given : status;
    if (status == WW_OK && node->rank > 0 && !all) {
        *block = whole_block(bytes);
        status = make_private(what, block, error);
    }
    // Nobody waits for contents before all have the memory.
    WW_TRY(ww_agree(parallel, status, error));
    if (node->rank == 0)
        status = ww_broadcast(&nodes->firsts, block->memory, bytes, 0, error);
    if (status == WW_OK && !all)
        status = ww_broadcast(node, block->memory, bytes, 0, error);
    // Nor does anybody read before the first rank of the node has the contents.
    return ww_agree(parallel, status, error);
}

// Whole pages that hold a stretch of a block of `bytes` bytes.
static ww_stretch whole_pages(ww_stretch wanted, size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t first = wanted.first / page * page;
    const size_t end = (wanted.first + wanted.bytes + page - 1) / page * page;
    return (ww_stretch){.first = first, .bytes = (end < bytes ? end : bytes) - first};
}

// From the first byte that any rank of a node wants to the last one.
static ww_status join_stretches(const ww_parallel *node, ww_stretch *wanted, ww_error *error)
{
    int64_t ends[] = {-(int64_t)wanted->first, (int64_t)(wanted->first + wanted->bytes)};
    const double began = ww_call_begin(node->profile);
    WW_TRY(ww_mpi_status(
        ww_call_end(node->profile, WW_CALL_MEMORY, sizeof ends, began,
                    MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_INT64_T, MPI_MAX, node->communicator)),
        "sharing memory on a node", error));
    *wanted = (ww_stretch){.first = (size_t)-ends[0], .bytes = (size_t)(ends[1] + ends[0])};
    return WW_OK;
}

ww_status ww_share_room(const ww_parallel *parallel, const ww_nodes *nodes, size_t bytes,
                        ww_stretch wanted, const char *what, ww_shared *block, bool *together,
                        ww_error *error)
{
    const ww_parallel *node = &nodes->node;
    const ww_stretch own = whole_pages(wanted, bytes);
    *together = false;
    if (node->size > 1)
        WW_TRY(join_stretches(node, &wanted, error));
    *block = (ww_shared){.bytes = bytes, .held = whole_pages(wanted, bytes)};
    ww_status status = WW_OK;
    if (node->rank == 0)
        status = make_block(node->size, what, block, error);
    const ww_status given = node->size > 1 ? give(node, true, block, together, error) : WW_OK;
    status = status == WW_OK ? given : status;
    const bool wants_less = own.bytes < block->held.bytes; // than the node that its memory was for
    if (status == WW_OK && !*together && (block->memory == NULL || wants_less)) {
        ww_shared_free(block);
        *block = (ww_shared){.bytes = bytes, .held = own};
        status = make_private(what, block, error);
    }
    return ww_agree(parallel, status, error);
}

static void touch_pages(const ww_shared *block)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const volatile char *bytes = held_memory(block);
    for (size_t at = 0; at < block->held.bytes; at += page)
        (void)bytes[at];
}

void ww_shared_settle(const ww_shared *block)
{
    if (!block->is_mapped)
        return;
    if (block->is_guest)
        (void)mprotect(held_memory(block), block->held.bytes, PROT_READ);
#ifdef MADV_POPULATE_READ // Linux 5.14: one call instead of a fault for every few pages
    if (madvise(held_memory(block), block->held.bytes, MADV_POPULATE_READ) == 0)
        return;
#endif
    touch_pages(block);
}

void ww_shared_free(ww_shared *block)
{
    count_guest(-ww_shared_guest_bytes(block));
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
    return block->is_guest ? (int64_t)block->held.bytes : 0;
}

int64_t ww_shared_most_guest_bytes(void)
{
    const int64_t most = guests.most;
    guests.most = guests.now;
    return most;
}
