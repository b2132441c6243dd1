#include "app/provenance.h"

#include "build_info.h"
#include "parallel/workers.h"
#include "widthwise/clock.h"
#include "widthwise/hash.h"

#include <cblas.h>
#include <gnu/libc-version.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *ww_version_text(void)
{
    return WW_VERSION " (commit " WW_COMMIT ")";
}

// Hash of what the C library's exp and log1p give on fixed arguments. One version of glibc has
// several of each, chosen by processor, and the losses of a run are computed with them.
static uint64_t library_fingerprint(void)
{
    enum { ARGUMENTS = 8192 };
    static const uint64_t name = 1;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < ARGUMENTS; i++) {
        const double argument = -40.0 * (double)(i * 2654435761U % 1000003U) / 1000003.0;
        const double values[2] = {exp(argument), log1p(exp(argument))};
        hash += ww_hash_block(values, sizeof values, name, i);
    }
    return hash;
}

static void cut(char target[WW_PROVENANCE_TEXT], const char *text)
{
    snprintf(target, WW_PROVENANCE_TEXT, "%s", text);
}

ww_status ww_provenance_make(const ww_parallel *parallel, const char *command, int64_t first_run,
                             int64_t first_step, ww_provenance *provenance, ww_error *error)
{
    *provenance = (ww_provenance){.ranks = parallel->size,
                                  .first_run = first_run,
                                  .first_step = first_step,
                                  .threads = ww_workers_of(parallel)};
    if (gethostname(provenance->host, WW_PROVENANCE_TEXT - 1) != 0)
        cut(provenance->host, "unknown");
    ww_time_text(provenance->started, WW_PROVENANCE_TEXT);
    cut(provenance->version, ww_version_text());
    cut(provenance->compiler, WW_COMPILER);
    cut(provenance->flags, WW_FLAGS);
    cut(provenance->command, command);
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    H5get_libversion(&major, &minor, &release);
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    MPI_Get_library_version(mpi, &length);
    mpi[strcspn(mpi, ",\n")] = '\0';
    snprintf(provenance->libraries, WW_PROVENANCE_TEXT, "HDF5 %u.%u.%u; %.80s; %.80s", major, minor,
             release, mpi, openblas_get_config());
    snprintf(provenance->arithmetic, WW_PROVENANCE_TEXT,
             "OpenBLAS kernel %s; glibc %s with functions %016llx", openblas_get_corename(),
             gnu_get_libc_version(), (unsigned long long)library_fingerprint());

    char first[WW_PROVENANCE_TEXT];
    memcpy(first, provenance->arithmetic, sizeof first);
    WW_TRY(ww_broadcast(parallel, first, sizeof first, 0, error));
    ww_status status = WW_OK;
    if (strcmp(first, provenance->arithmetic) != 0)
        status = ww_fail(error, WW_FAILED,
                         "rank %d on host %s computes with `%s`, rank 0 with `%s`: the same bits "
                         "cannot be promised; run on nodes with like processors and libraries",
                         parallel->rank, provenance->host, provenance->arithmetic, first);
    return ww_agree(parallel, status, error);
}
