"""The shipped job scripts under a real Slurm: signals, requeues, arrays, lost nodes."""

from __future__ import annotations

import fcntl
import shutil
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from program import SOURCE, run_program  # noqa: E402
from slurm_case import SlurmTest  # noqa: E402

SCRIPTED = SOURCE / "tests" / "support" / "scripted_program"


class SlurmJobsTest(SlurmTest):
    """What can be tried without waiting for a time limit; test_slurm_long.py does that.

    Some jobs run a program whose ends are scripted, to see what the job scripts make of them. These
    are all submitted at the start and go on beside the other tests.
    """

    NODES = 5
    CORES = 16
    QUIET = "n4"  # where the scripted ones run ...
    EVENTS = "n5"  # ... and the one of them that is preempted

    jobs: dict[str, list[str]]

    @classmethod
    def setUpClass(cls) -> None:
        """Submits the scripted jobs."""
        super().setUpClass()
        real, cls.cluster.program = cls.cluster.program, str(SCRIPTED)
        cls.jobs = {}
        for name in [name for name in dir(cls) if name.startswith("submit_")]:
            cls.jobs[name.removeprefix("submit_")] = getattr(cls, name)()
        cls.cluster.program = real
        events = threading.Thread(target=cls.make_events)
        events.start()
        cls.addClassCleanup(events.join)

    def test_signal_requeues_and_the_end_has_equal_bits(self) -> None:
        """SIGUSR1, as Slurm sends it before the limit, then a requeue by hand."""
        config = self.write_config("signal", 12000)
        output = self.folder / "signal.h5"
        job = self.cluster.submit("run.sbatch", config, options=("--ntasks=2",))
        self.wait_for_checkpoint(output)
        self.cluster.call("scancel", "--signal=USR1", job)
        self.cluster.wait_for(job, "PENDING")
        self.cluster.wait_for(job, "RUNNING")
        step = self.wait_for_checkpoint(output, self.checkpoint(output) or 0)
        self.cluster.call("scontrol", "requeue", job)
        self.cluster.wait_for(job, "PENDING")
        self.assertEqual(self.cluster.wait_for(job), "COMPLETED")
        log = self.log_of(job)
        self.assertEqual(log.count("== "), log.count("\n== ") + 1)
        self.assertEqual(log.count(": start "), 3, log)
        self.assertRegex(log, "SIGUSR1")
        self.assertIn("going on from step", log)
        self.assertGreaterEqual(step, 500)
        self.assert_complete(config, output, log=log)

    def test_sweep_over_nodes(self) -> None:
        """Crews on three nodes, and one that spans them, write one file."""
        config = self.write_config(
            "nodes", 200, "sweep: {seed: [1, 2, 3, 4], network.width: [256, 1024]}\n"
        )
        job = self.cluster.submit("run.sbatch", config, options=("--nodes=3", "--ntasks=5"))
        self.assertEqual(self.cluster.wait_for(job), "COMPLETED", self.log_of(job))
        self.assert_complete(config, self.folder / "nodes.h5", log=self.log_of(job))

    def test_array(self) -> None:
        """Four members, each in a job of its own."""
        config = self.write_config("array", 1000, "sweep: {seed: [1, 2, 3, 4]}\n")
        job = self.cluster.submit("array.sbatch", config, options=("--array=0-3", "--ntasks=1"))
        for member in range(4):
            self.assertEqual(
                self.cluster.wait_for(f"{job}_{member}"),
                "COMPLETED",
                self.log_of(f"{job}_{member}", "widthwise-array"),
            )
        for member in range(4):
            output = self.folder / f"array-{member:04}.h5"
            self.assert_complete(config, output, "--member", str(member))

    def test_scancel(self) -> None:
        """A cancelled job does not come back; its file is good and goes on by hand."""
        config = self.write_config("cancel", 8000)
        output = self.folder / "cancel.h5"
        job = self.cluster.submit("run.sbatch", config, options=("--ntasks=2",))
        self.wait_for_checkpoint(output)
        self.cluster.call("scancel", job)
        self.assertEqual(self.cluster.wait_for(job), "CANCELLED")
        self.cluster.wait(
            lambda: run_program("verify", output, folder=self.folder).code == 0,
            "the file is not good",
            20,
        )
        self.assertEqual(self.cluster.state(job), "CANCELLED")
        self.cluster.wait(  # its ranks have had time to end
            lambda: "written by another job"
            not in run_program("resume", output, "--until", "1", folder=self.folder).errors,
            "the lock is never given up",
            20,
        )
        done = run_program("resume", output, "-q", folder=self.folder, ranks=3)
        self.assertEqual(done.code, 0, done.text)
        self.assert_complete(config, output, log=self.log_of(job))

    def test_stop_file(self) -> None:
        """A file named `stop` ends the job for good, with a checkpoint."""
        place = self.folder / "stopped"
        place.mkdir()
        config = self.write_config("stopping", 100_000_000)
        output = place / "run.h5"
        job = self.cluster.submit("run.sbatch", config, "-o", output, options=("--ntasks=1",))
        self.wait_for_checkpoint(output)
        (place / "stop").touch()
        self.assertEqual(self.cluster.wait_for(job), "FAILED")
        self.assertEqual(self.cluster.field(job, "ExitCode"), "75:0")
        self.assertIn("stopped on request", self.log_of(job))

    def test_errors_do_not_come_back(self) -> None:
        """A configuration that is wrong ends the job with its sentence."""
        config = self.write_config("wrong", 100, "netwrok: {width: 3}\n")
        job = self.cluster.submit("run.sbatch", config, options=("--ntasks=1",))
        self.assertEqual(self.cluster.wait_for(job), "FAILED")
        self.assertEqual(self.cluster.field(job, "ExitCode"), "2:0")
        self.assertIn("netwrok", self.log_of(job))

    def test_preemption(self) -> None:
        """A job of more priority takes the node; the run goes on from where it was."""
        config = self.write_seldom("preempted", 6000)
        output = self.folder / "preempted.h5"
        job = self.cluster.submit(
            "run.sbatch", config, options=("--ntasks=2", "--nodes=1", "--nodelist=n3")
        )
        self.cluster.wait(lambda: self.recorded(output) >= 500, "no record", 60)
        self.preempt("n3")
        self.cluster.wait_for(job, "PENDING")
        self.assertEqual(self.cluster.wait_for(job), "COMPLETED", self.log_of(job))
        log = self.log_of(job)
        self.assertRegex(log, "SIGTERM")
        self.assertIn("Slurm puts the job back itself", log)
        self.assertIn("going on from step", log)
        self.assertEqual(log.count(": start "), 2, log)
        self.assert_complete(config, output, log=log)

    @classmethod
    def preempt(cls, node: str) -> None:
        """A short job of more priority takes a node."""
        sleep = ("--wrap", "sleep 1", "--output=/dev/null", "--exclusive", f"--nodelist={node}")
        cls.cluster.call("sbatch", "--partition=high", *sleep)

    def test_lock_is_held(self) -> None:
        """A restart waits for the lock of a start that the file system takes for alive."""
        config = self.write_config("locked", 1000)
        output = self.folder / "locked.h5"
        done = run_program("run", config, "-o", output, "-q", "--until", "600", folder=self.folder)
        self.assertEqual(done.code, 75, done.text)
        with open(output, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            job = self.cluster.submit("run.sbatch", config, options=("--ntasks=1",))
            self.cluster.wait(lambda: ": start 1" in self.log_of(job), "no start", 60)
            time.sleep(3)
            self.assertEqual(self.cluster.state(job), "RUNNING", self.log_of(job))
        self.assertEqual(self.cluster.wait_for(job), "COMPLETED", self.log_of(job))
        self.assert_complete(config, output, log=self.log_of(job))

    @classmethod
    def make_events(cls) -> None:
        """Does to the scripted jobs what others do to jobs, beside the tests."""

        def wait(job: str, text: str, name: str = "widthwise") -> None:
            what = f"no `{text}` in the log of job {job}"
            cls.cluster.wait(lambda: text in cls.log_of(job, name), what, 120)

        array, preempted = cls.jobs["elements"][0], cls.jobs["preempted"][0]
        for job in (cls.jobs["cancelled"][0], cls.jobs["cancelled"][3]):
            wait(job, "scripted_program")
            cls.cluster.call("scancel", job)
        wait(preempted, "scripted_program")
        cls.preempt(cls.EVENTS)
        wait(f"{array}_2", "back into the queue", "widthwise-array")
        for element in (0, 1, 3):
            (cls.folder / f"elements-{element:04}.h5.go").touch()

    @classmethod
    def script(cls, name: str, *lines: str) -> Path:
        """A configuration that says how the starts of a job end."""
        path = cls.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    @classmethod
    def run_job(
        cls, config: Path, *arguments: object, options: tuple[object, ...] = ()
    ) -> list[str]:
        """Submits a run of one rank."""
        more = (f"--nodelist={cls.QUIET}", "--ntasks=1", *options)
        return [cls.cluster.submit("run.sbatch", config, *arguments, options=more)]

    @classmethod
    def chain(
        cls, count: int, config: Path, *arguments: object, options: tuple[object, ...] = ()
    ) -> list[str]:
        """Submits a chain; its jobs."""
        more = options or (f"--nodelist={cls.QUIET}",)
        text = cls.run_script(
            "chain.sh", count, "--ntasks=1", "--comment=mine", *more, "--", config, *arguments
        )
        return [line.split()[1] for line in text.splitlines()]

    def end(self, name: str, state: str, code: str, restarts: int = 0) -> str:
        """Holds how a job ended to what is expected; its log."""
        job = self.jobs[name][-1]
        self.assertEqual(self.cluster.wait_for(job), state, self.log_of(job))
        self.assertEqual(self.cluster.field(job, "ExitCode"), code, self.log_of(job))
        self.assertEqual(self.cluster.field(job, "Restarts"), str(restarts), self.log_of(job))
        return self.log_of(job)

    def links(self, name: str, *states: str) -> str:
        """Holds how the jobs of a chain ended to what is expected; their logs."""
        jobs = self.jobs[name]
        self.assertEqual(len(jobs), len(states))
        found = [self.cluster.wait_for(job) for job in jobs]
        logs = "\n".join(self.log_of(job) for job in jobs)
        self.assertEqual(found, list(states), logs)
        return logs

    @classmethod
    def submit_failure(cls) -> list[str]:
        """A start that fails."""
        return cls.run_job(cls.script("failure.yaml", "exit 1", "exit 0"))

    def test_scripted_failure(self) -> None:
        """A job that fails does not come back, and says what to do."""
        self.assertIn("fix the reason, then submit again", self.end("failure", "FAILED", "1:0"))

    @classmethod
    def submit_apart(cls) -> list[str]:
        """Ranks that end one after the other, as they do where leaving MPI takes a while."""
        config = cls.script("apart.yaml", "sleep $SLURM_PROCID; exit 75", "exit 0")
        return cls.run_job(config, options=("--ntasks=3",))

    def test_scripted_ranks_end_apart(self) -> None:
        """None is killed because another one has ended already: the job would not come back."""
        log = self.end("apart", "COMPLETED", "0:0", restarts=1)
        self.assertIn("exit code 75", log)
        self.assertNotIn("CANCELLED", log.split("back into the queue")[0])
        self.assertIn("resume apart.h5 --wait-lock 300", log)

    @classmethod
    def submit_dead(cls) -> list[str]:
        """A rank that dies while another one waits for it."""
        config = cls.script("dead.yaml", "[ $SLURM_PROCID = 1 ] && kill -KILL $$; sleep 600")
        return cls.run_job(config, options=("--ntasks=2",))

    def test_scripted_dead_rank(self) -> None:
        """The other ranks are ended too, within the minute."""
        job = self.jobs["dead"][0]
        self.assertEqual(self.cluster.wait_for(job), "FAILED")
        self.assertIn("fix the reason", self.log_of(job))

    @classmethod
    def submit_names(cls) -> list[str]:
        """Everything has a space in its name, and the configuration no extension."""
        place = cls.folder / "a place"
        shutil.copytree(SOURCE / "jobs", place / "jobs")
        cls.cluster.program = str(shutil.copy(SCRIPTED, place / "a program"))
        config = cls.script("a place/of all", "exit 75", "exit 0")
        job = cls.cluster.submit(
            *("run.sbatch", config, "--set", "key=a value"),
            options=("--ntasks=1", f"--nodelist={cls.QUIET}"),
            jobs=place / "jobs",
        )
        cls.cluster.program = str(SCRIPTED)
        return [job]

    def test_scripted_names(self) -> None:
        """Spaces and a missing extension do no harm."""
        log = self.end("names", "COMPLETED", "0:0", restarts=1)
        self.assertIn("-o of all.h5 --set key=a value", log)
        self.assertIn("resume of all.h5", log)

    @classmethod
    def submit_until(cls) -> list[str]:
        """A run to step 10, at step 5 after the first start and at 10 after the next."""
        config = cls.script(
            "until.yaml",
            "echo '    checkpoint    steps 3 and 5' >$2.show; exit 75",
            "echo '    checkpoint    steps 10 and 5' >$2.show; exit 75",
            "exit 0",
        )
        return cls.run_job(config, "--until", 10, "-o=until-here.h5")

    def test_scripted_until(self) -> None:
        """The job comes back until the step is reached, and no more."""
        log = self.end("until", "FAILED", "75:0", restarts=1)
        self.assertIn("the step of --until is reached", log)
        self.assertIn("resume until-here.h5 --wait-lock 300 --until=10", log)

    @classmethod
    def submit_again(cls) -> list[str]:
        """A second job for a file that is there."""
        config = cls.script("again.yaml", "exit 0")
        shutil.copy(config, cls.folder / "there.h5")
        options = ("--force", "--set", "a=b", "--wall-time", 9, "-q")
        return cls.run_job(config, "--output=there.h5", *options)

    def test_scripted_again(self) -> None:
        """The log tells what of the line does not count."""
        log = self.end("again", "COMPLETED", "0:0")
        self.assertIn(f"{self.folder}/again.yaml --force --set=a=b does not count", log)
        self.assertIn("resume there.h5 --wait-lock 300 --wall-time=9 -q\n", log)

    @classmethod
    def submit_elements(cls) -> list[str]:
        """An array whose last element, which has the number of the array, ends early."""
        early = 'case $2 in *-0002.h5) exit 75 ;; esac; wait_for_file "$2.go"'
        return [
            cls.cluster.submit(
                *("array.sbatch", cls.script("elements.yaml", early, "exit 0")),
                options=("--array=0-3%3", "--ntasks=1", f"--nodelist={cls.QUIET}"),
            )
        ]

    def test_scripted_elements(self) -> None:
        """That element alone comes back, while others run and one waits."""
        array = self.jobs["elements"][0]
        for element in range(4):
            job = f"{array}_{element}"
            log = self.log_of(job, "widthwise-array")
            self.assertEqual(self.cluster.wait_for(job), "COMPLETED", log)
            self.assertEqual(self.cluster.field(job, "Restarts"), str(int(element == 2)), log)

    @classmethod
    def submit_completed(cls) -> list[str]:
        """A chain that is done before its last link."""
        return cls.chain(4, cls.script("completed.yaml", "exit 75", "exit 75", "exit 0"))

    def test_scripted_completed_chain(self) -> None:
        """The rest is dropped, whatever comment the user wanted."""
        logs = self.links("completed", "FAILED", "FAILED", "COMPLETED", "CANCELLED")
        self.assertEqual(logs.count("the next job of the chain goes on"), 2, logs)

    @classmethod
    def submit_short(cls) -> list[str]:
        """A chain that is too short."""
        return cls.chain(2, cls.script("short.yaml", "exit 75", "exit 75"))

    def test_scripted_short_chain(self) -> None:
        """The last job says that it is the last."""
        logs = self.links("short", "FAILED", "FAILED")
        self.assertEqual(logs.count("the next job of the chain goes on"), 1, logs)
        self.assertEqual(logs.count("the last job of the chain"), 1, logs)

    @classmethod
    def submit_failing(cls) -> list[str]:
        """A chain that fails."""
        return cls.chain(3, cls.script("failing.yaml", "exit 1", "exit 0"))

    def test_scripted_failing_chain(self) -> None:
        """It would fail again and again."""
        logs = self.links("failing", "FAILED", "CANCELLED", "CANCELLED")
        self.assertIn("fix the reason, then submit again", logs)

    @classmethod
    def submit_diverging(cls) -> list[str]:
        """A chain that diverges."""
        return cls.chain(2, cls.script("diverging.yaml", "exit 3", "exit 0"))

    def test_scripted_diverging_chain(self) -> None:
        """Nothing is left to go on with."""
        self.links("diverging", "FAILED", "CANCELLED")

    @classmethod
    def submit_stopped(cls) -> list[str]:
        """A chain that is stopped by a file."""
        config = cls.script("stopped.yaml", "touch chain/stop; exit 75", "exit 0")
        (cls.folder / "chain").mkdir()
        return cls.chain(3, config, "-o", "chain/stopped.h5")

    def test_scripted_stopped_chain(self) -> None:
        """None of it comes back."""
        logs = self.links("stopped", "FAILED", "CANCELLED", "CANCELLED")
        self.assertIn("stopped on request; submit again", logs)

    @classmethod
    def submit_cancelled(cls) -> list[str]:
        """Two chains to be cancelled: one ends by itself then, one Slurm must kill."""
        willing = cls.chain(3, cls.script("willing.yaml", "wait_for_signal", "exit 0"))
        stuck = cls.script("stuck.yaml", "trap '' TERM; wait_for_signal", "exit 0")
        return [*willing, *cls.chain(3, stuck)]

    def test_scripted_cancelled_chain(self) -> None:
        """`scancel` of the job that runs is for all that come after it."""
        logs = self.links("cancelled", *["CANCELLED"] * 6)
        self.assertEqual(logs.count(": start "), 2, logs)
        self.assertIn("cancelled; submit again to go on", logs)

    @classmethod
    def submit_preempted(cls) -> list[str]:
        """A chain whose first job is preempted, on a node of its own."""
        config = cls.script("displaced.yaml", "wait_for_signal", "exit 0")
        return cls.chain(3, config, options=(f"--nodelist={cls.EVENTS}",))

    def test_scripted_preempted_chain(self) -> None:
        """The next job goes on: nobody wanted it to stop."""
        logs = self.links("preempted", "PREEMPTED", "COMPLETED", "CANCELLED")
        self.assertIn("the next job of the chain goes on", logs)


class LostNodeTest(SlurmTest):
    """A cluster of its own, since it loses a node."""

    NODES = 4

    def chain_on_the_node(self) -> list[str]:
        """Two jobs of a chain, with scripted ends; the second may go elsewhere."""
        config = self.folder / "chain.yaml"
        config.write_text("wait_for_signal\nexit 0\n", encoding="utf-8")
        real, self.cluster.program = self.cluster.program, str(SCRIPTED)
        options = ("--nodes=2", "--ntasks=2", "--nodelist=n3,n4")
        text = self.run_script("chain.sh", 2, *options, "--", config)
        self.cluster.program = real
        links = [line.split()[1] for line in text.splitlines()]
        self.cluster.call("scontrol", "update", f"jobid={links[1]}", "nodelist=", check=False)
        return links

    def test_lost_node(self) -> None:
        """A job over three nodes loses one, is requeued on others, and ends with equal bits.

        A job of a chain leaves the rest to the next one.
        """
        links = self.chain_on_the_node()
        config = self.write_config("lost", 6000)
        output = self.folder / "lost.h5"
        job = self.cluster.submit(
            "run.sbatch", config, options=("--nodes=3", "--ntasks=3", "--nodelist=n2,n3,n4")
        )
        self.wait_for_checkpoint(output)
        self.cluster.wait(lambda: "scripted" in self.log_of(links[0]), "no start of the chain", 60)
        self.cluster.lose_node("n3")
        self.cluster.call("scontrol", "update", f"jobid={job}", "nodelist=", check=False)
        self.cluster.wait_for(job, "PENDING", "RUNNING")
        self.assertEqual(self.cluster.wait_for(job), "COMPLETED", self.log_of(job))
        log = self.log_of(job)
        self.assertIn("going on from step", log)
        self.assertEqual(log.count(": start "), 2, log)
        self.assert_complete(config, output, log=log)
        logs = "\n".join(self.log_of(job) for job in links)
        states = [self.cluster.wait_for(job) for job in links]
        self.assertEqual(states, ["NODE_FAIL", "COMPLETED"], logs)


if __name__ == "__main__":
    unittest.main()
