import sys

sys.exit("set ZOO_KEY first")
