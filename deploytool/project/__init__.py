"""Detect: what a project is, as facts with evidence."""

from deploytool.project.facts import Project
from deploytool.project.inspecting import inspect_project

__all__ = ["Project", "inspect_project"]
