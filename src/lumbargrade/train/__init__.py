"""Training: networks, samples, augmentation, the loop and the export. The only room that imports torch."""
