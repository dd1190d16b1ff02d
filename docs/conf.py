"""How Sphinx builds these pages: ``make docs``, in which every warning is an error."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from deploytool import __version__

project = "deploytool"
author = copyright = "The deploytool developers"
release = version = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
nitpicky = True
myst_enable_extensions = ["deflist"]

# A heading is a place to link to: page.md#heading.
myst_heading_anchors = 3

html_theme = "furo"
html_title = "deploytool"
html_copy_source = False
