"""Style: is a drawn content more like the training picture than with its colours alone?"""

from __future__ import annotations

from pathlib import Path

from ConSinGAN import images
from ConSinGAN.resize import resize
from ConSinGAN.tasks._tiling import whole
from ConSinGAN.tasks.style import draw_content, matched
from jobs.common import (
    BUNDLED,
    ROOT,
    Row,
    coherence,
    luminance_correlation,
    read,
    trained,
    wasserstein,
)  # fmt: skip

PICTURES = [ROOT / f"Images/Harmonization/{name}.jpg" for name in ("ink_palace", "oil_night")]
CONTENTS = list(BUNDLED.values())
RECIPES = [
    {"train_mode": mode, "max_size": 120, "min_size": 60, "niter": niter, "Dsteps": 1}
    for mode, niter in (("style", 400), ("harmonization", 200))
]
ENTERS = 500  # longer side of the contents, pixels


def measure(picture: Path, out: Path) -> list[Row]:
    """One row a mode and content.

    `share` of coherence shall be at most 0.8, Wasserstein lower than the input's, correlation at
    least 0.8.
    """
    rows: list[Row] = []
    for recipe in RECIPES:
        run, mode = trained(picture, out, **recipe), recipe["train_mode"]
        model = run.load()
        folder = out / "style" / f"{picture.stem}_{mode}"
        folder.mkdir(parents=True, exist_ok=True)
        for path in CONTENTS:
            content = read(path, ENTERS)
            drawn = whole(draw_content(model, content))
            size = (int(drawn.shape[2]), int(drawn.shape[3]))
            given = resize(matched(model, content, "histogram"), size=size)
            sheet = images.make_sheet([given, drawn], least=400)
            images.save_image(sheet, folder / f"{path.stem}.png")
            before, after = coherence(model.real, given), coherence(model.real, drawn)
            rows.append({
                "picture": picture.stem, "mode": mode, "content": path.stem,
                "coherence of the content": before, "of the drawing": after,
                "share": after / before,
                "Wasserstein of the content": float(wasserstein(model.real, given)[0]),
                "of the drawing, finest": float(wasserstein(model.real, drawn)[0]),
                "correlation": luminance_correlation(given, drawn), "training, s": run.seconds,
            })  # fmt: skip
    return rows
