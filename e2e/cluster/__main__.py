"""`python -m e2e.cluster`: clusters made, shown, loaded and removed."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from e2e.cluster import engine, images, lifecycle, loading, packages, platform_parts, settings, tools
from e2e.cluster import cluster as clusters
from e2e.cluster.cluster import SHAPES, Cluster
from e2e.cluster.errors import Problem, explain
from e2e.cluster.progress import progress
