function figure_handle = widthwise_plot(results, quantities, picture)
% WIDTHWISE_PLOT  Draws what the runs of a file measured along the way, a panel for each quantity.
%
%   widthwise_plot('figure1.h5')
%   widthwise_plot('figure1.h5', {'loss', 'test_accuracy'})
%   widthwise_plot(r, 'loss', 'loss.png')      % r of widthwise_load; into a file, without a window
%
% Runs in MATLAB and in Octave. Without names all quantities are drawn that are one number at each
% record. Runs that differ in their seeds only share a colour and a line of the legend; of a run
% with replicas the first 20 are drawn. The vertical axis is logarithmic where values are positive,
% span more than a factor of 50, and half of them are below a tenth of the highest: as of a loss that
% falls, not of an accuracy that rises at once.

    if ischar(results)
        results = widthwise_load(results);
    end
    runs = results.runs;
    if nargin < 2 || isempty(quantities)
        quantities = scalar_quantities(runs);
    end
    if ischar(quantities)
        quantities = {quantities};
    end
    if isempty(quantities)
        error('widthwise:plot', '%s: no run has a record yet, so there is nothing to draw', ...
              results.file);
    end
    for i = 1:numel(quantities)
        check_quantity(results, quantities{i});
    end
    [groups, labels] = group_runs(runs);
    colours = group_colours(numel(labels));

    has_legend = numel(labels) > 1;
    panels = numel(quantities) + has_legend;
    columns = ceil(sqrt(panels));
    grid_size = [ceil(panels / columns), columns];
    to_file = nargin > 2;
    visible = {'on', 'off'};
    figure_handle = figure('visible', visible{1 + to_file}, 'color', 'w', ...
                           'position', [50, 50, 480 * columns, 360 * grid_size(1)]);
    for i = 1:numel(quantities)
        draw_quantity(make_panel(grid_size, i), runs, groups, colours, quantities{i});
    end
    if has_legend
        draw_legend(make_panel(grid_size, panels), labels, colours);
    end
    if to_file
        print(figure_handle, picture, device_of(figure_handle), '-r100');
        close(figure_handle);
    end
end

function quantities = scalar_quantities(runs)
    quantities = {};
    for run = runs
        for name = fieldnames(run.trajectory)'
            if ~strcmp(name{1}, 'step') && is_scalar(run, name{1}) && ...
                    ~any(strcmp(name{1}, quantities))
                quantities{end + 1} = name{1}; %#ok<AGROW>
            end
        end
    end
end

function found = is_scalar(run, name)
    found = isequal(size(run.trajectory.(name)), size(run.trajectory.step));
end

function check_quantity(results, name)
    has = arrayfun(@(run) isfield(run.trajectory, name), results.runs);
    if ~any(has)
        error('widthwise:plot', '%s: no run has measured %s; there is %s', results.file, name, ...
              strjoin(scalar_quantities(results.runs), ', '));
    end
    if ~is_scalar(results.runs(find(has, 1)), name)
        error('widthwise:plot', ...
              '%s: %s is not drawn: it is more than one number at each record', ...
              results.file, name);
    end
end

function [groups, labels] = group_runs(runs)
% Number of the group of each run, and what the runs of a group have in common.
    rest = regexprep({runs.label}, '(^| )(seed|seeds\.\w+)=\S+', '');
    rest = regexprep(rest, '^ ', '');
    labels = {};
    groups = zeros(1, numel(runs));
    for k = 1:numel(runs)
        place = find(strcmp(rest{k}, labels), 1);
        if isempty(place)
            labels{end + 1} = rest{k}; %#ok<AGROW>
            place = numel(labels);
        end
        groups(k) = place;
    end
end

function panel = make_panel(grid_size, number)
% Axes of a cell of the grid, with room for its texts.
    cell_size = 1 ./ grid_size; % height, width
    row = ceil(number / grid_size(2));
    column = number - (row - 1) * grid_size(2);
    corner = [(column - 1) * cell_size(2), 1 - row * cell_size(1)];
    panel = axes('position', [corner(1) + 0.15 * cell_size(2), corner(2) + 0.16 * cell_size(1), ...
                              0.78 * cell_size(2), 0.72 * cell_size(1)]);
end

function draw_quantity(panel, runs, groups, colours, name)
    has = find(arrayfun(@(run) isfield(run.trajectory, name), runs));
    hold(panel, 'on');
    all_values = zeros(0, 1);
    for group = 1:max(groups)
        [steps, values] = one_line(runs(has(groups(has) == group)), name);
        if ~isempty(steps)
            plot(panel, steps, values, '.-', 'color', colours(group, :));
        end
        all_values = [all_values; values(~isnan(values))]; %#ok<AGROW>
    end
    highest = max(all_values);
    if all(all_values > 0) && any(highest > 50 * all_values) && median(all_values) < highest / 10
        set(panel, 'yscale', 'log');
    end
    unit = '';
    said = runs(has(1)).units;
    if isfield(said, 'trajectory') && isfield(said.trajectory, name)
        unit = said.trajectory.(name);
    end
    if ~any(strcmp(unit, {'', '1'}))
        unit = sprintf(' (%s)', unit);
    else
        unit = '';
    end
    title(panel, [name unit], 'interpreter', 'none');
    xlabel(panel, 'step');
    grid(panel, 'on');
    box(panel, 'on');
    hold(panel, 'off');
end

function [steps, values] = one_line(runs, name)
% The trajectories of several runs behind each other, with gaps between.
    most = 20;
    steps = zeros(0, 1);
    values = zeros(0, 1);
    for run = runs
        step = run.trajectory.step; % records, or records x replicas
        value = run.trajectory.(name);
        count = min(size(step, 2), most);
        step = [step(:, 1:count); NaN(1, count)];
        value = [value(:, 1:count); NaN(1, count)];
        value(step < 0) = NaN; % where a replica did not come to
        step(step < 0) = NaN;
        steps = [steps; step(:)]; %#ok<AGROW>
        values = [values; value(:)]; %#ok<AGROW>
    end
end

function draw_legend(panel, labels, colours)
% A panel of its own, where no line is below it.
    count = numel(labels);
    hold(panel, 'on');
    for i = 1:count
        plot(panel, [0, 0.08], [-i, -i], '.-', 'color', colours(i, :));
        text(0.1, -i, labels{i}, 'parent', panel, 'interpreter', 'none', ...
             'fontsize', max(5, min(10, 200 / count)));
    end
    axis(panel, [-0.02, 1, -max(count, 8) - 0.5, -0.5]);
    axis(panel, 'off');
    hold(panel, 'off');
end

function colours = group_colours(count)
    colours = [0.00 0.45 0.70; 0.84 0.37 0.00; 0.00 0.62 0.45; 0.80 0.47 0.65; ...
               0.90 0.62 0.00; 0.34 0.71 0.91; 0.00 0.00 0.00];
    if count > size(colours, 1)
        colours = jet(count) * 0.85;
    end
end

function device = device_of(figure_handle)
% PNG. Octave with gnuplot would go by way of Ghostscript, unless told to draw it itself.
    device = '-dpng';
    if exist('OCTAVE_VERSION', 'builtin') ~= 0 && ...
            strcmp(get(figure_handle, '__graphics_toolkit__'), 'gnuplot')
        device = '-dpngcairo';
    end
end
