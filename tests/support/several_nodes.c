/// A library to be preloaded: tells the program that every RANKS_A_NODE ranks in a row are on a
/// node of their own, so that what is divided over nodes can be tried on one machine.
#include <mpi.h>
#include <stdlib.h>

int MPI_Comm_split_type(MPI_Comm communicator, int type, int key, MPI_Info info, MPI_Comm *part)
{
    const char *ranks = getenv("RANKS_A_NODE");
    int rank = 0;
    if (ranks == NULL || type != MPI_COMM_TYPE_SHARED)
        return PMPI_Comm_split_type(communicator, type, key, info, part);
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    const int a_node = (int)strtol(ranks, NULL, 10);
    return PMPI_Comm_split(communicator, rank / (a_node > 0 ? a_node : 1), key, part);
}
