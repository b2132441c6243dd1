function sum = checksum(value)
% MD5 of the bytes of an array in memory; of texts, of the rows without what they are filled up
% with, separated by newlines.
    if ischar(value)
        rows = cellfun(@(row) regexprep(row, '[ \0]+$', ''), cellstr_of(value), ...
                       'UniformOutput', false);
        sum = hash('md5', strjoin(rows, "\n"));
    else
        sum = hash('md5', typecast(value(:).', 'char'));
    end
end

function rows = cellstr_of(value)
% As cellstr, which takes blanks away itself, but newlines too.
    rows = cell(1, size(value, 1));
    for i = 1:numel(rows)
        rows{i} = value(i, :);
    end
end
