"""Synthetic lumbar MR studies of patients that do not exist, with known truth.

``anatomy`` draws a patient (person, bones, wear), ``skeleton`` stands them up as frames and curves in space, ``sdf`` says how far any point
lies from every tissue, ``measure`` grades the finished geometry and ``readers`` label it, ``scene`` furnishes the trunk, ``protocol`` and
``scanner`` say what is taken and how, ``render`` and ``kspace`` take MR pictures of it, ``patient`` makes a ``Study`` of all that. It never
opens a file; no label is painted: what is graded is what is drawn.
"""
