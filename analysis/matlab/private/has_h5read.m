function found = has_h5read()
    found = exist('h5read') ~= 0; %#ok<EXIST> a file in MATLAB; Octave has none
end
