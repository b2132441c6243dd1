#include "store/array.h"

#include "store/hdf5_tools.h"
#include "widthwise/hash.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 16 << 20 }; // buffer for reading blocks only to hash or fill them

ww_array ww_array_none(void)
{
    return (ww_array){.id = H5I_INVALID_HID};
}

bool ww_array_exists(const ww_array *array)
{
    return array->id >= 0;
}

/// Type, extents and place of the open dataset into `array`. False: not one that we write.
static bool describe(ww_array *array)
{
    const hid_t type = H5Dget_type(array->id);
    const hid_t space = H5Dget_space(array->id);
    array->integer = H5Tequal(type, H5T_STD_I64LE) > 0;
    bool usable = array->integer || H5Tequal(type, H5T_IEEE_F64LE) > 0;
    array->rank = H5Sget_simple_extent_ndims(space);
    usable = usable && array->rank >= 0 && array->rank <= WW_ARRAY_RANK;
    if (usable) {
        hsize_t extent[WW_ARRAY_RANK] = {0};
        H5Sget_simple_extent_dims(space, extent, NULL);
        int64_t values = 1;
        for (int axis = 0; axis < array->rank && usable; axis++) {
            usable = extent[axis] <= INT64_MAX / WW_VALUE_BYTES;
            array->extent[axis] = (int64_t)extent[axis];
            usable = usable && !__builtin_mul_overflow(values, array->extent[axis], &values);
        }
        // Without a place in the file a write would have to change metadata.
        usable = usable && (values == 0 || H5Dget_offset(array->id) != HADDR_UNDEF);
    }
    H5Sclose(space);
    H5Tclose(type);
    return usable && (array->row_axis == 0 || array->rank == WW_ARRAY_RANK);
}

ww_status ww_array_open(hid_t file, const char *file_name, char *path, int row_axis,
                        ww_array *array, ww_error *error)
{
    *array = ww_array_none();
    if (path == NULL)
        return WW_FAILED;
    array->path = path;
    array->file = file_name;
    array->key = ww_hash_name(path);
    array->row_axis = row_axis;
    const ww_quiet quiet = ww_quiet_begin();
    ww_status status = WW_OK;
    array->id = H5Dopen2(file, path, H5P_DEFAULT);
    if (array->id < 0)
        status = ww_fail(error, WW_FAILED,
                         "%s: the dataset %s is missing or damaged; restore the file from a backup",
                         file_name, path);
    else if (!describe(array))
        status = ww_fail(error, WW_FAILED,
                         "%s: the dataset %s is not a contiguous array of int64 or double; the "
                         "file was changed or is damaged, restore it from a backup",
                         file_name, path);
    ww_quiet_end(&quiet);
    if (status != WW_OK)
        ww_array_close(array);
    return status;
}

void ww_array_close(ww_array *array)
{
    if (array->id >= 0) {
        const ww_quiet quiet = ww_quiet_begin();
        H5Dclose(array->id);
        ww_quiet_end(&quiet);
    }
    free(array->path);
    *array = ww_array_none();
}

int64_t ww_array_planes(const ww_array *array)
{
    return array->row_axis == 1 ? array->extent[0] : 1;
}

int64_t ww_array_rows(const ww_array *array)
{
    return array->rank == 0 ? 1 : array->extent[array->row_axis];
}

int64_t ww_array_row_values(const ww_array *array)
{
    int64_t values = 1;
    for (int axis = array->row_axis + 1; axis < array->rank; axis++)
        values *= array->extent[axis];
    return values;
}

/// One HDF5 call for `values` values at what is selected in `file_space`, which it closes. Either
/// `into` or `from` is NULL. `selected`: what the selection returned.
static ww_status transfer_selected(const ww_array *array, hid_t file_space, herr_t selected,
                                   hsize_t values, void *into, const void *from, ww_error *error)
{
    const hid_t type = array->integer ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
    const hid_t memory_space = H5Screate_simple(1, &values, NULL);
    herr_t result = memory_space < 0 ? -1 : selected;
    errno = 0;
    if (result >= 0 && into != NULL)
        result = H5Dread(array->id, type, memory_space, file_space, H5P_DEFAULT, into);
    else if (result >= 0)
        result = H5Dwrite(array->id, type, memory_space, file_space, H5P_DEFAULT, from);
    ww_status status = WW_OK;
    if (result < 0) {
        char reason[WW_REASON_SIZE];
        ww_hdf5_reason(reason, sizeof reason);
        status = ww_fail(error, WW_FAILED, "%s: cannot %s %s: %s", array->file,
                         into != NULL ? "read" : "write", array->path, reason);
    }
    H5Sclose(memory_space);
    H5Sclose(file_space);
    return status;
}

