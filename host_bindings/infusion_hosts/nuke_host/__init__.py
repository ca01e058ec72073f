"""Infusion Inpaint inside Nuke 14 to 17: a Group node that hands its inputs to the engine."""
