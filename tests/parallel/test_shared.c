/// Memory that the ranks of a node share: one copy, or where the system refuses that, a copy each;
/// the same contents in either case, and nothing left behind.

#include "cmocka_all.h"
#include "widthwise/memory.h"
#include "widthwise/shared.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { COUNT = 300007, ROUNDS = 40 }; // 2.4 MB, no multiple of a page

static const size_t BYTES = COUNT * sizeof(int64_t);
static ww_parallel world;

static int64_t number(int64_t seed, int64_t i)
{
    return seed * 1000003 + i * i;
}

/// Rank 0 of `parallel` fills a block with numbers of `seed`, and shares it.
static ww_shared make(const ww_parallel *parallel, const ww_nodes *nodes, int64_t seed)
{
    ww_shared block = {0};
    ww_error error = {0};
    ww_status status = WW_OK;
    if (parallel->rank == 0) {
        status =
            ww_shared_allocate(nodes->node.size, COUNT, sizeof(int64_t), "a test", &block, &error);
        assert_int_equal(status, WW_OK);
        int64_t *numbers = block.memory;
        for (int64_t i = 0; i < COUNT; i++) {
            assert_true(i > 1000 || numbers[i] == 0);
            numbers[i] = number(seed, i);
        }
    }
    status = ww_share(parallel, nodes, BYTES, "a test", &block, &error);
    if (status != WW_OK)
        fail_msg("%s", error.message);
    return block;
}

static void check_contents(const ww_shared *block, int64_t seed)
{
    const int64_t *numbers = block->memory;
    int64_t wrong = 0;
    for (int64_t i = 0; i < COUNT; i++)
        wrong += numbers[i] != number(seed, i);
    assert_int_equal(wrong, 0);
    assert_int_equal((uintptr_t)numbers % 64, 0);
    assert_false(block->is_open);
}

static void wait_for_all(const ww_parallel *parallel)
{
    if (parallel->size > 1)
        assert_int_equal(MPI_Barrier(parallel->communicator), MPI_SUCCESS);
}

static ww_nodes make_nodes(const ww_parallel *parallel)
{
    ww_nodes nodes;
    ww_error error = {0};
    assert_int_equal(ww_nodes_create(parallel, &nodes, &error), WW_OK);
    return nodes;
}

/// What the first rank writes later, the others see; each may let go when it likes.
static void test_one_copy(void **state)
{
    (void)state;
    ww_nodes nodes = make_nodes(&world);
    const ww_parallel *node = &nodes.node;
    ww_shared block = make(&world, &nodes, 1);
    check_contents(&block, 1);
    assert_int_equal(block.is_mapped, node->size > 1);
    assert_int_equal(block.is_guest, node->rank > 0);
    assert_int_equal(ww_shared_guest_bytes(&block), node->rank > 0 ? (int64_t)BYTES : 0);
    wait_for_all(node);
    int64_t *numbers = block.memory;
    if (node->rank == 0)
        numbers[COUNT - 1] = -5;
    wait_for_all(node);
    assert_int_equal(numbers[COUNT - 1], -5);
    wait_for_all(node);
    // The one who made it goes first; the memory stays for the others, who go without waiting.
    if (node->rank == 0)
        ww_shared_free(&block);
    wait_for_all(node);
    if (node->rank > 0) {
        assert_int_equal(numbers[COUNT - 1], -5);
        ww_shared_free(&block);
    }
    assert_null(block.memory);
    ww_shared_free(&block); // an empty one
    ww_nodes_destroy(&nodes);
}

static int64_t open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    int64_t count = 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/// Kilobytes of shared memory on this machine, in use by anyone.
static int64_t shared_on_machine(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    assert_non_null(file);
    char line[256];
    long long kilobytes = 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Shmem: %lld", &kilobytes) == 1)
            break;
    assert_int_equal(fclose(file), 0);
    return kilobytes;
}

