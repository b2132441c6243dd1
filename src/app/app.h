/// The program's subcommands. Each gets the words after its name and returns the exit code's
/// status; all ranks call it and return the same. Only rank 0 prints.
#ifndef WIDTHWISE_APP_APP_H
#define WIDTHWISE_APP_APP_H

#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdint.h>

ww_status ww_app_run(const ww_parallel *parallel, int count, char **words, ww_error *error);
ww_status ww_app_resume(const ww_parallel *parallel, int count, char **words, ww_error *error);
ww_status ww_app_gram_command(const ww_parallel *parallel, int count, char **words,
                              ww_error *error);
ww_status ww_app_construct(const ww_parallel *parallel, int count, char **words, ww_error *error);
ww_status ww_app_show(const ww_parallel *parallel, int count, char **words, ww_error *error);
ww_status ww_app_verify(const ww_parallel *parallel, int count, char **words, ww_error *error);
ww_status ww_app_plan(const ww_parallel *parallel, int count, char **words, ww_error *error);
ww_status ww_app_export(const ww_parallel *parallel, int count, char **words, ww_error *error);
ww_status ww_app_merge(const ww_parallel *parallel, int count, char **words, ww_error *error);
ww_status ww_app_theory(const ww_parallel *parallel, int count, char **words, ww_error *error);
ww_status ww_app_list(const ww_parallel *parallel, int count, char **words, ww_error *error);

/// Runs the program: what `main` does between MPI_Init and MPI_Finalize. Collective.
ww_status ww_app_main(const ww_parallel *parallel, int count, char **words);

#endif
