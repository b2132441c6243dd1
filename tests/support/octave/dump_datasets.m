function dump_datasets(files)
% Prints a line for each dataset of each file, as Octave's `load` reads it: file, path, type,
% extents and MD5 (checksum.m), separated by tabs.
    for k = 1:numel(files)
        dump_group(files{k}, '', load('-hdf5', files{k}));
    end
end

function dump_group(file, path, group)
    for name = fieldnames(group)'
        below = [path '/' name{1}];
        value = group.(name{1});
        if isstruct(value)
            dump_group(file, below, value);
        else
            printf('%s\t%s\t%s\t%s\t%s\n', file, below, class(value), mat2str(size(value)), ...
                   checksum(value));
        end
    end
end
