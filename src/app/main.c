#include "app/app.h"
#include "app/ending.h"
#include "widthwise/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words)
{
    const double began = ww_seconds();
    // Shared file pointers, which nothing here uses: two of Open MPI's ways to have them put files
    // beside the output, and a job that is killed leaves them there.
    setenv("OMPI_MCA_sharedfp", "^lockedfile,individual", 0);
    // A limit on the size of files, or a pager that was closed, is an error of the call that meets
    // it and gets its sentence; the signals would end this rank without one.
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    // Also a signal that comes while MPI starts, or once more at the end, is one to end in time.
    if (count > 1 && (strcmp(words[1], "run") == 0 || strcmp(words[1], "resume") == 0 ||
                      strcmp(words[1], "gram") == 0 || strcmp(words[1], "construct") == 0))
        ww_ending_catch_signals();
    int level = 0; // threads there may be, but none of them communicates
    if (MPI_Init_thread(&count, &words, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS) {
        fprintf(stderr, "widthwise: MPI could not be started\n");
        return WW_FAILED;
    }
    ww_parallel parallel;
    ww_error error = {0};
    ww_status status = ww_parallel_create(MPI_COMM_WORLD, &parallel, &error);
    if (status == WW_OK) {
        parallel.began = began;
        status = ww_app_main(&parallel, count, words);
        ww_parallel_destroy(&parallel);
    } else {
        fprintf(stderr, "widthwise: %s\n", error.message);
    }
    // Where this ends early, mpirun ends what is left of the ranks as soon as one of them has gone.
    (void)fflush(stdout);
    MPI_Finalize();
    return (int)status;
}
