"""The two scenarios of the demo. A person's clicks come from here; all else is Lotgate's work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from localstack import scenario
from localstack.errors import StackError
from localstack.plant import Plant

from demo import pipeline
from demo.qms import Qms
from demo.story import HOLD_SECONDS, LotStory
from demo.summary import inspection_table
from demo.watch import Watch

if TYPE_CHECKING:
    from localstack import Report, Stack

    from demo.summary import Outcome
    from demo.watch import Seen

START_SECONDS = 60.0


class Demo:
    """The main job on one stack.

    Args:
        stack: Where it runs.
        report: Where progress is shown.
    """

    def __init__(self, stack: Stack, report: Report) -> None:
        self.stack = stack
        self.report = report
        addresses = stack.addresses()
        self.watch = Watch(addresses.evidence_dsn)
        self.qms = Qms(addresses.qms_app_dsn)

    def start_parts(self) -> None:
        """Fetch and build what is missing, then start broker, registry, database and ERP."""
        self.stack.prepare(self.report)
        self.stack.up(report=self.report)

    def fresh_start(self) -> None:
        """Begin from the built plant, with empty topics and no replication slot."""
        self.stack.prepare(self.report)
        self.stack.forget(self.report)
        pipeline.forget_state(self.stack)
        self.stack.up(report=self.report)
        self.start_pipeline()

    def start_pipeline(self) -> None:
        """Start Lotgate's own processes and wait until the plant's lots arrived in the evidence."""
        with self.report.step("starting Lotgate's processes") as step:
            step.note("topics and schemas")
            pipeline.provision(self.stack)
            for name in pipeline.PROCESSES:
                step.note(name)
                pipeline.start(self.stack, name)
            step.note("waiting for the snapshot of the plant")
            known = {made.lot for made in (*scenario.RECEIPTS, *scenario.PRODUCTIONS)}
            self.watch.until(
                "the plant's lots as facts",
                lambda: known <= self.watch.known_lots() and self._streaming(),
                START_SECONDS,
                self.need_running,
            )

    def _streaming(self) -> bool:
        with psycopg.connect(self.stack.addresses().admin_dsn) as connection:
            rows = connection.execute(
                "select count(*) from pg_replication_slots where active"
            ).fetchone()
        return rows is not None and rows[0] >= 2

    def need_running(self) -> None:
        """Refuse when a process that the job needs does not run.

        Raises:
            StackError: Names the process and its log.
        """
        for name in pipeline.PROCESSES:
            process = self.stack.process(name)
            if not process.running():
                raise StackError(
                    f"{name} does not run; its log {process.log} ends:\n{process.tail()}",
                    advice="`lotgate doctor` looks at all parts, `lotgate up` starts them",
                )

    def failed_inspection(self) -> Outcome:
        """A second inspection of a received lot fails; all that was made from it must be held."""
        lot = scenario.FAILING_LOT
        expected = {wanted.lot for wanted in scenario.EXPECTED if wanted.result != "free"}
        title = f"an inspection of lot {lot} fails in the ERP; from here only Lotgate acts"
        with self.report.step(title) as step:
            step.total(len(expected))
            with self.plant() as plant:
                number = plant.fail_inspection(lot)
            read_back: set[str] = set()

            def all_read_back() -> bool:
                new = (expected & set(self.watch.acks())) - read_back
                read_back.update(new)
                step.advance(len(new))
                return read_back == expected

            self.watch.until(
                "a read-back of each of " + ", ".join(sorted(expected)),
                all_read_back,
                HOLD_SECONDS,
                self.need_running,
            )
        return inspection_table(
            f"inspection {number}", scenario.EXPECTED, self.watch.acks(), self.parents()
        )

    def held_on_arrival(self) -> Outcome:
        """Two nonconformities in the QMS for a lot that the ERP does not know yet."""
        lot, product = scenario.LATE_LOT, scenario.RESIN
        with self.report.step(f"the QMS holds lot {lot}, which the ERP does not know yet") as step:
            story = LotStory(self.watch, self.need_running, lot, step.note)
            self.qms.open_nonconformity("NC-1", "major", [(product, lot)], "foreign matter")
            story.state("NC-1 (major) is opened", "waits for the lot", status="waiting", causes=1)
            with self.plant() as plant:
                plant.receive_lot(lot, product, scenario.LATE_QUANTITY)
            story.ack("the receipt arrives", "held on arrival", "hold", "contained")
            self.qms.open_nonconformity("NC-2", "minor", [(product, lot)], "label missing")
            story.state("NC-2 (minor) is opened", "stays held", status="held", causes=2)
            self.qms.close("NC-1", signed=True)
            story.state(
                "NC-1 is closed, signed", "stays held: NC-2 is open", status="held", causes=1
            )
            self.qms.close("NC-2", signed=False)
            story.state(
                "NC-2 is closed without a signature",
                "stays held: closed without signature",
                status="held",
                causes=1,
                why="closed without signature",
            )
            self.qms.sign("NC-2")
            story.ack("the signature row arrives", "released", "release", "released")
        return story.outcome()

    def fail_lot(self, lot: str, product: str | None) -> dict[str, Seen]:
        """A person's own case: fail an inspection of any lot and follow what comes of it."""
        before = {n: seen.ack["ack_id"] for n, seen in self.watch.acks().items()}

        def new() -> dict[str, Seen]:
            acks = self.watch.acks()
            return {n: seen for n, seen in acks.items() if before.get(n) != seen.ack["ack_id"]}

        with self.report.step(f"an inspection of lot {lot} fails in the ERP") as step:
            with self.plant() as plant:
                number = plant.fail_inspection(lot, product)
            step.note(f"inspection {number}")
            self.watch.until(
                f"lot {lot} with an open cause", lambda: self._reached(lot), 30, self.need_running
            )
            self.watch.until(
                "the read-back of every lot that the cause reached",
                self._settled,
                HOLD_SECONDS,
                self.need_running,
            )
        return new()

    def _reached(self, lot: str) -> bool:
        state = self.watch.states().get(lot)
        return state is not None and any(cause["open"] for cause in state["causes"])

    def _settled(self) -> bool:
        held = {n: s for n, s in self.watch.states().items() if s["status"] == "held"}
        acks = self.watch.acks()
        return all(
            n in acks and acks[n].ack["hold_version"] >= s["hold_version"] for n, s in held.items()
        )

    def lots(self) -> list[str]:
        """One line per lot that the facts named."""
        states = self.watch.states()
        return [
            f"{number:<10} {states[number]['status'] if number in states else 'free'}"
            for number in sorted(self.watch.known_lots())
        ]

    def parents(self) -> dict[str, str]:
        """Through which parent each lot's first open cause came, by lot number."""
        found = {}
        for number, state in self.watch.states().items():
            for cause in state["causes"]:
                if cause["open"] and cause["from_lot"]:
                    found[number] = cause["from_lot"].rsplit("/", 1)[-1]
        return found

    def plant(self) -> Plant:
        """The ERP as its users work in it."""
        return Plant(self.stack)
