#define WW_REAL double
#define WW_FMA __builtin_fma
#define WW_VERSIONS ww_panel_double

#include "train/panels_real.h"
