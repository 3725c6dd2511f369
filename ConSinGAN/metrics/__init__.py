"""How good is a model? The field's metrics as functions of pictures.

`patches`: sliced Wasserstein distance, nearest patches, copying and pixel diversity, which need
no network. `networks`: SIFID and LPIPS diversity. `report`: all of them, as
`evaluate_model.py --metrics` and `python -m ConSinGAN.metrics REAL FAKE...` print them.
"""
