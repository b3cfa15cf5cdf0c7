"""The model speaks to the same servers as the tests of the verbs."""

from tests.broker.conftest import fake_rig, server, sync_rig

__all__ = ["fake_rig", "server", "sync_rig"]
