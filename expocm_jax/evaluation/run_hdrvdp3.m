% Runs HDR-VDP-3 for external_metrics.py, in Octave.
% Arguments: HDR-VDP's folder, two files of float32 in the order row, column, channel, height, width,
% pixels per degree. Only the folder itself joins the path: HDR-VDP adds what it needs, and compiled
% helpers (matlabPyrTools/MEX) give other results. Without files it checks the packages.
warning("off", "all");
given = argv();
for name = {"statistics", "image"}
  try
    pkg("load", name{1});
  catch
    printf("missing package: %s\n", name{1});
    exit(0);
  end_try_catch
endfor
if numel(given) == 1
  printf("ready\n");
  exit(0);
endif
function image = read_image(path, height, width)
  file = fopen(path, "rb", "ieee-le");
  values = fread(file, Inf, "single=>double");
  fclose(file);
  image = permute(reshape(values, [3, width, height]), [3, 2, 1]);
endfunction
addpath(given{1});
height = str2double(given{4});
width = str2double(given{5});
test = read_image(given{2}, height, width);
reference = read_image(given{3}, height, width);
ppd = str2double(given{6});
result = hdrvdp3("quality", test, reference, "rgb-native", ppd, {"use_gpu", false});
printf("\nquality: %.9g\n", result.Q);
