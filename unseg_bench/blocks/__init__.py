"""What methods share and a plugin of your own may import: CLIP, SAM, weights, Layer-CAM, prompts, U-Net, training."""
