// The kernels of panels.h in one precision. Read once for each, by a source that has defined
//   WW_REAL      the type,
//   WW_FMA       the function that multiplies and adds with one rounding,
//   WW_VERSIONS  the name of the table of versions.
// Hence no guard against being read twice.

#include "train/panels.h"

#include <string.h>

#define INLINED static inline __attribute__((always_inline))
// Loops over a few vectors, which are to be registers.
#define UNROLLED _Pragma("GCC unroll 16")
#define JOINED_(left, right) left##_##right
#define JOINED(left, right) JOINED_(left, right)

// A strip is as wide as sums are held in registers, and of as many samples as the nearest cache has
// room for then. Products are made with as many panels, one after the other, as the next one has.
enum {
    LANES = WW_LANES_BYTES / sizeof(WW_REAL),
    STRIP_LANES = 4,
    STRIP = STRIP_LANES * LANES,
    STRIP_SAMPLES = 64,
    PANEL_SAMPLES = 64
};

// Panels [panels, d, LANES]: samples side by side, with zeros after the last.
static void fill_panels(const double *inputs, int64_t samples, int64_t dimension, void *panels)
{
    WW_REAL *panel = panels;
    for (int64_t start = 0; start < samples; start += LANES, panel += dimension * LANES) {
        const int64_t count = samples - start < LANES ? samples - start : LANES;
        for (int64_t j = 0; j < dimension; j++)
            for (int64_t i = 0; i < LANES; i++)
                panel[j * LANES + i] = i < count ? (WW_REAL)inputs[(start + i) * dimension + j] : 0;
    }
}

// Columns with those of zeros after the last.
static int64_t padded(int64_t dimension)
{
    return (dimension + LANES - 1) / LANES * LANES;
}

// Strips [blocks of samples, strips, samples of the block, columns of the strip].
static void fill_strips(const double *inputs, int64_t samples, int64_t dimension, void *strips)
{
    WW_REAL *strip = strips;
    const int64_t columns = padded(dimension);
    for (int64_t first = 0; first < samples; first += STRIP_SAMPLES) {
        const int64_t end = first + STRIP_SAMPLES < samples ? first + STRIP_SAMPLES : samples;
        for (int64_t start = 0; start < columns; start += STRIP) {
            const int64_t width = columns - start < STRIP ? columns - start : STRIP;
            for (int64_t s = first; s < end; s++, strip += width)
                for (int64_t j = 0; j < width; j++)
                    strip[j] =
                        start + j < dimension ? (WW_REAL)inputs[s * dimension + start + j] : 0;
        }
    }
}

// Shape of a product: its columns, and how far apart rows and rows of results lie.
typedef struct product_task {
    int64_t columns, row_stride, product_stride;
} product_task;

// What is added to some rows: a term for each sample whose factor is not 0, in their order.
enum { TERM_ROWS = 32 };
typedef struct terms {
    int64_t counts[TERM_ROWS];
    uint8_t samples[TERM_ROWS][STRIP_SAMPLES];
    WW_REAL factors[TERM_ROWS][STRIP_SAMPLES];
} terms;

static void find_terms(WW_REAL scale, const WW_REAL *factors, int64_t stride, int64_t rows,
                       int64_t samples, terms *found)
{
    for (int64_t row = 0; row < rows; row++) {
        int64_t count = 0;
        for (int64_t s = 0; s < samples; s++) { // without a branch, which nobody could foresee
            const WW_REAL factor = scale * factors[row * stride + s];
            found->samples[row][count] = (uint8_t)s;
            found->factors[row][count] = factor;
            count += factor != 0;
        }
        found->counts[row] = count;
    }
}

// Tables of add_patterns: of the sums of all subsets of GROUP inputs, for as many inputs and
// columns as the nearest cache has room for. Half a strip, half a block of samples.
enum {
    GROUP = 5,
    ENTRIES = 1 << GROUP,
    TABLE_SAMPLES = STRIP_SAMPLES / 2,
    GROUPS = (TABLE_SAMPLES + GROUP - 1) / GROUP,
    TABLE_LANES = STRIP_LANES / 2,
    TABLE = TABLE_LANES * LANES,
    PATTERN_UNITS = 256,
    PATTERN_SAMPLES = 512
};
_Static_assert(TABLE_SAMPLES == 32, "the patterns of a table are one word");

// What add_patterns works with.
typedef struct pattern_room {
    WW_REAL tables[GROUPS * ENTRIES * TABLE];
    WW_REAL sums[PATTERN_UNITS * TABLE];
    uint32_t words[PATTERN_SAMPLES / TABLE_SAMPLES * PATTERN_UNITS];
} pattern_room;
_Static_assert(sizeof(pattern_room) == WW_PATTERN_ROOM_BYTES, "as much as is said");

// Words of patterns [units, samples], those of the same samples one after the other.
static void fill_words(const uint8_t *patterns, int64_t stride, int64_t units, int64_t samples,
                       uint32_t *words)
{
    for (int64_t unit = 0; unit < units; unit++)
        for (int64_t first = 0; first < samples; first += TABLE_SAMPLES) {
            const int64_t count = samples - first < TABLE_SAMPLES ? samples - first : TABLE_SAMPLES;
            uint32_t word = 0;
            memcpy(&word, patterns + unit * stride + first / 8, (size_t)((count + 7) / 8));
            words[first / TABLE_SAMPLES * PATTERN_UNITS + unit] = word;
        }
}

// Of every version: name, bytes of its vectors, and rows and panels at once, as many as there are
// registers for.
#define VERSION plain
#define TARGET
#define VECTOR_BYTES 16
#define ROWS 2
#define PANELS 1
#include "train/panels_version.h"

#define VERSION narrow
#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,fma")))
#else
#define TARGET
#endif
#define VECTOR_BYTES 32
#define ROWS 6
#define PANELS 1
#include "train/panels_version.h"

#define VERSION wide
#if defined(__x86_64__)
#define TARGET __attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,fma")))
#else
#define TARGET
#endif
#define VECTOR_BYTES 64
#define ROWS 8
#define PANELS 2
#include "train/panels_version.h"

#define KERNELS(name)                                                                              \
    {                                                                                              \
        fill_panels, fill_strips, products_##name, add_products_##name, accumulate_##name,         \
            add_patterns_##name                                                                    \
    }

const ww_panel_kernels WW_VERSIONS[WW_PANEL_VERSIONS] = {
    [WW_PANEL_PLAIN] = KERNELS(plain),
    [WW_PANEL_NARROW] = KERNELS(narrow),
    [WW_PANEL_WIDE] = KERNELS(wide),
};
