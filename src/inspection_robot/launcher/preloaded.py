"""The last module that the fork server imports: what it has by then, its children share.

- It ends with the supervisor at once. By itself it would wait for its children, which end with it.
- A process group of its own keeps the terminal's signals away from it.
- Objects that exist by now are left out of garbage collections, which would otherwise write to, and so copy, every
  shared page in every child.
"""

import gc
import os

from inspection_robot.launcher.starting import die_with

die_with(os.getppid())()
os.setpgid(0, 0)
gc.collect()
gc.freeze()
