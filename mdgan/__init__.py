"""MD-GAN: a base network that makes content, a refining network that makes motion (Xiong et al., CVPR 2018).

`networks` holds the generator and the discriminator, `losses` the Gram matrix and the ranking loss, `model`
the two training stages, `published` the authors' own checkpoints.
"""
