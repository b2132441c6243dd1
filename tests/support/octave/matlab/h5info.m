function info = h5info(file, path)
% Stands in for MATLAB's function of that name: the group at `path` with all below it.
    persistent known trees
    if isempty(known)
        known = {};
    end
    place = find(strcmp(file, known), 1);
    if isempty(place)
        known{end + 1} = file;
        trees{end + 1} = jsondecode(fileread([file '.json']));
        place = numel(known);
    end
    info = trees{place};
    parts = strsplit(path, '/');
    for part = parts(~cellfun(@isempty, parts))
        found = false;
        for i = 1:numel(info.Groups)
            if strcmp(info.Groups(i).Name, regexprep([info.Name '/' part{1}], '^//', '/'))
                info = info.Groups(i);
                found = true;
                break
            end
        end
        if ~found
            error('h5info: %s has no %s', file, path);
        end
    end
end
