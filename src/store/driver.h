/// A serial HDF5 file driver for making files and changing their structure.
///
/// HDF5 does not survive a write that fails while it closes a file: what is left crashes it when
/// the program ends. So this driver remembers the first failure and lets HDF5 go on; whoever used
/// it asks afterwards. It takes no lock on the file, so that no reader can refuse it.
#ifndef WIDTHWISE_STORE_DRIVER_H
#define WIDTHWISE_STORE_DRIVER_H

#include "widthwise/error.h"

#include <hdf5.h>

/// One use of the driver: for one file, opened and closed between begin and end.
typedef struct ww_driver {
    hid_t id;     ///< of the driver
    hid_t access; ///< file access properties to open the file with
    int failure;  ///< errno of the first write that failed, 0 for none
} ww_driver;

/// Not collective; `driver` must stay where it is until the end.
void ww_driver_begin(ww_driver *driver);

/// To be called when the file is closed. WW_FAILED with the reason when a write to `file_name`
/// failed, whatever HDF5 said.
ww_status ww_driver_end(ww_driver *driver, const char *file_name, ww_error *error);

#endif
