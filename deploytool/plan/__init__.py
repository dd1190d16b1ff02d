"""How a project should be served: decisions, each with its source and its reason.

``make_plan()`` is pure: it reads the facts of a Project and the options of a command, and
touches neither Django nor the machine.
"""

from deploytool.plan.data import Decision, Options, Plan, PlanError, Problem, Rejection
from deploytool.plan.making import make_plan

__all__ = ["Decision", "Options", "Plan", "PlanError", "Problem", "Rejection", "make_plan"]
