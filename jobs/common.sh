# shellcheck shell=bash disable=SC2034
# Shared by jobs/quickstart and tests/run: packages, building, running under MPI. To be sourced.

# What the program is built from and runs on, as Debian packages.
PROGRAM_PACKAGES=(
    gcc libc6-dev make cmake pkg-config git
    openmpi-bin libopenmpi-dev libhdf5-openmpi-dev libopenblas-dev libscalapack-openmpi-dev
    libyaml-dev librandom123-dev libxxhash-dev zlib1g-dev
)
# What the figures are drawn with.
FIGURE_PACKAGES=(python3 python3-h5py python3-numpy python3-matplotlib)
# What the tests need besides.
# libelpa-dev is optional: with it, the second eigensolver is built and tested too. Octave draws by
# gnuplot, and without that font not at all.
TEST_PACKAGES=(
    libcmocka-dev libelpa-dev dataset-fashion-mnist hdf5-tools slurm-wlm munge
    python3-pandas octave gnuplot-nox fonts-freefont-otf
)

say() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Installs those of the packages given that are not there yet, without asking anything.
install_packages() {
    local missing=() package status
    command -v dpkg-query >/dev/null ||
        fail "this script installs Debian packages, and this is not Debian: install the like of" \
            "$* yourself, then use cmake as the README says"
    for package in "$@"; do
        status=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "these packages are missing, and neither are you root nor is there sudo; as root" \
                "run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update --quiet ||
        fail "apt-get update failed; see above"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet --yes --no-install-recommends "${missing[@]}" ||
        fail "apt-get could not install ${missing[*]}; see above"
}

# build PRESET [OPTION]...: configures a preset with further CMake options, and builds it.
build() {
    local preset=$1
    shift
    say "building the preset $preset"
    (cd "$SOURCE" && cmake --preset "$preset" "$@" && cmake --build --preset "$preset" \
        --parallel "$(nproc)") || fail "the preset $preset does not build; see above"
}

# One thread a rank; and Open MPI refuses root, and more ranks than cores, unless told otherwise.
prepare_mpi() {
    export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
    if [ "$(id -u)" -eq 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
    # All ranks are on this node: Open MPI need not look for networks, which takes a while at each start.
    MPIRUN=(mpirun --oversubscribe --bind-to none --mca pml ob1 --mca btl self,vader)
}
