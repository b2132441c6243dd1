/// What keys make of each other: values that follow from others, and what they require together.
#ifndef WIDTHWISE_CONFIG_CHECK_H
#define WIDTHWISE_CONFIG_CHECK_H

#include "config/layers.h"

/// Sets the choices that nobody gave, that follow from which keys are given, and that decide which
/// keys are in use. Before any key is read.
void ww_config_derive_choices(ww_config *config, const ww_given *given);

/// Sets the keys that nobody gave and whose value follows from others (WW_DEFAULT_DERIVED). `given`
/// is by position in the table of keys.
ww_status ww_config_derive(ww_config *config, const ww_given *given, ww_error *error);

/// Checks what keys require of each other in one complete configuration.
ww_status ww_config_check(const ww_config *config, const ww_given *given, ww_error *error);

/// The part of it that is about the data set. check_data.c
ww_status ww_config_check_data(const ww_config *config, ww_error *error);

/// Checks that no two members have replicas that are the same run: statistics over them would count
/// it twice.
ww_status ww_experiment_check_overlap(const ww_experiment *experiment, const char *origin,
                                      ww_error *error);

/// WW_USAGE with the sentence "WHERE: KEY ...".
ww_status ww_config_refuse(const ww_config *config, const char *key, ww_error *error,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/// Whether somebody gave the key.
bool ww_is_given(const ww_given *given, const char *key);

/// Whether samples are read from files, which have an end.
bool ww_source_reads_files(ww_source source);

/// WW_USAGE: the key at `index` was given, but has no effect in `config`.
ww_status ww_refuse_unused(const ww_config *config, size_t index, const ww_place *place,
                           ww_error *error);

#endif
