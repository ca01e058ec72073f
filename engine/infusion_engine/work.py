"""The work of one stage: the plan as it was decided, what was prepared, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from infusion_engine.cache.store import Store
from infusion_engine.chain import Base, Stage, base_of, stages
from infusion_engine.plan import Plan
from infusion_engine.prepared import Clip, Prepared
from infusion_engine.progress import Report
from infusion_engine.stage import RenderStage
from infusion_engine.take import FIRST_TAKE
from infusion_node.wire.events import Staged


@dataclass(frozen=True, eq=False)
class Work:
    """What every stage after the first begins with."""

    plan: Plan
    """The plan, with what was decided when the job was prepared."""
    prepared: Prepared
    """What was found out then."""
    store: Store
    """The cache that all workers share."""
    report: Report
    """Hears of it all."""

    def tell(self, stage: RenderStage, outcome: str, detail: str) -> None:
        """Say what became of a stage."""
        self.report.emit(Staged(stage.value, outcome, detail))

    def names(self, clip: Clip, seed: int) -> tuple[Base | None, tuple[Stage, ...]]:
        """(the base, every stage) of the chain that draws the sample of `seed`."""
        named = clip.named(seed, FIRST_TAKE)
        return base_of(named, self.plan.settings), stages(named, self.plan.settings)
