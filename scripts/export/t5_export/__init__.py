"""Exports a Hugging Face T5 as a directory that torch-t5 loads, bit for bit the model it came from.

`export_source` starts from a directory or a hub name, `export_model` from a model in memory.
"""

from t5_export.errors import ExportError
from t5_export.exporting import export_model, export_source

__all__ = ["ExportError", "export_model", "export_source"]
