function results = widthwise_load(file, varargin)
% WIDTHWISE_LOAD  Reads a file of Widthwise, or a copy of one that `widthwise export` made.
%
%   r = widthwise_load('figure1.h5')
%   r = widthwise_load('figure1-export.h5', 'weights', 'record')
%
% Runs in MATLAB and in Octave. Only what is committed is handed out, so a file may be read while a
% job is still writing it, or after one was killed. r.runs(i) is one run of the file:
%
%   name, label    'run0000'; what the sweep varies, such as 'network.width=500 seed=2'
%   config         the resolved configuration, YAML
%   parameters     facts: width, train_samples, learning_rate, ...
%   state          'done', 'stopped early', ...
%   rows           rows of the trajectory; of a run with replicas, replicas that are done
%   last_step      step of the last row, -1 without rows
%   trajectory     step, and what was measured along the way
%   final, theory, gram    results at the end, predictions, the Gram matrix; without fields until
%                  they are there
%   replica        how each replica ended
%   units, descriptions, sources    what the file says of each: run.units.trajectory.loss
%
% and r.provenance tells where the file was made. What is large is read when asked for by name:
%
%   'weights'      run.weights: those of the newest checkpoint, and their step
%   'snapshots'    run.snapshots: weights kept at chosen steps
%   'eigenvectors' run.eigenvectors: of the Gram matrix
%   'record'       run.record: data, initial weights, batches
%
% Dimensions are those of the file in reverse order ("Order of the axes" in hdf5-schema/README.md):
% hidden weights [m, d] are d x m here, a column for each unit, and what is measured at each record
% has the records last. Whatever has only one axis longer than 1 is a column, but for large arrays.
%
% Octave loads whole groups and reads no attributes. Of a file that the program works on it has to
% load the checkpoints too, to learn what is committed, and it has no units; make a copy with
% `widthwise export FILE [--weights] [--record]`, which is small and has a legend of units.

    known = {'weights', 'snapshots', 'eigenvectors', 'record'};
    for i = 1:numel(varargin)
        if ~ischar(varargin{i}) || ~any(strcmp(varargin{i}, known))
            error('widthwise:option', 'widthwise_load reads besides: %s', strjoin(known, ', '));
        end
    end
    if exist(file, 'file') ~= 2
        error('widthwise:file', '%s: no such file', file);
    end
    if exist([file '.undo'], 'file') == 2
        error('widthwise:file', ...
              ['%s: its structure is just being changed, or was when a job died; if no job is ' ...
               'at work on it, `widthwise verify` puts it back as it was'], file);
    end
    % What is committed comes first: rows that are read later are those, and newer ones.
    state = committed_state(file);
    large = struct();
    if ~isempty(varargin)
        [large, state] = read_large(file, varargin, state);
    end
    tree = read_groups(file, {'runs', 'provenance'});
    if ~isfield(tree, 'runs') || ~isfield(tree, 'provenance')
        error('widthwise:file', '%s: not a file of Widthwise', file);
    end
    names = fieldnames(tree.runs);
    [~, order] = sort(cellfun(@(name) str2double(name(4:end)), names));
    names = names(order);
    results = struct('file', file, 'provenance', provenance_of(tree.provenance.attempts), ...
                     'runs', []);
    runs = cell(1, numel(names));
    for i = 1:numel(names)
        runs{i} = make_run(tree.runs.(names{i}), names{i}, state, large);
    end
    results.runs = add_legend([runs{:}], file, isempty(fieldnames(state)));
end

% ------------------------------------------------------------------------------------- one run

function run = make_run(group, name, state, large)
    states = {'not begun', 'running or interrupted', 'done', 'diverged', 'stopped early', 'failed'};
    if isfield(state, name)
        said = state.(name);
    else % an export has nothing that does not count
        said = struct('state', double(group.state_number), 'rows', double(group.rows), ...
                      'last_step', double(group.last_step), 'final', true, 'theory', true, ...
                      'gram', true);
    end
    run = struct('name', name, 'label', plain_text(group.label));
    run.config = plain_text(group.config);
    run.parameters = structfun(@fact, group.parameters, 'UniformOutput', false);
    run.state = states{said.state + 1};
    run.rows = said.rows;
    run.last_step = said.last_step;
    has_replicas = isfield(run.parameters, 'replicas') && run.parameters.replicas > 1;
    run.trajectory = struct();
    if isfield(group, 'trajectory') && said.rows > 0
        all_rows = numel(group.trajectory.step);
        if has_replicas
            all_rows = size(group.trajectory.step, ndims(group.trajectory.step));
        end
        run.trajectory = first_rows(group.trajectory, said.rows, all_rows);
    end
    for part = {'final', 'theory', 'gram', 'replica'}
        run.(part{1}) = struct();
        if ~isfield(group, part{1})
            continue
        end
        if has_replicas && said.rows > 0 % rows are replicas, with all that is known of them
            run.(part{1}) = first_rows(group.(part{1}), said.rows, all_rows);
        elseif ~has_replicas && said.(part{1})
            run.(part{1}) = structfun(@column, group.(part{1}), 'UniformOutput', false);
        end
    end
    for part = {'weights', 'snapshots', 'eigenvectors', 'record'}
        run.(part{1}) = struct();
        if isfield(large, part{1}) && isfield(large.(part{1}), name)
            run.(part{1}) = large.(part{1}).(name);
        end
    end
    for part = {'units', 'descriptions', 'sources'}
        run.(part{1}) = struct(); % add_legend
    end
