load("//tools:defs.bzl", "library")

_DEFAULT_DEPS = ["//base"]

# INCOMMENT one target per name
def libraries(names, deps = _DEFAULT_DEPS):
    for name in names:
        if name.startswith("_"):
            continue
        library(
            name = name,
            srcs = ["INSTRING"],
            deps = [INBLOCK] + deps,
        )
