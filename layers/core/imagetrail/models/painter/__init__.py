"""A deterministic painter of layered scenes, as SVG.

World units: every canvas has the area 1000 x 1000, x is 0 in the middle, y is 0 at the top. Random numbers are drawn
for the widest view and clipped afterwards, so one (prompt, seed) is one scene at every size and aspect ratio. Colours
are OKLab (Ottosson 2020), in which mixing two keeps the brightness even.
"""
