import multiprocessing
import os

bind = "0.0.0.0:8000"
workers = int(os.environ.get("WEB_CONCURRENCY", multiprocessing.cpu_count() * 2 + 1))
worker_class = "gthread"
threads = 4
timeout = 60
graceful_timeout = 25
keepalive = 65
max_requests = 1000
max_requests_jitter = 100
accesslog = "-"
worker_tmp_dir = "/dev/shm"
forwarded_allow_ips = "*"
