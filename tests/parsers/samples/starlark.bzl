load("//tools:defs.bzl", "library")

# INCOMMENT one target per name
def libraries(names):
    for name in names:
        library(name = name, srcs = ["INSTRING"], deps = [INBLOCK])
