# shellcheck shell=bash disable=SC2034
# What differs from cluster to cluster: edit this one file. Sourced by the Slurm scripts.

# Modules that the program was built with, e.g.:
#     module load gcc openmpi hdf5/1.14-mpi openblas scalapack

# The program. A shell that submits a job can set another one.
WIDTHWISE=${WIDTHWISE:-$REPOSITORY/build/release/widthwise}

# How ranks are started. --kill-on-bad-exit: when one rank dies, srun ends the others at once, so that
# none waits for it. With an Open MPI that knows no PMIx under Slurm: LAUNCH=(mpirun).
LAUNCH=(srun --mpi=pmix --kill-on-bad-exit=1)

# One rank a core and one thread a rank: BLAS must not start threads of its own.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

# On Lustre, stripe the folder of large outputs before the first job writes there, for example
#     lfs setstripe --stripe-count 8 --stripe-size 16M FOLDER
# jobs/README.md has more on file systems.