/// One HDF5 call for the box `start`, `count`. Either `into` or `from` is NULL.
static ww_status transfer(const ww_array *array, const int64_t *start, const int64_t *count,
                          void *into, const void *from, ww_error *error)
{
    hsize_t box_start[WW_ARRAY_RANK] = {0};
    hsize_t box_count[WW_ARRAY_RANK] = {0};
    hsize_t values = 1;
    for (int axis = 0; axis < array->rank; axis++) {
        WW_ASSERT(start[axis] >= 0 && count[axis] >= 0 &&
                  start[axis] + count[axis] <= array->extent[axis]);
        box_start[axis] = (hsize_t)start[axis];
        box_count[axis] = (hsize_t)count[axis];
        values *= box_count[axis];
    }
    if (values == 0)
        return WW_OK;
    const ww_quiet quiet = ww_quiet_begin();
    const hid_t file_space = H5Dget_space(array->id);
    herr_t selected = 0;
    if (array->rank > 0)
        selected =
            H5Sselect_hyperslab(file_space, H5S_SELECT_SET, box_start, NULL, box_count, NULL);
    const ww_status status =
        transfer_selected(array, file_space, selected, values, into, from, error);
    ww_quiet_end(&quiet);
    return status;
}

/// Rows in rounds of at most `limit` bytes.
static ww_status transfer_rows(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                               void *into, const void *from, int64_t limit, ww_error *error)
{
    const int64_t row_values = ww_array_row_values(array);
    int64_t round = row_values == 0 ? count : limit / (row_values * WW_VALUE_BYTES);
    if (round < 1)
        round = 1;
    int64_t start[WW_ARRAY_RANK] = {0};
    int64_t box[WW_ARRAY_RANK] = {0};
    for (int axis = 0; axis < array->rank; axis++)
        box[axis] = array->extent[axis];
    if (array->row_axis == 1) {
        start[0] = plane;
        box[0] = 1;
    }
    for (int64_t done = 0; done < count; done += round) {
        const int64_t rows = count - done < round ? count - done : round;
        start[array->row_axis] = first + done;
        box[array->row_axis] = rows;
        const int64_t skip = done * row_values * WW_VALUE_BYTES;
        WW_TRY(transfer(array, start, box, into == NULL ? NULL : (char *)into + skip,
                        from == NULL ? NULL : (const char *)from + skip, error));
    }
    return WW_OK;
}

ww_status ww_array_read_by(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                           void *values, int64_t limit, ww_error *error)
{
    return transfer_rows(array, plane, first, count, values, NULL, limit, error);
}

ww_status ww_array_write_by(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                            const void *values, int64_t limit, ww_error *error)
{
    return transfer_rows(array, plane, first, count, NULL, values, limit, error);
}

ww_status ww_array_read(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                        void *values, ww_error *error)
{
    return ww_array_read_by(array, plane, first, count, values, WW_TRANSFER_BYTES, error);
}

ww_status ww_array_write(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                         const void *values, ww_error *error)
{
    return ww_array_write_by(array, plane, first, count, values, WW_TRANSFER_BYTES, error);
}

void ww_array_begin_sync(const ww_array *array, int descriptor, int64_t plane, int64_t first,
                         int64_t count)
{
    const haddr_t place = H5Dget_offset(array->id);
    if (place == HADDR_UNDEF || descriptor < 0)
        return;
    const int64_t row_bytes = ww_array_row_values(array) * WW_VALUE_BYTES;
    const int64_t row = plane * ww_array_rows(array) + first;
    (void)sync_file_range(descriptor, (off64_t)place + row * row_bytes, count * row_bytes,
                          SYNC_FILE_RANGE_WRITE);
}

static ww_status transfer_columns(const ww_array *array, int64_t plane, int64_t first,
                                  int64_t count, void *into, const void *from, ww_error *error)
{
    WW_ASSERT(array->rank == 2 + array->row_axis);
    int64_t start[WW_ARRAY_RANK] = {0};
    int64_t box[WW_ARRAY_RANK] = {0};
    start[0] = plane; // of a stack; else it is 0
    box[0] = 1;
    box[array->row_axis] = ww_array_rows(array);
    start[array->row_axis + 1] = first;
    box[array->row_axis + 1] = count;
    return transfer(array, start, box, into, from, error);
}

