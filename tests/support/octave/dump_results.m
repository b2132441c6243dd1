function dump_results(files, varargin)
% Prints a line for everything that widthwise_load gives of each file: file, run, where it stands,
% its type and extents, and MD5, separated by tabs.
    for k = 1:numel(files)
        results = widthwise_load(files{k}, varargin{:});
        for run = results.runs
            start = sprintf('%s\t%s', files{k}, run.name);
            dump_group(start, '', rmfield(run, {'descriptions', 'sources'}));
        end
    end
end

function dump_group(start, path, group)
    for name = fieldnames(group)'
        below = [path '/' name{1}];
        value = group.(name{1});
        if isstruct(value)
            dump_group(start, below, value);
        elseif ischar(value)
            printf('%s\t%s\ttext\t%s\n', start, below, hash('md5', value));
        else
            printf('%s\t%s\t%s %s\t%s\n', start, below, class(value), ...
                   strjoin(strsplit(num2str(size(value))), 'x'), checksum(value));
        end
    end
end