static void test_nothing_is_left(void **state)
{
    (void)state;
    ww_nodes nodes = make_nodes(&world);
    int64_t files = 0, shared = 0;
    for (int64_t round = 0; round < ROUNDS; round++) {
        ww_shared block = make(&world, &nodes, round);
        check_contents(&block, round);
        ww_shared_free(&block);
        wait_for_all(&world);
        if (round == 1) {
            files = open_files();
            shared = shared_on_machine();
        }
    }
    assert_int_equal(open_files(), files);
    // Others use this machine too: half of what these rounds would have left is the limit.
    assert_true(shared_on_machine() - shared < ROUNDS * (int64_t)BYTES / 2 / 1024);
    ww_nodes_destroy(&nodes);
}

/// What is in the way of sharing on one rank.
typedef enum obstacle { SMALL_FILES, NO_DESCRIPTORS } obstacle;

static struct rlimit set_limit(obstacle kind, rlim_t most)
{
    const int resource = kind == SMALL_FILES ? RLIMIT_FSIZE : RLIMIT_NOFILE;
    struct rlimit before;
    assert_int_equal(getrlimit((__rlimit_resource_t)resource, &before), 0);
    const struct rlimit limit = {.rlim_cur = most, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit((__rlimit_resource_t)resource, &limit), 0);
    return before;
}

enum { SPARE = 64 };

/// Uses up all descriptors below a limit that MPI can live with; `spare` [SPARE] are to be closed.
static size_t use_up(int *spare)
{
    size_t count = 0;
    while (count < SPARE && (spare[count] = dup(0)) >= 0)
        count++;
    assert_true(count < SPARE);
    return count;
}

/// One rank of each node meets an obstacle: all of that node have copies of their own.
static void check_refused(obstacle kind, int rank)
{
    ww_nodes nodes = make_nodes(&world);
    const bool is_met = nodes.node.size > rank && nodes.node.size > 1;
    int spare[SPARE];
    size_t used = 0;
    struct rlimit before = {0};
    if (nodes.node.rank == rank) {
        before = set_limit(kind, kind == SMALL_FILES ? 4096 : (rlim_t)open_files() + SPARE / 2);
        used = kind == NO_DESCRIPTORS ? use_up(spare) : 0;
    }
    ww_shared block = make(&world, &nodes, 7);
    if (nodes.node.rank == rank) {
        while (used > 0)
            assert_int_equal(close(spare[--used]), 0);
        (void)set_limit(kind, before.rlim_cur);
    }
    check_contents(&block, 7);
    if (is_met) {
        assert_false(block.is_guest);
        wait_for_all(&nodes.node);
        ((int64_t *)block.memory)[3] = world.rank;
        wait_for_all(&nodes.node);
        assert_int_equal(((int64_t *)block.memory)[3], world.rank);
    }
    ww_shared_free(&block);
    ww_nodes_destroy(&nodes);
}

static void test_where_the_system_refuses(void **state)
{
    (void)state;
    check_refused(SMALL_FILES, 0);
    check_refused(NO_DESCRIPTORS, 0);
    check_refused(NO_DESCRIPTORS, world.size > 2 ? 2 : 1); // a rank that would map it
}

/// The ranks of each node fill a block together, or where one of them meets an obstacle each one of
/// its own.
static void check_room(const ww_nodes *nodes, bool is_refused)
{
    ww_shared block = {0};
    ww_error error = {0};
    struct rlimit before = {0};
    bool together = false;
    const ww_parallel *node = &nodes->node;
    if (is_refused && node->rank == 0)
        before = set_limit(SMALL_FILES, 4096);
    const ww_status status = ww_share_room(&world, nodes, BYTES, (ww_stretch){.bytes = BYTES},
                                           "a test", &block, &together, &error);
    if (is_refused && node->rank == 0)
        (void)set_limit(SMALL_FILES, before.rlim_cur);
    if (status != WW_OK)
        fail_msg("%s", error.message);
    assert_int_equal(together, node->size > 1 && !is_refused);
    assert_int_equal(block.is_guest, together && node->rank > 0);
    int64_t *numbers = block.memory;
    for (int64_t i = 0; i < COUNT; i++) {
        if (together && i % node->size != node->rank)
            continue;
        assert_int_equal(numbers[i], 0);
        numbers[i] = number(31, i);
    }
    wait_for_all(&world);
    ww_shared_settle(&block);
    check_contents(&block, 31);
    ww_shared_free(&block);
}

