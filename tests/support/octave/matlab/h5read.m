function values = h5read(file, path)
% Stands in for MATLAB's function of that name, to run in Octave what MATLAB runs: one dataset, with
% its dimensions reversed; one axis makes a column, texts a cell. `FILE.json` (matlab_tree of
% test_octave.py) tells how many axes there are, which Octave does not.
    parts = strsplit(path(2:end), '/');
    values = load('-hdf5', file, parts{1});
    info = h5info(file, ['/' strjoin(parts(1:end - 1), '/')]);
    for i = 1:numel(parts)
        values = values.(parts{i});
    end
    place = strcmp(parts{end}, {info.Datasets.Name});
    if ischar(values)
        values = cellstr(values);
    elseif info.Datasets(place).Axes == 1
        values = values(:);
    end
end
