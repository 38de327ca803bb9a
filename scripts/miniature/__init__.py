"""What `scripts/train_miniature_pair.py` is made of: phantoms, shape scenes, prompts, and the two training loops."""
