"""The Blender host: Infusion Inpaint as a node group of the compositor."""
