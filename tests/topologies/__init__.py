"""Forty shops that look odd and do no wrong, each with a twin that does.

A scene draws what its services do in one trace, and in its twin (`bad`) also the fault, with the rule that finds it.
"""

from topologies import callers, chains, declared, roads
from topologies.playing import findings, missed, play
from topologies.scene import SCENES

__all__ = ["SCENES", "callers", "chains", "declared", "findings", "missed", "play", "roads"]
