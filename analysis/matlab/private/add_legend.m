function runs = add_legend(runs, file, is_export)
% Gives each run what the file says of its datasets: from the legend of an export, from the
% attributes where MATLAB reads them, and nothing where Octave reads the file of a run itself.
%
% Rows are {path, units, description, source}. A path without a run is for all runs; of what differs
% from that the path has the run.
    rows = legend_of(file, is_export, {runs.name});
    shared = struct('units', struct(), 'descriptions', struct(), 'sources', struct());
    own = struct();
    for i = 1:size(rows, 1)
        [run, group, name] = place_of(rows{i, 1});
        if isempty(name)
            continue
        end
        if isempty(run)
            shared = put(shared, group, name, rows(i, 2:4));
        elseif isfield(own, run)
            own.(run)(end + 1) = i;
        else
            own.(run) = i;
        end
    end
    for k = 1:numel(runs)
        said = shared;
        if isfield(own, runs(k).name)
            for i = own.(runs(k).name)
                [~, group, name] = place_of(rows{i, 1});
                said = put(said, group, name, rows(i, 2:4));
            end
        end
        runs(k).units = said.units;
        runs(k).descriptions = said.descriptions;
        runs(k).sources = said.sources;
    end
end

function rows = legend_of(file, is_export, names)
    rows = cell(0, 4);
    if is_export
        tree = read_groups(file, {'legend'});
        if isfield(tree, 'legend')
            rows = [plain_texts(tree.legend.path), plain_texts(tree.legend.units), ...
                    plain_texts(tree.legend.description), plain_texts(tree.legend.source)];
        end
    elseif has_h5read()
        for i = 1:numel(names)
            info = h5info(file, ['/runs/' names{i}]);
            for part = reshape(info.Groups, 1, [])
                rows = [rows; attribute_rows(part)]; %#ok<AGROW>
            end
        end
    end
end

function rows = attribute_rows(group)
% The same of one group, from the attributes.
    rows = cell(numel(group.Datasets), 4);
    for i = 1:numel(group.Datasets)
        dataset = group.Datasets(i);
        rows(i, :) = {[group.Name '/' dataset.Name], '', '', ''};
        for attribute = reshape(dataset.Attributes, 1, [])
            place = find(strcmp(attribute.Name, {'units', 'description', 'source'}));
            if ~isempty(place)
                rows{i, place + 1} = plain_text(attribute.Value);
            end
        end
    end
end

function [run, group, name] = place_of(path)
% Of '/runs/run0003/trajectory/loss', or without the run: where a result of widthwise_load has it.
    run = '';
    group = '';
    name = '';
    parts = strsplit(path(2:end), '/');
    if strcmp(parts{1}, 'runs')
        parts(1) = [];
    end
    is_run = ~cellfun(@isempty, regexp(parts, '^run\d+$', 'once'));
    if any(is_run)
        run = parts{is_run};
    end
    parts(is_run) = [];
    if numel(parts) == 2 && ~strcmp(parts{1}, 'provenance')
        group = parts{1};
        name = parts{2};
    end
end

function said = put(said, group, name, row)
    said.units.(group).(name) = row{1};
    said.descriptions.(group).(name) = row{2};
    said.sources.(group).(name) = row{3};
end
