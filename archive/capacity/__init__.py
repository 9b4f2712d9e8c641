"""What a lake of Common Crawl takes: bytes, hours of cores and GPUs, requests, dollars and days."""

from archive.capacity.arithmetic import Figure, PlanResult, Stage, plan

__all__ = ["Figure", "PlanResult", "Stage", "plan"]
