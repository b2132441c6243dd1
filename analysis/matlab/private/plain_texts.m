function lines = plain_texts(value)
% Rows of a matrix of characters, or whatever else a reader makes of many texts, as a cell column.
    lines = cellfun(@plain_text, cellstr(char(value)), 'UniformOutput', false);
end