ww_status ww_array_read_columns(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                                double *values, ww_error *error)
{
    return transfer_columns(array, plane, first, count, values, NULL, error);
}

ww_status ww_array_write_columns(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                                 const double *values, ww_error *error)
{
    return transfer_columns(array, plane, first, count, NULL, values, error);
}

ww_status ww_array_read_points(const ww_array *array, const int64_t *points, size_t count,
                               void *values, ww_error *error)
{
    const size_t rank = (size_t)array->rank;
    WW_ASSERT(rank > 0);
    if (count == 0)
        return WW_OK;
    hsize_t *places = ww_allocate(count * rank, sizeof *places, "places in a dataset", error);
    if (places == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < count * rank; i++) {
        WW_ASSERT(points[i] >= 0 && points[i] < array->extent[i % rank]);
        places[i] = (hsize_t)points[i];
    }
    const ww_quiet quiet = ww_quiet_begin();
    const hid_t file_space = H5Dget_space(array->id);
    const herr_t selected = H5Sselect_elements(file_space, H5S_SELECT_SET, count, places);
    const ww_status status =
        transfer_selected(array, file_space, selected, count, values, NULL, error);
    ww_quiet_end(&quiet);
    free(places);
    return status;
}

/// One plane of ww_array_copy.
static ww_status copy_plane(const ww_array *from, const ww_array *to, int64_t plane, int64_t rows,
                            int64_t chunk, void *buffer, ww_error *error)
{
    for (int64_t row = 0; row < rows; row += chunk) {
        const int64_t count = rows - row < chunk ? rows - row : chunk;
        WW_TRY(ww_array_read(from, plane, row, count, buffer, error));
        WW_TRY(ww_array_write(to, plane, row, count, buffer, error));
    }
    return WW_OK;
}