static void test_room(void **state)
{
    (void)state;
    ww_nodes nodes = make_nodes(&world);
    check_room(&nodes, false);
    check_room(&nodes, true);
    ww_nodes_destroy(&nodes);
    ww_error error = {0};
    assert_int_equal(ww_parallel_split(&world, world.rank % 2, &nodes.node, &error), WW_OK);
    assert_int_equal(ww_parallel_split(&world, nodes.node.rank == 0 ? 0 : 1, &nodes.firsts, &error),
                     WW_OK);
    check_room(&nodes, false); // as if every other rank were on a second node
    ww_nodes_destroy(&nodes);
}

/// Parts of the ranks share blocks of their own, which outlive their communicators and are let go
/// of in different orders.
static void test_parts(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_parallel part;
    ww_shared blocks[2] = {{0}, {0}};
    const int half = world.rank < world.size / 2 ? 0 : 1;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ww_parallel_split(&world, i == 0 ? half : world.rank % 2, &part, &error),
                         WW_OK);
        ww_nodes nodes = make_nodes(&part);
        blocks[i] = make(&part, &nodes, i == 0 ? half : 10 + world.rank % 2);
        assert_int_equal(blocks[i].is_mapped, nodes.node.size > 1);
        ww_nodes_destroy(&nodes);
        ww_parallel_destroy(&part);
    }
    check_contents(&blocks[0], half);
    check_contents(&blocks[1], 10 + world.rank % 2);
    ww_shared_free(&blocks[world.rank % 3 == 0]);
    ww_shared_free(&blocks[world.rank % 3 != 0]);
}

/// As if every other rank were on a second node: a copy for each, whichever way the ranks lie.
static void test_two_nodes(void **state)
{
    (void)state;
    ww_error error = {0};
    for (int split = 0; split < 2; split++) {
        ww_nodes nodes = {0};
        const int number = split == 0 ? world.rank % 2 : world.rank > 0;
        assert_int_equal(ww_parallel_split(&world, number, &nodes.node, &error), WW_OK);
        assert_int_equal(
            ww_parallel_split(&world, nodes.node.rank == 0 ? 0 : 1, &nodes.firsts, &error), WW_OK);
        ww_shared block = make(&world, &nodes, 20 + split);
        check_contents(&block, 20 + split);
        assert_int_equal(block.is_guest, nodes.node.rank > 0);
        wait_for_all(&world);
        int64_t *numbers = block.memory;
        if (nodes.node.rank == 0)
            numbers[5] = -number;
        wait_for_all(&world);
        assert_int_equal(numbers[5], -number);
        ww_shared_free(&block);
        ww_nodes_destroy(&nodes);
    }
}

/// Memory that cannot be had is a sentence on all ranks.
static void test_too_much(void **state)
{
    (void)state;
    ww_nodes nodes = make_nodes(&world);
    ww_shared block = {0};
    ww_error error = {0};
    ww_status status = WW_OK;
    if (world.rank == 0)
        status = ww_shared_allocate(nodes.node.size, SIZE_MAX / 2, 4, "a test", &block, &error);
    status = ww_agree(&world, status, &error);
    assert_int_equal(status, WW_FAILED);
    assert_non_null(strstr(error.message, "the size of a test"));
    ww_shared_free(&block);
    ww_nodes_destroy(&nodes);
    int64_t fullest = 0;
    assert_int_equal(ww_nodes_fullest(&world, &fullest, &error), WW_OK);
    assert_true(fullest >= 1 && fullest <= world.size);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_WORLD, &world, &error) != WW_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_copy),
        cmocka_unit_test(test_nothing_is_left),
        cmocka_unit_test(test_where_the_system_refuses),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_two_nodes),
        cmocka_unit_test(test_too_much),
    };
    const int failed = cmocka_run_group_tests_name("shared", tests, NULL, NULL);
    ww_parallel_destroy(&world);
    MPI_Finalize();
    return failed == 0 ? 0 : 1;
}
