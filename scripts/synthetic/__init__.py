"""What `scripts/train_synthetic.py` is made of: its heads, its work folder, and the files that it writes."""
