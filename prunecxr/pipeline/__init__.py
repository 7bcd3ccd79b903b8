"""Pipeline: the composers. Only they join the stages."""
