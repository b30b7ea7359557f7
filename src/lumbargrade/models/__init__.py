"""The weight files, the manifest that pins each by sha256, and the ONNX Runtime sessions that run them. Knows no anatomy."""

from lumbargrade.models.bundle import Member, ModelBundle, load_bundle, write_manifest
from lumbargrade.models.session import Network

__all__ = ["Member", "ModelBundle", "Network", "load_bundle", "write_manifest"]
