"""The toolkit in a browser: `python -m ConSinGAN.studio`."""
