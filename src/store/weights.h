/// Weights of one step between memory and file, with their hash: one block for each tile of the
/// hidden weights of each layer, and one for the output weights of each tile as [k, tile units].
///
/// All functions work on this rank's tiles alone and add their share to `*hash`; the sum over ranks
/// is the hash of the whole, however many ranks there are. None is collective.
#ifndef WIDTHWISE_STORE_WEIGHTS_H
#define WIDTHWISE_STORE_WEIGHTS_H

#include "store/member.h"
#include "widthwise/parallel.h"
#include "widthwise/store.h"

#include <stdint.h>

/// Writes the hidden weights of all layers from `source`, tile by tile, into plane `plane`. What is
/// written is on its way to the disk early: the file is also open as `descriptor` (-1: it is not).
ww_status ww_weights_write_layers(const ww_array_list *layers, int64_t plane,
                                  const ww_tiling *tiling, const ww_weights_source *source,
                                  int descriptor, uint64_t *hash, ww_error *error);

/// The same of what the engine keeps of each unit.
ww_status ww_weights_write_state(const ww_array *state, const ww_tiling *tiling,
                                 const ww_weights_source *source, int descriptor, uint64_t *hash,
                                 ww_error *error);

/// Writes output weights into plane `plane`, `values` [local units, k] in memory, [k, m] in the
/// file.
ww_status ww_weights_write_output(const ww_array *output, int64_t plane, const ww_tiling *tiling,
                                  const double *values, uint64_t *hash, ww_error *error);

/// Reads this rank's hidden weights of all layers, a few tiles at once, and hands them to `target`
/// tile by tile.
ww_status ww_weights_read_layers(const ww_array_list *layers, const ww_tiling *tiling,
                                 const ww_weights_target *target, uint64_t *hash, ww_error *error);

/// The same of what the engine keeps beside them.
ww_status ww_weights_read_state(const ww_array *state, const ww_tiling *tiling,
                                const ww_weights_target *target, uint64_t *hash, ww_error *error);

/// Bytes that this takes on a rank, for a layer of so many columns. Pure.
int64_t ww_weights_layer_room_bytes(int64_t columns, const ww_tiling *tiling);

/// Reads this rank's units of one matrix [m, columns] into `values` [local units, columns].
ww_status ww_weights_read_units(const ww_array *matrix, const ww_tiling *tiling, double *values,
                                uint64_t *hash, ww_error *error);

/// Reads this rank's output weights of plane `plane` into `values` [local units, k]; only hashes
/// them where it is NULL.
ww_status ww_weights_read_output(const ww_array *output, int64_t plane, const ww_tiling *tiling,
                                 double *values, uint64_t *hash, ww_error *error);

/// Bytes that output weights on their way take. Pure.
int64_t ww_weights_room_bytes(int64_t outputs, const ww_tiling *tiling);

/// Reads hidden weights of plane `plane`, or one matrix [m, columns], only to hash them, a tile at
/// a time.
ww_status ww_weights_hash_layers(const ww_array_list *layers, int64_t plane,
                                 const ww_tiling *tiling, uint64_t *hash, ww_error *error);
ww_status ww_weights_hash_units(const ww_array *matrix, int64_t plane, const ww_tiling *tiling,
                                uint64_t *hash, ww_error *error);

#endif
