"""Configuration of Sphinx; `make docs` builds the pages, and any warning fails the build."""

import importlib.metadata
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "acemaker"
author = "the acemaker developers"
version = release = importlib.metadata.version("acemaker")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "mathml",  # formulas without external files
    "notebooks",  # copies the notebooks here and executes them
    "parameters",  # tables of the configuration
    "complete",  # warns of undocumented public names
]
exclude_patterns = ["_build", "extensions", "examples"]

html_theme = "furo"
html_title = "acemaker"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

# as in `acemaker run`: pictures instead of widgets
os.environ["ACEMAKER_DISPLAY"] = "static"
nb_execution_mode = os.environ.get("ACEMAKER_DOCS_NOTEBOOKS", "cache")  # "off": no outputs
nb_execution_in_temp = True
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings contain them, with shapes and units
numpydoc_show_class_members = False  # autodoc lists the members
