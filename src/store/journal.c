#include "store/journal.h"

#include "store/disk.h"
#include "widthwise/hash.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JOURNAL_VERSION = 2, CHUNK_BYTES = 1 << 20 };

/// The head of a journal. A table of `pieces` extents follows, then their bytes one after the
/// other, and at the end one word: the hash of all that.
enum {
    HEAD_MAGIC,
    HEAD_VERSION,
    HEAD_FILE_BYTES,
    HEAD_MARK_OFFSET,
    HEAD_MARK,                        ///< as it is in the file while the change lasts
    HEAD_MARK_BEFORE = HEAD_MARK + 2, ///< its second word as it was
    HEAD_PIECES,
    HEAD_WORDS
};

static int64_t magic_word(void)
{
    int64_t word = 0;
    memcpy(&word, "WWUNDO__", sizeof word);
    return word;
}

/// An open file with its name, for messages.
typedef struct stream {
    int descriptor;
    const char *name;
} stream;

static ww_status fail_system(const stream *file, const char *what, ww_error *error)
{
    return ww_fail(error, WW_FAILED, "cannot %s %s: %s", what, file->name, strerror(errno));
}

static ww_status write_at(const stream *file, const void *data, int64_t bytes, int64_t offset,
                          ww_error *error)
{
    const char *position = data;
    while (bytes > 0) {
        const ssize_t written = pwrite(file->descriptor, position, (size_t)bytes, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail_system(file, "write", error);
        position += written;
        offset += written;
        bytes -= written;
    }
    return WW_OK;
}

static ww_status read_at(const stream *file, void *data, int64_t bytes, int64_t offset,
                         ww_error *error)
{
    char *position = data;
    while (bytes > 0) {
        const ssize_t got = pread(file->descriptor, position, (size_t)bytes, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            return ww_fail(error, WW_FAILED, "%s ends too early", file->name);
        if (got < 0)
            return fail_system(file, "read", error);
        position += got;
        offset += got;
        bytes -= got;
    }
    return WW_OK;
}

static ww_status sync_file(const stream *file, ww_error *error)
{
    while (fsync(file->descriptor) != 0)
        if (errno != EINTR)
            return fail_system(file, "bring to the disk", error);
    return WW_OK;
}

static char *journal_name(const char *path, ww_error *error)
{
    return ww_name_beside(path, ".undo", error);
}

static char *temporary_name(const char *path, ww_error *error)
{
    return ww_name_beside(path, ".undo.tmp", error);
}

ww_extent ww_journal_mark_extent(const ww_journal_mark *mark)
{
    return (ww_extent){.offset = mark->offset + (int64_t)sizeof mark->words[0],
                       .bytes = (int64_t)sizeof mark->words[1]};
}

static ww_status draw_word(int64_t *word, ww_error *error)
{
    if (getrandom(word, sizeof *word, 0) == (ssize_t)sizeof *word)
        return WW_OK;
    return ww_fail(error, WW_FAILED, "the system gives no random numbers: %s", strerror(errno));
}

/// Puts a word into the place of the mark's second one, durably.
static ww_status write_word(const stream *file, int64_t mark_offset, int64_t word, ww_error *error)
{
    const ww_journal_mark mark = {.offset = mark_offset};
    WW_TRY(
        write_at(file, &word, (int64_t)sizeof word, ww_journal_mark_extent(&mark).offset, error));
    return sync_file(file, error);
}

/// The same by name.
static ww_status write_word_into(const char *path, int64_t mark_offset, int64_t word,
                                 ww_error *error)
{
    const stream file = {open(path, O_RDWR | O_CLOEXEC), path};
    if (file.descriptor < 0)
        return fail_system(&file, "write", error);
    const ww_status status = write_word(&file, mark_offset, word, error);
    close(file.descriptor);
    return status;
}

/// The kept extents [count] and the mark's word, which is not put back with the rest, into
/// `all` [count + 1], sorted.
static void keep_mark(const ww_extent *kept, size_t count, const ww_journal_mark *mark,
                      ww_extent *all)
{
    const ww_extent own = ww_journal_mark_extent(mark);
    size_t before = 0;
    while (before < count && kept[before].offset < own.offset)
        before++;
    for (size_t i = 0; i < count; i++)
        all[i < before ? i : i + 1] = kept[i];
    all[before] = own;
}

/// What stands between the kept extents, into `pieces` [count + 1]; returns their number.
static size_t complement(const ww_extent *kept, size_t count, int64_t file_bytes, ww_extent *pieces)
{
    size_t number = 0;
    int64_t position = 0;
    for (size_t i = 0; i <= count; i++) {
        const int64_t end = i < count ? kept[i].offset : file_bytes;
        if (end > position)
            pieces[number++] = (ww_extent){.offset = position, .bytes = end - position};
        if (i < count)
            position = kept[i].offset + kept[i].bytes;
    }
    return number;
}

/// Copies the bytes of all pieces between journal and file, in the direction of `restores`, and
/// adds their hash. Where neither is asked for (`file` NULL) they are read only to be hashed.
static ww_status copy_pieces(const stream *journal, const stream *file, bool restores,
                             const ww_extent *pieces, size_t count, int64_t *place, uint64_t *hash,
                             ww_error *error)
{
    char *buffer = ww_allocate(CHUNK_BYTES, 1, "a part of the journal", error);
    if (buffer == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    uint64_t number = 1;
    for (size_t i = 0; i < count && status == WW_OK; i++) {
        int64_t done = 0;
        while (done < pieces[i].bytes && status == WW_OK) {
            const int64_t left = pieces[i].bytes - done;
            const int64_t bytes = left < CHUNK_BYTES ? left : CHUNK_BYTES;
            const int64_t offset = pieces[i].offset + done;
            if (file != NULL && !restores) {
                status = read_at(file, buffer, bytes, offset, error);
                if (status == WW_OK)
                    status = write_at(journal, buffer, bytes, *place, error);
            } else {
                status = read_at(journal, buffer, bytes, *place, error);
                if (status == WW_OK && restores)
                    status = write_at(file, buffer, bytes, offset, error);
            }
            *hash += ww_hash_block(buffer, (size_t)bytes, (uint64_t)magic_word(), number++);
            *place += bytes;
            done += bytes;
        }
    }
    free(buffer);
    return status;
}

static uint64_t head_hash(const int64_t *head, const ww_extent *pieces, size_t count)
{
    return ww_hash_block(head, HEAD_WORDS * sizeof *head, (uint64_t)magic_word(), 0) +
           ww_hash_block(pieces, count * sizeof *pieces, (uint64_t)magic_word(), UINT64_MAX);
}

/// Fills the open journal from the open file.
static ww_status fill_journal(const stream *journal, const stream *file, const ww_extent *kept,
                              size_t count, const ww_journal_mark *mark, int64_t word,
                              ww_error *error)
{
    struct stat found;
    if (fstat(file->descriptor, &found) != 0)
        return fail_system(file, "read", error);
    ww_extent *pieces = ww_allocate(count + 1, sizeof *pieces, "the table of the journal", error);
    if (pieces == NULL)
        return WW_FAILED;
    const size_t number = complement(kept, count, (int64_t)found.st_size, pieces);
    const int64_t head[HEAD_WORDS] = {[HEAD_MAGIC] = magic_word(),
                                      [HEAD_VERSION] = JOURNAL_VERSION,
                                      [HEAD_FILE_BYTES] = (int64_t)found.st_size,
                                      [HEAD_MARK_OFFSET] = mark->offset,
                                      [HEAD_MARK] = mark->words[0],
                                      [HEAD_MARK + 1] = word,
                                      [HEAD_MARK_BEFORE] = mark->words[1],
                                      [HEAD_PIECES] = (int64_t)number};
    uint64_t hash = head_hash(head, pieces, number);
    const int64_t table_bytes = (int64_t)(number * sizeof *pieces);
    int64_t place = (int64_t)sizeof head + table_bytes;
    ww_status status = write_at(journal, head, (int64_t)sizeof head, 0, error);
    if (status == WW_OK)
        status = write_at(journal, pieces, table_bytes, (int64_t)sizeof head, error);
    if (status == WW_OK)
        status = copy_pieces(journal, file, false, pieces, number, &place, &hash, error);
    if (status == WW_OK)
        status = write_at(journal, &hash, (int64_t)sizeof hash, place, error);
    if (status == WW_OK)
        status = sync_file(journal, error);
    free(pieces);
    return status;
}

static ww_status write_temporary(const char *path, const char *temporary, const ww_extent *kept,
                                 size_t count, const ww_journal_mark *mark, int64_t word,
                                 ww_error *error)
{
    const stream file = {open(path, O_RDONLY | O_CLOEXEC), path};
    if (file.descriptor < 0)
        return fail_system(&file, "read", error);
    const stream journal = {open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666),
                            temporary};
    ww_status status = journal.descriptor < 0 ? fail_system(&journal, "make", error) : WW_OK;
    if (status == WW_OK) {
        status = fill_journal(&journal, &file, kept, count, mark, word, error);
        close(journal.descriptor);
        if (status != WW_OK)
            (void)unlink(temporary);
    }
    close(file.descriptor);
    return status;
}

/// Brings the journal to the disk under its name.
static ww_status write_journal(const char *path, const ww_extent *kept, size_t count,
                               const ww_journal_mark *mark, int64_t word, ww_error *error)
{
    char *name = journal_name(path, error);
    char *temporary = temporary_name(path, error);
    ww_status status = name == NULL || temporary == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK)
        status = write_temporary(path, temporary, kept, count, mark, word, error);
    if (status == WW_OK && rename(temporary, name) != 0) {
        status = ww_fail(error, WW_FAILED, "cannot rename %s to %s: %s", temporary, name,
                         strerror(errno));
        (void)unlink(temporary);
    }
    if (status == WW_OK)
        status = ww_sync_folder_of(name, error);
    free(name);
    free(temporary);
    return status;
}

ww_status ww_journal_begin(const char *path, const ww_extent *kept, size_t count,
                           const ww_journal_mark *mark, ww_error *error)
{
    int64_t word = 0;
    WW_TRY(draw_word(&word, error));
    ww_extent *all = ww_allocate(count + 1, sizeof *all, "the table of the journal", error);
    if (all == NULL)
        return WW_FAILED;
    keep_mark(kept, count, mark, all);
    ww_status status = write_journal(path, all, count + 1, mark, word, error);
    free(all);
    WW_TRY(status);
    status = write_word_into(path, mark->offset, word, error);
    if (status != WW_OK)
        (void)ww_journal_remove(path, NULL); // nothing else was touched
    return status;
}

ww_status ww_journal_end(const char *path, const ww_journal_mark *mark, ww_error *error)
{
    int64_t word = 0;
    WW_TRY(draw_word(&word, error));
    WW_TRY(write_word_into(path, mark->offset, word, error));
    return ww_journal_remove(path, error);
}

ww_status ww_journal_remove(const char *path, ww_error *error)
{
    char *name = journal_name(path, error);
    if (name == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    if (unlink(name) != 0 && errno != ENOENT)
        status = ww_fail(error, WW_FAILED, "cannot remove %s: %s", name, strerror(errno));
    if (status == WW_OK)
        status = ww_sync_folder_of(name, error);
    free(name);
    return status;
}

bool ww_journal_exists(const char *path)
{
    char *name = journal_name(path, NULL);
    const bool exists = name != NULL && access(name, F_OK) == 0;
    free(name);
    return exists;
}

/// A journal as it was read.
typedef struct contents {
    int64_t head[HEAD_WORDS];
    ww_extent *pieces; ///< [head[HEAD_PIECES]]
    int64_t data;      ///< where the bytes of the pieces begin
} contents;

static ww_status fail_journal(const stream *journal, ww_error *error)
{
    return ww_fail(error, WW_FAILED,
                   "%s is damaged, so the change of the file's structure that it belongs to cannot "
                   "be undone; restore both from a backup",
                   journal->name);
}

/// Extents are in order, apart, and inside the file, and the journal is as long as they say.
static bool table_is_sound(const contents *journal, int64_t journal_bytes)
{
    int64_t position = 0;
    int64_t sum = 0;
    for (int64_t i = 0; i < journal->head[HEAD_PIECES]; i++) {
        const ww_extent *piece = &journal->pieces[i];
        if (piece->offset < position || piece->bytes <= 0 ||
            piece->bytes > journal->head[HEAD_FILE_BYTES] - piece->offset)
            return false;
        position = piece->offset + piece->bytes;
        sum += piece->bytes;
    }
    return sum == journal_bytes - journal->data - (int64_t)sizeof(uint64_t);
}

/// Reads head and table, and holds the whole journal against its hash.
static ww_status read_journal(const stream *journal, contents *read, ww_error *error)
{
    struct stat found;
    if (fstat(journal->descriptor, &found) != 0)
        return fail_system(journal, "read", error);
    const int64_t bytes = (int64_t)found.st_size;
    if (bytes < (int64_t)sizeof read->head)
        return fail_journal(journal, error);
    WW_TRY(read_at(journal, read->head, (int64_t)sizeof read->head, 0, error));
    const int64_t pieces = read->head[HEAD_PIECES];
    if (read->head[HEAD_MAGIC] != magic_word() || read->head[HEAD_VERSION] != JOURNAL_VERSION ||
        read->head[HEAD_FILE_BYTES] < 0 || pieces < 0 ||
        pieces > (bytes - (int64_t)sizeof read->head) / (int64_t)sizeof *read->pieces)
        return fail_journal(journal, error);
    read->pieces =
        ww_allocate((size_t)pieces, sizeof *read->pieces, "the table of the journal", error);
    if (read->pieces == NULL)
        return WW_FAILED;
    const int64_t table_bytes = pieces * (int64_t)sizeof *read->pieces;
    read->data = (int64_t)sizeof read->head + table_bytes;
    WW_TRY(read_at(journal, read->pieces, table_bytes, (int64_t)sizeof read->head, error));
    if (!table_is_sound(read, bytes))
        return fail_journal(journal, error);
    uint64_t hash = head_hash(read->head, read->pieces, (size_t)pieces);
    uint64_t stored = 0;
    int64_t place = read->data;
    WW_TRY(copy_pieces(journal, NULL, false, read->pieces, (size_t)pieces, &place, &hash, error));
    WW_TRY(read_at(journal, &stored, (int64_t)sizeof stored, place, error));
    return hash == stored ? WW_OK : fail_journal(journal, error);
}

/// Whether the file is in the middle of the journal's change. A word that was torn while it was
/// written is neither: then nothing of the change was written yet, or all of it is on the disk.
static bool belongs(const stream *file, const contents *journal)
{
    int64_t words[2] = {0};
    ww_error ignored = {0};
    return read_at(file, words, (int64_t)sizeof words, journal->head[HEAD_MARK_OFFSET], &ignored) ==
               WW_OK &&
           memcmp(words, journal->head + HEAD_MARK, sizeof words) == 0;
}

static ww_status put_back(const stream *journal, const stream *file, const contents *read,
                          ww_error *error)
{
    uint64_t hash = 0;
    int64_t place = read->data;
    WW_TRY(copy_pieces(journal, file, true, read->pieces, (size_t)read->head[HEAD_PIECES], &place,
                       &hash, error));
    if (ftruncate(file->descriptor, (off_t)read->head[HEAD_FILE_BYTES]) != 0)
        return fail_system(file, "cut back", error);
    WW_TRY(sync_file(file, error));
    // Last, since a journal that does not belong to the file is not used again.
    return write_word(file, read->head[HEAD_MARK_OFFSET], read->head[HEAD_MARK_BEFORE], error);
}

static ww_status recover(const stream *journal, const char *path, bool *recovered, ww_error *error)
{
    contents read = {0};
    ww_status status = read_journal(journal, &read, error);
    const stream file = {status == WW_OK ? open(path, O_RDWR | O_CLOEXEC) : -1, path};
    if (status == WW_OK && file.descriptor < 0)
        status = fail_system(&file, "write", error);
    if (status == WW_OK && belongs(&file, &read)) {
        status = put_back(journal, &file, &read, error);
        *recovered = status == WW_OK;
    }
    if (file.descriptor >= 0)
        close(file.descriptor);
    free(read.pieces);
    return status == WW_OK ? ww_journal_remove(path, error) : status;
}

ww_status ww_journal_recover(const char *path, bool *recovered, ww_error *error)
{
    *recovered = false;
    char *name = journal_name(path, error);
    char *temporary = temporary_name(path, error);
    ww_status status = name == NULL || temporary == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK) {
        (void)unlink(temporary); // its rename never came, so the file was not touched
        const stream journal = {open(name, O_RDONLY | O_CLOEXEC), name};
        if (journal.descriptor >= 0) {
            status = recover(&journal, path, recovered, error);
            close(journal.descriptor);
        } else if (errno != ENOENT) {
            status = fail_system(&journal, "read", error);
        }
    }
    free(name);
    free(temporary);
    return status;
}
