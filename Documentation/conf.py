# SPDX-License-Identifier: GPL-2.0
"""The manual's settings; see Makefile for what is generated before."""

project = "cancelio"
copyright = "the cancelio authors"
language = "en"
highlight_language = "c"
html_theme = "alabaster"
html_theme_options = {"description": "Socket reads and writes that can be interrupted"}
html_show_copyright = False
html_copy_source = False
