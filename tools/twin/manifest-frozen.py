# The twin with our modules frozen in, by the manifest that boards use.
include("manifest.py")
include("../../boards/manifest.py")