end

function table = first_rows(table, rows, all_rows)
    table = structfun(@(values) take_rows(column(values), rows, all_rows), table, ...
                      'UniformOutput', false);
end

function values = take_rows(values, rows, all_rows)
% Rows are the last dimension.
    if rows < all_rows
        place = repmat({':'}, 1, ndims(values));
        if iscolumn(values)
            values = values(1:rows);
        else
            place{end} = 1:rows;
            values = values(place{:});
        end
    end
end

function values = column(values)
    values = number(values);
    if isvector(values)
        values = values(:);
    end
end

function value = fact(value)
    if isnumeric(value)
        value = number(value);
    else
        value = plain_text(value);
    end
end

function values = number(values)
% Integers as doubles, which can be reckoned with, where that changes nothing.
    if isinteger(values) && all(abs(double(values(:))) < 2^53)
        values = double(values);
    end
end

function columns = provenance_of(attempts)
% One row for each start and restart; the file has room for more.
    used = find(attempts.ranks(:) > 0);
    for name = fieldnames(attempts)'
        values = attempts.(name{1});
        if isnumeric(values)
            values = column(values);
        else
            values = plain_texts(values);
        end
        columns.(name{1}) = values(used);
    end
end

% ------------------------------------------------------------------------------- what is large

function [large, state] = read_large(file, wanted, state)
% What was asked for, by kind and run. Where a job writes, checkpoints are taken only if they were
% the newest before and after they were read.
    for attempt = 1:5
        before = state;
        large = read_large_once(file, wanted, before);
        if isempty(fieldnames(before)) || ~any(strcmp(wanted, 'weights'))
            return
        end
        state = committed_state(file);
        is_same = @(name) before.(name).slot == state.(name).slot && ...
                          before.(name).step == state.(name).step;
        if all(cellfun(is_same, fieldnames(before)))
            state = before;
            return
        end
    end
    error('widthwise:file', ...
          ['%s: a job writes checkpoints faster than they can be read; make a copy with ' ...
           '`widthwise export --weights`'], file);
end

function large = read_large_once(file, wanted, state)
    large = struct();
    runs_work = ~isempty(fieldnames(state));
    for i = 1:numel(wanted)
        kind = wanted{i};
        group = kind;
        if strcmp(kind, 'eigenvectors')
            group = 'gram';
        elseif strcmp(kind, 'weights') && runs_work
            group = 'state';
        end
        large.(kind) = struct();
        tree = read_groups(file, {group}, '^/(?!state/)|_weights');
        if ~isfield(tree, group)
            continue
        end
        for name = fieldnames(tree.(group))'
            found = tree.(group).(name{1});
            if runs_work
                found = committed_part(kind, found, state.(name{1}));
            end
            if strcmp(kind, 'eigenvectors') && isfield(found, 'eigenvectors')
                found = found.eigenvectors;
            end
            if ~isempty(found)
                large.(kind).(name{1}) = tidy(found);
            end
        end
    end
end

function found = committed_part(kind, found, said)
% Of a file that the program works on: what its commit page vouches for, [] where it does not.
    switch kind
        case 'weights'
            if said.slot < 0
                found = [];
                return
            end
            slot = found.(sprintf('checkpoint%d', said.slot));
            found = struct('step', said.step);
            for name = fieldnames(slot)'
                if ~isempty(regexp(name{1}, '^(hidden|output)_weights', 'once'))
                    found.(name{1}) = slot.(name{1});
                end
            end
        case 'snapshots'
            all_rows = numel(found.step);
            if said.snapshots == 0
                found = [];
                return
            end
            found = structfun(@(values) take_rows(values, said.snapshots, all_rows), ...
                              setfield(found, 'step', found.step(:)), 'UniformOutput', false);
        case 'eigenvectors'
            if ~said.spectrum
                found = [];
            end
        case 'record'
            if ~said.record
                found = [];
            end
    end
end

function found = tidy(found)
% Integers as doubles; what has one axis in the file as a column.
    if ~isstruct(found)
        return
    end
    for name = fieldnames(found)'
        found.(name{1}) = number(found.(name{1}));
        if ~isempty(regexp(name{1}, '(^step|_labels|_components)$', 'once'))
            found.(name{1}) = found.(name{1})(:);
        end
    end
end
