"""few_files.py COMMAND…: runs it where a process may open 200 files."""
import os
import resource
import sys

resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
os.execv(sys.argv[1], sys.argv[1:])
