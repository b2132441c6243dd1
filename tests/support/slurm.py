"""A throw-away Slurm: munged, slurmctld and a slurmd for each virtual node, all on this host.

Everything lies in one folder and listens on free ports; a Slurm that is already here is not touched.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Optional, Sequence

from processes import kill
from program import SOURCE, environment, program

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel", "sinfo")
END_STATES = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED")


def why_not() -> Optional[str]:
    """Why there can be no such Slurm here, None where there can."""
    paths = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=paths) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: slurm-wlm, munge)"
    if os.geteuid() != 0:
        return "slurmd starts jobs as root only"
    return None


def free_ports(count: int) -> list[int]:
    """Ports in a row that nothing listens on."""
    for first in range(27000 + os.getpid() * count % 4000, 32000, count):
        sockets = []
        try:
            for port in range(first, first + count):
                listener = socket.socket()
                sockets.append(listener)
                listener.bind(("127.0.0.1", port))
            return list(range(first, first + count))
        except OSError:
            continue
        finally:
            for listener in sockets:
                listener.close()
    raise RuntimeError("no free ports")


class Cluster:
    """Starts when it is made; `stop` ends every process of it, whatever happened."""

    def __init__(self, folder: Path, nodes: int = 3, cores: int = 2, kill_wait: int = 5) -> None:
        self.folder = folder
        self.program = program()  # what jobs run
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.configuration = folder / "slurm.conf"
        host = socket.gethostname().split(".")[0]
        ports = free_ports(nodes + 1)
        for name in ("munge", "socket", "state", "log"):
            (folder / name).mkdir(parents=True)
        folder.chmod(0o755)
        (folder / "munge").chmod(0o700)
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        self._write_prolog()
        self.configuration.write_text(
            f"""
ClusterName=throwaway
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/socket/munge,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,batch_sched_delay=0,sched_interval=1,sched_min_interval=100000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PriorityType=priority/basic
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MpiDefault=pmix
TmpFS={folder}/tmp.%n
TaskProlog={folder}/prolog
ReturnToService=2
KillWait={kill_wait}
MinJobAge=600
SlurmdTimeout=30
SlurmdParameters=config_overrides
InactiveLimit=0
Waittime=0
JobRequeue=1
MaxArraySize=1000
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/slurmd.%n
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[-1]}] CPUs={cores} Sockets=1 CoresPerSocket={cores} ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
""",
            encoding="ascii",
        )
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _write_prolog(self) -> None:
        """Virtual nodes share a host: what Open MPI and PMIx put on a node is kept apart here."""
        prolog = self.folder / "prolog"
        prolog.write_text(
            f"""#!/bin/sh
