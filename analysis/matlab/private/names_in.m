function names = names_in(file, group)
% Names of the groups in a group, a row; none where it is not there.
    names = cell(1, 0);
    try
        info = h5info(file, group);
    catch
        return
    end
    for i = 1:numel(info.Groups)
        parts = strsplit(info.Groups(i).Name, '/');
        names{i} = parts{end};
    end
end
