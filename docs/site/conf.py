"""How the Markdown pages become a static site: `make site`. Any warning, as of a link that leads nowhere, fails it.

The source is the whole repository, so that links between its pages lead in the site where they lead there.
"""

project = "helmbroker"
copyright = "helmbroker's authors"  # noqa: A001  # Sphinx calls it so
extensions = ["myst_parser"]
include_patterns = [
    "docs/**",
    "addons/*/README.md",
    "charts/*/README.md",
    "sandbox/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = [".*", "build"]
root_doc = "docs/index"
html_theme = "furo"
html_title = "helmbroker"
html_copy_source = False
html_show_sphinx = False
html_extra_path = ["root"]
myst_heading_anchors = 4
