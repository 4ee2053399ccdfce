"""Size and speed of the presets in every format, and of the same models in ONNX Runtime and PyTorch."""