ww_status ww_array_copy(const ww_array *from, const ww_array *to, int64_t count, ww_error *error)
{
    WW_ASSERT(ww_array_row_values(from) == ww_array_row_values(to) &&
              from->integer == to->integer && from->row_axis == to->row_axis);
    const int64_t planes = from->row_axis == 1 ? count : 1;
    const int64_t rows = from->row_axis == 1 ? ww_array_rows(from) : count;
    const int64_t row_bytes = ww_array_row_values(to) * WW_VALUE_BYTES;
    if (rows == 0 || row_bytes == 0)
        return WW_OK;
    int64_t chunk = CHUNK_BYTES / row_bytes;
    chunk = chunk < 1 ? 1 : chunk > rows ? rows : chunk;
    void *buffer = ww_allocate((size_t)chunk, (size_t)row_bytes, "rows to be copied", error);
    if (buffer == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    for (int64_t plane = 0; plane < planes && status == WW_OK; plane++)
        status = copy_plane(from, to, plane, rows, chunk, buffer, error);
    free(buffer);
    return status;
}

/// Contiguous share of `count` things for `rank` of `size`.
static void share(int64_t count, int rank, int size, int64_t *first, int64_t *end)
{
    const int64_t each = count / size;
    const int64_t extra = count % size;
    *first = rank * each + (rank < extra ? rank : extra);
    *end = *first + each + (rank < extra ? 1 : 0);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/// Hash of rows that lie in memory, `first` of them being the first row of block `first /
/// block_rows`.
static uint64_t hash_rows(const ww_array *array, const void *values, int64_t first, int64_t count,
                          int64_t block_rows)
{
    const int64_t row_bytes = ww_array_row_values(array) * WW_VALUE_BYTES;
    uint64_t hash = 0;
    for (int64_t done = 0; done < count; done += block_rows) {
        const int64_t rows = smaller(block_rows, count - done);
        hash += ww_hash_block((const char *)values + done * row_bytes, (size_t)(rows * row_bytes),
                              array->key, (uint64_t)((first + done) / block_rows));
    }
    return hash;
}

ww_status ww_array_hash(const ww_array *array, int64_t rows, int64_t block_rows, int rank, int size,
                        uint64_t *hash, ww_error *error)
{
    WW_ASSERT(ww_array_planes(array) == 1 || array->row_axis == 0);
    WW_ASSERT(rows <= ww_array_rows(array));
    const int64_t row_bytes = ww_array_row_values(array) * WW_VALUE_BYTES;
    int64_t first_block = 0;
    int64_t end_block = 0;
    share((rows + block_rows - 1) / block_rows, rank, size, &first_block, &end_block);
    if (first_block == end_block)
        return WW_OK;
    int64_t chunk_blocks = row_bytes == 0 ? end_block : CHUNK_BYTES / row_bytes / block_rows;
    chunk_blocks = smaller(chunk_blocks < 1 ? 1 : chunk_blocks, end_block - first_block);
    const int64_t chunk_rows = smaller(chunk_blocks * block_rows, rows);
    void *buffer = ww_allocate((size_t)chunk_rows, (size_t)row_bytes, "a block to check", error);
    if (buffer == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    const int64_t end = smaller(end_block * block_rows, rows);
    for (int64_t row = first_block * block_rows; row < end && status == WW_OK; row += chunk_rows) {
        const int64_t count = smaller(chunk_rows, end - row);
        status = ww_array_read(array, 0, row, count, buffer, error);
        if (status == WW_OK)
            *hash += hash_rows(array, buffer, row, count, block_rows);
    }
    free(buffer);
    return status;
}

ww_status ww_array_write_share(const ww_array *array, const void *values, int64_t block_rows,
                               int rank, int size, uint64_t *hash, ww_error *error)
{
    const int64_t rows = ww_array_rows(array);
    const int64_t row_bytes = ww_array_row_values(array) * WW_VALUE_BYTES;
    int64_t first = 0;
    int64_t end = 0;
    share((rows + block_rows - 1) / block_rows, rank, size, &first, &end);
    first = smaller(first * block_rows, rows);
    end = smaller(end * block_rows, rows);
    const void *own = (const char *)values + first * row_bytes;
    WW_TRY(ww_array_write(array, 0, first, end - first, own, error));
    *hash += hash_rows(array, own, first, end - first, block_rows);
    return WW_OK;
}

ww_status ww_array_write_rows(const ww_array *array,
                              void (*row)(void *context, int64_t index, int64_t *values),
                              void *context, int64_t block_rows, int rank, int size, uint64_t *hash,
                              ww_error *error)
{
    const int64_t rows = ww_array_rows(array);
    const int64_t row_values = ww_array_row_values(array);
    const int64_t room = smaller(block_rows, rows);
    int64_t first = 0;
    int64_t end = 0;
    share((rows + block_rows - 1) / block_rows, rank, size, &first, &end);
    int64_t *values = ww_allocate((size_t)room * (size_t)row_values, sizeof *values,
                                  "a block of recorded rows", error);
    ww_status status = values == NULL ? WW_FAILED : WW_OK;
    for (int64_t block = first; block < end && status == WW_OK; block++) {
        const int64_t start = block * block_rows;
        const int64_t count = smaller(block_rows, rows - start);
        for (int64_t i = 0; i < count; i++)
            row(context, start + i, values + i * row_values);
        status = ww_array_write(array, 0, start, count, values, error);
        *hash += hash_rows(array, values, start, count, block_rows);
    }
    free(values);
    return status;
}

ww_status ww_array_blank(const ww_array *array, int64_t first, ww_error *error)
{
    const int64_t rows = ww_array_rows(array);
    const int64_t row_values = ww_array_row_values(array);
    if (first >= rows || row_values == 0)
        return WW_OK;
    int64_t chunk_rows = CHUNK_BYTES / (row_values * WW_VALUE_BYTES);
    chunk_rows = smaller(chunk_rows < 1 ? 1 : chunk_rows, rows - first);
    const int64_t values = chunk_rows * row_values;
    void *buffer = ww_allocate((size_t)values, WW_VALUE_BYTES, "blank rows", error);
    if (buffer == NULL)
        return WW_FAILED;
    int64_t *integers = buffer;
    double *reals = buffer;
    for (int64_t i = 0; i < values; i++) {
        if (array->integer)
            integers[i] = -1;
        else
            reals[i] = NAN;
    }
    ww_status status = WW_OK;
    for (int64_t row = first; row < rows && status == WW_OK; row += chunk_rows)
        status = ww_array_write(array, 0, row, smaller(chunk_rows, rows - row), buffer, error);
    free(buffer);
    return status;
}
