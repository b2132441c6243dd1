function state = committed_state(file)
% What counts of each run, by name, as its commit pages say; struct() in an export: all of it does.
%
% hdf5-schema/README.md has the words of the pages, which it counts from 0.
    state = struct();
    for attempt = 1:5
        pages = read_pages(file);
        names = fieldnames(pages);
        if isempty(names)
            return
        end
        newest = newest_pages(cellfun(@(name) pages.(name), names, 'UniformOutput', false));
        bad = find(newest(1, :) == 0);
        if isempty(bad) % else a job may have changed both while they were being read
            for i = 1:numel(names)
                state.(names{i}) = decode_page(newest(:, i));
            end
            return
        end
    end
    error('widthwise:file', ...
          ['%s: neither commit page of %s checks; `widthwise verify` says what is left of ' ...
           'the file'], file, names{bad(1)});
end

function pages = read_pages(file)
    pages = struct();
    if has_h5read()
        for name = names_in(file, '/state')
            pages.(name{1}) = h5read(file, ['/state/' name{1} '/commit']);
        end
        return
    end
    refuse_large(file);
    tree = read_groups(file, {'state'});
    if isfield(tree, 'state')
        for name = fieldnames(tree.state)'
            pages.(name{1}) = tree.state.(name{1}).commit;
        end
    end
end

function refuse_large(file)
% Octave would load all checkpoints of a file that the program works on; an export has none.
    limit = 2^30;
    found = dir(file);
    if found(1).bytes > limit && isempty(fieldnames(read_groups(file, {'legend'})))
        error('widthwise:file', ...
              ['%s has %.1f GB, which Octave would load as a whole; make a copy with ' ...
               '`widthwise export %s` and load that'], file, found(1).bytes / 1e9, file);
    end
end

function newest = newest_pages(pages)
% Of each pair of pages, 512 x 2, the one that counts; zeros where neither checks.
    words = [pages{:}]; % 512 x 2 runs
    bytes = reshape(typecast(words(:), 'uint8'), 4096, []);
    sums = crc32(bytes(1:4088, :));
    magic = typecast(uint8('WWCOMMIT'), 'int64');
    good = words(1, :) == magic & words(2, :) == 1 & words(512, :) == int64(sums);
    generation = reshape(double(words(3, :)) .* good - ~good, 2, []);
    [best, place] = max(generation, [], 1);
    newest = words(:, 2 * (0:numel(place) - 1) + place);
    newest(:, best < 0) = 0;
end

function sums = crc32(bytes)
% CRC-32 of each column, that of zlib.
    table = uint32(0:255);
    for bit = 1:8
        odd = bitand(table, 1) == 1;
        table = bitshift(table, -1);
        table(odd) = bitxor(table(odd), uint32(3988292384));
    end
    sums = repmat(intmax('uint32'), 1, size(bytes, 2));
    bytes = uint32(bytes);
    for i = 1:size(bytes, 1)
        place = double(bitand(bitxor(sums, bytes(i, :)), 255)) + 1;
        sums = bitxor(table(place), bitshift(sums, -8));
    end
    sums = bitxor(sums, intmax('uint32'));
end

function said = decode_page(page)
    word = double(page);
    said = struct('state', word(4), 'rows', word(5), 'last_step', word(7), ...
                  'final', word(8) ~= 0, 'theory', word(10) ~= 0, 'record', word(12) ~= 0, ...
                  'snapshots', word(14), 'gram', word(16) ~= 0, 'spectrum', word(21) ~= 0, ...
                  'slot', -1, 'step', -1);
    for slot = 0:1
        first = 33 + 16 * slot;
        if word(first) ~= 0 && word(first + 1) > said.step
            said.slot = slot;
            said.step = word(first + 1);
        end
    end
end
