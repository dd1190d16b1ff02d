from config.settings.base import *

DEBUG = True
