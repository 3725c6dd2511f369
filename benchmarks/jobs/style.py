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
RECIPE = {"train_mode": "style", "max_size": 120, "min_size": 60, "niter": 400, "Dsteps": 1}
ENTERS = 500  # longer side of the contents, pixels


def measure(picture: Path, out: Path) -> list[Row]:
    """One row a content.

    `share` of coherence shall be at most 0.8, Wasserstein lower than the input's, correlation at
    least 0.8.
    """
    run = trained(picture, out, **RECIPE)
    model = run.load()
    folder = out / "style" / picture.stem
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for path in CONTENTS:
        content = read(path, ENTERS)
        drawn = whole(draw_content(model, content))
        how = "histogram"
        size = (int(drawn.shape[2]), int(drawn.shape[3]))
        given = resize(matched(model, content, how), size=size)
        sheet = images.make_sheet([given, drawn], least=400)
        images.save_image(sheet, folder / f"{path.stem}.png")
        before, after = coherence(model.real, given), coherence(model.real, drawn)
        rows.append({
            "picture": picture.stem, "content": path.stem, "coherence of the content": before,
            "of the drawing": after, "share": after / before,
            "Wasserstein of the content": float(wasserstein(model.real, given)[0]),
            "Wasserstein of the drawing": float(wasserstein(model.real, drawn)[0]),
            "correlation": luminance_correlation(given, drawn), "training, s": run.seconds,
        })  # fmt: skip
    return rows
