"""SinGAN as it was published."""

from __future__ import annotations

from ConSinGAN.presets.base import Configure, Preset, Values

# What goes beyond the generator's own defaults: as in the code of Shaham et al. 2019.
PUBLISHED = {
    "generator": "singan",
    "critic": "singan",
    "objective": "wgan-gp",
    "lambda_grad": 0.1,
    "niter": 2000,
    "Gsteps": 3,
    "Dsteps": 3,
    "alpha": 10.0,
    "noise_amp": 0.1,
    "lr_g": 0.0005,
    "beta1": 0.5,
    "gamma": 0.1,
    "num_layer": 3,
    "ker_size": 3,
    "activation": "lrelu",
    "lrelu_alpha": 0.2,
    "nfc": 32,
    "batch_norm": True,
}


class SinGAN(Preset):
    """The networks, the loss and the schedule; sizes are the mode's, the stages as they need."""

    name = "singan"
    summary = "SinGAN (Shaham 2019) as it was published"

    def choose(self, configure: Configure) -> Values:
        return PUBLISHED
