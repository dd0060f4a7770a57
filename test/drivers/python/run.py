"""Runs the checks of the modules that its arguments name."""

import importlib
import sys

from checks import run_checks

for module in sys.argv[1:]:
    importlib.import_module(module)
run_checks()
