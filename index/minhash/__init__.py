"""The pinned procedure: from a text to its signature and its bands, on the CPU and on the GPU, with the same bits.

`procedure` has its numbers, `characters` and `normalise` what a text is for it, `kernel` and `torch_kernel` the
passes. Nothing is imported here: `procedure` is needed where numba is not.
"""
