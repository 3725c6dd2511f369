"""All English texts of the page."""

from __future__ import annotations

TITLE = "ConSinGAN studio"
TAGLINE = "Models of one picture"
TAB_NAMES = {"train": "Train", "models": "Models", "draw": "Draw", "paint": "Paint"}
