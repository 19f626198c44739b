"""Models that MD-GAN is compared with: the first frame repeated, conditional VGAN, and a recurrent GAN."""