echo export TMPDIR={self.folder}/tmp.$SLURMD_NODENAME
echo export OMPI_MCA_btl_vader_backing_directory={self.folder}/tmp.$SLURMD_NODENAME
echo export OMPI_MCA_osc_rdma_backing_directory={self.folder}/tmp.$SLURMD_NODENAME
echo export OMPI_MCA_osc_sm_backing_directory={self.folder}/tmp.$SLURMD_NODENAME
echo export OMPI_MCA_btl_tcp_if_include=lo
echo export OMPI_MCA_mpi_yield_when_idle=1
""",
            encoding="ascii",
        )
        prolog.chmod(0o755)

    def variables(self) -> dict[str, str]:
        """Environment of Slurm's commands for this cluster, and of its jobs."""
        more = {
            "SLURM_CONF": str(self.configuration),
            "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
            "WIDTHWISE": self.program,
        }
        return environment(more)

    def call(self, *command: object, check: bool = True) -> str:
        """Runs a command of Slurm; what it printed."""
        done = subprocess.run(
            [str(word) for word in command],
            env=self.variables(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def _start(self) -> None:
        munge = self.folder / "munge"
        self.call(
            *("munged", "--force", f"--socket={self.folder}/socket/munge"),
            *(f"--key-file={munge}/key", f"--pid-file={munge}/pid", f"--log-file={munge}/log"),
            *(f"--seed-file={munge}/seed", "--num-threads=1"),
        )
        self.call("slurmctld", "-f", self.configuration, "-c")
        for node in self.nodes:
            self.start_node(node)
        self.wait(lambda: self.idle_nodes() == len(self.nodes), "the nodes never came up", 60)

    def start_node(self, node: str) -> None:
        """Starts the daemon of one node."""
        for name in (f"spool.{node}", f"tmp.{node}"):
            (self.folder / name).mkdir(exist_ok=True)
        self.call("slurmd", "-f", self.configuration, "-N", node)

    def idle_nodes(self) -> int:
        """Nodes that wait for work."""
        text = self.call("sinfo", "-h", "-p", "low", "-t", "idle", "-o", "%D", check=False)
        return int(text) if text.isdigit() else 0

    @staticmethod
    def wait(condition, what: str, seconds: float) -> None:
        """Waits until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(what)
            time.sleep(0.1)

    def submit(
        self,
        script: str,
        *arguments: object,
        options: Sequence[object] = (),
        jobs: Path = SOURCE / "jobs",
    ) -> str:
        """Submits one of the shipped scripts from the cluster's folder; the number of the job."""
        text = self.call("sbatch", "--parsable", *options, jobs / script, *arguments)
        return text.split(";")[0]

    def field(self, job: str, name: str) -> str:
        """One field of what Slurm knows of a job."""
        text = self.call("scontrol", "show", "job", job, check=False)
        for word in text.split():
            key, _, value = word.partition("=")
            if key == name:
                return value
        return ""

    def state(self, job: str) -> str:
        """State of a job."""
        return self.field(job, "JobState")

    def wait_for(self, job: str, *states: str, seconds: float = 240) -> str:
        """Waits until a job is in one of the states (default: has ended); the state."""
        wanted = states or END_STATES
        self.wait(
            lambda: self.state(job) in wanted,
            f"job {job} is never {' or '.join(wanted)}\n{self.report(job)}",
            seconds,
        )
        return self.state(job)

    def report(self, job: str) -> str:
        """What is known of a job, for the message of a failure."""
        log = self.folder / "log" / "slurmctld"
        tail = log.read_text(encoding="utf-8", errors="replace")[-3000:] if log.exists() else ""
        return self.call("scontrol", "show", "job", job, check=False) + "\n" + tail

    def daemon(self, node: str) -> int:
        """Process of the daemon of a node."""
        return int((self.folder / f"slurmd.{node}.pid").read_text(encoding="ascii"))

    def processes_of(self, node: str) -> list[int]:
        """Processes that run on a node: its daemon, the daemons of its steps, and all below them."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            ours = f"SLURM_CONF={self.configuration}".encode() in variables
            here = f"SLURMD_NODENAME={node}".encode() in variables
            step = bool(words) and words[0].startswith(b"slurmstepd") and node.encode() in words[0]
            if (ours and here) or (ours and step):
                found.append(int(entry.name))
        return [self.daemon(node), *found]

    def lose_node(self, node: str) -> None:
        """A node dies: everything on it is gone at once, and Slurm is told."""
        kill(*self.processes_of(node))
        self.call("scontrol", "update", f"nodename={node}", "state=down", "reason=dead")

    def stop(self) -> None:
        """Ends jobs and daemons."""
        if self.configuration.exists():
            self.call("scancel", "--state=PENDING", "-u", "root", check=False)
            self.call("scancel", "-u", "root", check=False)
            time.sleep(0.3)
        files = [self.folder / f"slurmd.{node}.pid" for node in self.nodes]
        files += [self.folder / "slurmctld.pid", self.folder / "munge" / "pid"]
        for file in files:
            try:
                process = int(file.read_text(encoding="ascii"))
                os.kill(process, 15)
            except (OSError, ValueError):
                continue
            deadline = time.monotonic() + 10
            while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            kill(process)
        self._kill_what_is_left()

    def _kill_what_is_left(self) -> None:
        """Steps and tasks of this cluster that outlived their daemon."""
        mark = f"SLURM_CONF={self.configuration}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            if int(entry.name) == os.getpid():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    kill(int(entry.name))
            except OSError:
                continue
