"""Presets: named layers of option values between the mode's defaults and --config, one a file."""
