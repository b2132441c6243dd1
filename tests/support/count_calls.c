/// A library to be preloaded: counts the calls of MPI that the program itself makes (those of the
/// libraries it uses are theirs), beside what --profile counts.
///
/// COUNT_CALLS is the beginning of the name of a file for each rank, to which MPI_Finalize appends
/// a line for each kind of call: its name, calls, bytes. Calls on MPI_COMM_SELF are left out, which
/// nobody else has a part in.
#include <dlfcn.h>
#include <link.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNT_ALLREDUCE,
    COUNT_BCAST,
    COUNT_REDUCE,
    COUNT_ALLGATHERV,
    COUNT_REDUCE_SCATTER,
    COUNT_GATHER,
    COUNT_OTHERS, // collective calls that the profile has no place for
    COUNT_KINDS
};

static const char *const names[COUNT_KINDS] = {"Allreduce",      "Bcast",  "Reduce", "Allgatherv",
                                               "Reduce_scatter", "Gather", "others"};
static int64_t calls[COUNT_KINDS], bytes[COUNT_KINDS];

// Whether the code at `caller` is that of the program, and not of a library.
static bool is_of_program(const void *caller)
{
    Dl_info about;
    struct link_map *object = NULL;
    return dladdr1(caller, &about, (void **)&object, RTLD_DL_LINKMAP) != 0 && object != NULL &&
           object->l_name[0] == '\0';
}

static void count(const void *caller, int kind, int64_t amount, MPI_Comm communicator)
{
    if (communicator == MPI_COMM_SELF || !is_of_program(caller))
        return;
    calls[kind]++;
    bytes[kind] += amount;
}

static int64_t bytes_of(int64_t amount, MPI_Datatype type)
{
    int size = 0;
    PMPI_Type_size(type, &size);
    return amount * size;
}

#define CALLER __builtin_return_address(0)

int MPI_Allreduce(const void *from, void *to, int amount, MPI_Datatype type, MPI_Op operation,
                  MPI_Comm communicator)
{
    count(CALLER, COUNT_ALLREDUCE, bytes_of(amount, type), communicator);
    return PMPI_Allreduce(from, to, amount, type, operation, communicator);
}

int MPI_Bcast(void *data, int amount, MPI_Datatype type, int root, MPI_Comm communicator)
{
    count(CALLER, COUNT_BCAST, bytes_of(amount, type), communicator);
    return PMPI_Bcast(data, amount, type, root, communicator);
}

int MPI_Reduce(const void *from, void *to, int amount, MPI_Datatype type, MPI_Op operation,
               int root, MPI_Comm communicator)
{
    count(CALLER, COUNT_REDUCE, bytes_of(amount, type), communicator);
    return PMPI_Reduce(from, to, amount, type, operation, root, communicator);
}

// Sum of the counts of all ranks.
static int64_t sum_of(const int amounts[], MPI_Comm communicator)
{
    int size = 0;
    int64_t sum = 0;
    PMPI_Comm_size(communicator, &size);
    for (int rank = 0; rank < size; rank++)
        sum += amounts[rank];
    return sum;
}

int MPI_Allgatherv(const void *from, int amount, MPI_Datatype type, void *to, const int amounts[],
                   const int places[], MPI_Datatype to_type, MPI_Comm communicator)
{
    count(CALLER, COUNT_ALLGATHERV, bytes_of(sum_of(amounts, communicator), to_type), communicator);
    return PMPI_Allgatherv(from, amount, type, to, amounts, places, to_type, communicator);
}

int MPI_Reduce_scatter(const void *from, void *to, const int amounts[], MPI_Datatype type,
                       MPI_Op operation, MPI_Comm communicator)
{
    count(CALLER, COUNT_REDUCE_SCATTER, bytes_of(sum_of(amounts, communicator), type),
          communicator);
    return PMPI_Reduce_scatter(from, to, amounts, type, operation, communicator);
}

int MPI_Gather(const void *from, int amount, MPI_Datatype type, void *to, int to_amount,
               MPI_Datatype to_type, int root, MPI_Comm communicator)
{
    count(CALLER, COUNT_GATHER, bytes_of(amount, type), communicator);
    return PMPI_Gather(from, amount, type, to, to_amount, to_type, root, communicator);
}

int MPI_Barrier(MPI_Comm communicator)
{
    count(CALLER, COUNT_OTHERS, 0, communicator);
    return PMPI_Barrier(communicator);
}

int MPI_Allgather(const void *from, int amount, MPI_Datatype type, void *to, int to_amount,
                  MPI_Datatype to_type, MPI_Comm communicator)
{
    count(CALLER, COUNT_OTHERS, 0, communicator);
    return PMPI_Allgather(from, amount, type, to, to_amount, to_type, communicator);
}

int MPI_Alltoall(const void *from, int amount, MPI_Datatype type, void *to, int to_amount,
                 MPI_Datatype to_type, MPI_Comm communicator)
{
    count(CALLER, COUNT_OTHERS, 0, communicator);
    return PMPI_Alltoall(from, amount, type, to, to_amount, to_type, communicator);
}

int MPI_Alltoallv(const void *from, const int amounts[], const int places[], MPI_Datatype type,
                  void *to, const int to_amounts[], const int to_places[], MPI_Datatype to_type,
                  MPI_Comm communicator)
{
    count(CALLER, COUNT_OTHERS, 0, communicator);
    return PMPI_Alltoallv(from, amounts, places, type, to, to_amounts, to_places, to_type,
                          communicator);
}

int MPI_Gatherv(const void *from, int amount, MPI_Datatype type, void *to, const int amounts[],
                const int places[], MPI_Datatype to_type, int root, MPI_Comm communicator)
{
    count(CALLER, COUNT_OTHERS, 0, communicator);
    return PMPI_Gatherv(from, amount, type, to, amounts, places, to_type, root, communicator);
}

int MPI_Scan(const void *from, void *to, int amount, MPI_Datatype type, MPI_Op operation,
             MPI_Comm communicator)
{
    count(CALLER, COUNT_OTHERS, 0, communicator);
    return PMPI_Scan(from, to, amount, type, operation, communicator);
}

int MPI_Iallreduce(const void *from, void *to, int amount, MPI_Datatype type, MPI_Op operation,
                   MPI_Comm communicator, MPI_Request *request)
{
    count(CALLER, COUNT_OTHERS, 0, communicator);
    return PMPI_Iallreduce(from, to, amount, type, operation, communicator, request);
}

int MPI_Finalize(void)
{
    const char *beginning = getenv("COUNT_CALLS");
    char path[1024];
    int rank = 0;
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)snprintf(path, sizeof path, "%s%d", beginning != NULL ? beginning : "", rank);
    FILE *file = beginning != NULL ? fopen(path, "w") : NULL;
    for (int kind = 0; file != NULL && kind < COUNT_KINDS; kind++)
        (void)fprintf(file, "%s %lld %lld\n", names[kind], (long long)calls[kind],
                      (long long)bytes[kind]);
    if (file != NULL)
        (void)fclose(file);
    return PMPI_Finalize();
}
