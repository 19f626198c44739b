"""MD-GAN: a base network that makes content, a refining network that makes motion (Xiong et al., CVPR 2018).

`networks` contains the generator and the discriminator, `cpu_layers` faster forms of their layers, `losses` the Gram
matrix and the ranking loss, `model` the two training stages, `authors_checkpoints` the authors' own checkpoints.
"""
