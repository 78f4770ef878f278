"""Runs a command that has to end with this exit code: exit_code.py CODE COMMAND…"""
import subprocess
import sys

code = subprocess.run(sys.argv[2:]).returncode
sys.exit(0 if code == int(sys.argv[1]) else f"exit code {code}")
