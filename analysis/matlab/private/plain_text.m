function line = plain_text(value)
% A text of the file, in whatever form a reader hands it out, as a row of characters.
    line = char(value);
    line = line(line ~= 0);
    line = reshape(line, 1, []);
end
