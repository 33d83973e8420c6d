"""The local run: the deployed system's own template on an AWS emulator, behind one front door.

`run` starts everything, `launch` and `emulator` are the emulator's two ends, `template` rewrites
template.yaml for it, `stack` deploys, `drift` proves what stands, `front` is the door.
"""
