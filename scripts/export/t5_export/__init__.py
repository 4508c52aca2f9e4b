"""Exports a Hugging Face T5 as a directory that torch-t5 loads, with bitwise equal logits.

`export_source` exports a directory or a name on the Hub, `export_model` a model in memory.
"""

from t5_export.errors import ExportError
from t5_export.exporting import export_model, export_source

__all__ = ["ExportError", "export_model", "export_source"]
