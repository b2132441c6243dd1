# shellcheck shell=bash disable=SC2034
# What differs from cluster to cluster: edit this one file. Sourced by the Slurm scripts.

# Modules that the program was built with, e.g.:
#     module load gcc openmpi hdf5/1.14-mpi openblas scalapack

# The program. A shell that submits a job can set another one.
WIDTHWISE=${WIDTHWISE:-$REPOSITORY/build/release/widthwise}

# How ranks are started. A rank that has ended well or with exit code 75 leaves the others the time to
# end too (--kill-on-bad-exit=1 would not); when one dies, they are ended after that time at the latest.
# With an Open MPI that knows no PMIx under Slurm: LAUNCH=(mpirun).
LAUNCH=(srun --mpi=pmix --kill-on-bad-exit=0 --wait=30)
# Slurm synchronises the start of ranks on several nodes twice, for the exchange of addresses and after it. Of its
# ways, `tree` may let a rank out of the second while another is still in the first, which then dies in MPI_Init of
# the messages it gets. Starts on three nodes under load that died here (Slurm 22.05): 8 of 120 by default (one way
# for each), 4 of 320 by `tree`, none of 820 by `ring`.
export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-ring}
# Seconds that mpirun gives ranks between SIGTERM and SIGKILL, for a checkpoint. It waits as long before
# SIGTERM; both together must stay below Slurm's KillWait (30 s unless your site says otherwise).
export OMPI_MCA_odls_base_sigkill_timeout=10

# How long a restart waits for the lock of the start before it, seconds: on network file systems the
# lock of a node that was lost is given up late.
LOCK_SECONDS=${LOCK_SECONDS:-300}

# A rank has as many threads as it has cores (one, unless a job asks for more with --cpus-per-task); BLAS
# must not start threads of its own.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}

# On Lustre, stripe the folder of large outputs before the first job writes there, for example
#     lfs setstripe --stripe-count 8 --stripe-size 16M FOLDER
# jobs/README.md has more on file systems.
