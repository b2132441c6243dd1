/// Uniforms, integers and permutations.
#include "random/words.h"
#include "widthwise/error.h"

__extension__ typedef unsigned __int128 wide_word;

enum { WORDS_AT_ONCE = 2 * WW_BLOCKS_AT_ONCE };

/// Words to draw next when `left` are wanted still.
static size_t words_now(size_t left)
{
    return left < WORDS_AT_ONCE ? left : WORDS_AT_ONCE;
}

/// Words first .. first + count - 1 of the stream; count <= WORDS_AT_ONCE.
static void consecutive_words(ww_stream stream, uint64_t first, size_t count, uint64_t *words)
{
    uint64_t even[WW_BLOCKS_AT_ONCE + 1];
    uint64_t odd[WW_BLOCKS_AT_ONCE + 1];
    const size_t skip = first % 2;
    ww_random_words(stream, first / 2, (skip + count + 1) / 2, even, odd);
    for (size_t i = 0; i < count; ++i) {
        const size_t place = skip + i;
        words[i] = place % 2 == 0 ? even[place / 2] : odd[place / 2];
    }
}

/// floor(word * bound / 2^64): an integer below `bound`.
static uint64_t scaled(uint64_t word, uint64_t bound)
{
    return (uint64_t)(((wide_word)word * bound) >> 64);
}

void ww_uniforms(ww_stream stream, uint64_t first, size_t count, double *out)
{
    uint64_t words[WORDS_AT_ONCE];
    for (size_t done = 0; done < count; done += WORDS_AT_ONCE) {
        const size_t now = words_now(count - done);
        consecutive_words(stream, first + done, now, words);
        // Odd multiples of 2^-53: symmetric around 1/2, never 0 or 1, exact in a double.
        for (size_t i = 0; i < now; ++i)
            out[done + i] = ((double)(int64_t)(words[i] >> 12) + 0.5) * 0x1p-52;
    }
}

void ww_integers(ww_stream stream, uint64_t first, size_t count, int64_t bound, int64_t *out)
{
    WW_ASSERT(bound >= 1);
    uint64_t words[WORDS_AT_ONCE];
    for (size_t done = 0; done < count; done += WORDS_AT_ONCE) {
        const size_t now = words_now(count - done);
        consecutive_words(stream, first + done, now, words);
        for (size_t i = 0; i < now; ++i)
            out[done + i] = (int64_t)scaled(words[i], (uint64_t)bound);
    }
}

void ww_permutation(ww_stream stream, int64_t count, int64_t *out)
{
    WW_ASSERT(count >= 0);
    for (int64_t i = 0; i < count; ++i)
        out[i] = i;
    // Place i takes one of those still left, at i .. count - 1, by word i.
    uint64_t words[WORDS_AT_ONCE];
    for (int64_t done = 0; done < count; done += WORDS_AT_ONCE) {
        const int64_t now = (int64_t)words_now((size_t)(count - done));
        consecutive_words(stream, (uint64_t)done, (size_t)now, words);
        for (int64_t i = done; i < done + now; ++i) {
            const int64_t other = i + (int64_t)scaled(words[i - done], (uint64_t)(count - i));
            const int64_t value = out[other];
            out[other] = out[i];
            out[i] = value;
        }
    }
}
