"""Many pictures at once, and sweeps of settings, on this machine or a cluster: Ray does the rest.

    python -m ConSinGAN.fleet train FOLDER_OR_GLOB [training flags]
    python -m ConSinGAN.fleet draw RUNS --task T [its flags]
    python -m ConSinGAN.fleet metrics RUNS
    python -m ConSinGAN.fleet sweep PICTURE --grid lr_scale=0.1,0.3 --seeds 3

What has been done is told by the run directories themselves, so that any of it can be killed and
the same command started again. See docs/fleet.md.
"""
