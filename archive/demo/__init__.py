"""`archive demo`: the main job, on captures that the package writes itself."""
