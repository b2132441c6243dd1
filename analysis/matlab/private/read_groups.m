function tree = read_groups(file, names, wanted)
% Groups of the root as structs of structs; those that the file lacks are left out. With `wanted`
% only datasets whose paths match that expression are needed: MATLAB reads no others, Octave cannot
% choose.
    if nargin < 3
        wanted = '.';
    end
    if ~has_h5read()
        tree = load_groups(file, names);
        return
    end
    tree = struct();
    there = names_in(file, '/');
    for i = 1:numel(names)
        if any(strcmp(names{i}, there))
            tree.(names{i}) = read_group(file, h5info(file, ['/' names{i}]), wanted);
        end
    end
end

function tree = load_groups(file, names)
% The same in Octave, which fails where none of the groups is there: so one that every file has is
% among them.
    try
        tree = load('-hdf5', file, 'provenance', names{:});
    catch reason
        error('widthwise:file', '%s: not a file of Widthwise (%s)', file, reason.message);
    end
    if ~any(strcmp(names, 'provenance'))
        tree = rmfield(tree, 'provenance');
    end
end

function tree = read_group(file, info, wanted)
    tree = struct();
    for i = 1:numel(info.Datasets)
        name = info.Datasets(i).Name;
        path = [info.Name '/' name];
        if ~isempty(regexp(path, wanted, 'once'))
            tree.(name) = h5read(file, path);
        end
    end
    for i = 1:numel(info.Groups)
        parts = strsplit(info.Groups(i).Name, '/');
        tree.(parts{end}) = read_group(file, info.Groups(i), wanted);
    end
end
