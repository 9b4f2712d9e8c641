"""The pinned procedure that computes the signature and the bands of a text, on the CPU or a GPU, with the same bits.

`procedure` has its parameters and constants, `characters` and `normalise` define the words of a text, `kernel` and
`torch_kernel` compute. Nothing is imported here, since `procedure` is used without numba too.
"""
