#define WW_REAL float
#define WW_FMA __builtin_fmaf
#define WW_VERSIONS ww_panel_single

#include "train/panels_real.h"
