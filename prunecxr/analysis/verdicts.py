"""What a question about an association comes to: five states, never fewer.

An untested result is not 'not shown', and what holds at each class's own prevalence alone is not 'yes'.
"""

YES = "yes"
OPPOSITE = "opposite"
NOT_SHOWN = "no_association_shown"
OWN_PREVALENCE = "only_at_own_prevalence"
CANNOT_BE_TOLD = "cannot_be_told"
STATES = (YES, OPPOSITE, NOT_SHOWN, OWN_PREVALENCE, CANNOT_BE_TOLD)
