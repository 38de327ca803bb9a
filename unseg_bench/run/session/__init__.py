"""Where a method works: in the harness's process, or in one of its own, sealed where the kernel can."""
