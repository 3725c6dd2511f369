"""What trains in a third of the time; docs/quality.md says how well it draws, and what did not."""

from __future__ import annotations

from typing import Any

from ConSinGAN import beginning, modes
from ConSinGAN.presets.base import Configure, Preset, Values

# With one critic step the paper's 0.1 lets every tenth run collapse in its first stage; with 1 the
# critic of a picture of leaves saw nothing any more in its fourth.
PENALTY = 0.5
LARGE = 100  # pixels
SHARE = 0.45  # of the iterations; a run takes 0.29 of the default's time then


class Fast(Preset):
    """One critic step an iteration, and less than half of the iterations of the fine stages.

    All iterations stay where that would save little: if these stages are small, or iterations look
    at crops; and in fine-tuning, which is short as it is.
    """

    name = "fast"
    summary = "a third of the time; docs/quality.md says how well it draws"

    def choose(self, configure: Configure) -> Values:
        values: dict[str, Any] = {"Dsteps": 1, "lambda_grad": PENALTY}
        config = configure(values)
        mode = modes.get(config.train_mode)
        sizes = mode.stage_sizes(beginning.picture_size(config), config)
        whole = mode.trained_sizes(sizes, config) == sizes
        large = any(max(sizes[i]) > LARGE for i in config.fine_stages[:1])  # so are those above
        if whole and large and not config.fine_tune:
            values["niter_fine"] = max(1, round(SHARE * config.niter))
        return values
