"""A process that the kernel keeps from everything but what it was given; knows no plan, no method, no data set."""
