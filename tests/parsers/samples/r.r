library(stats)

# INCOMMENT drops what is missing
mean_of <- function(values, trim = 0) {
  kept <- values[!is.na(values)]
  if (length(kept) == 0) {
    warning("INSTRING", inblock)
    return(NA)
  }
  mean(kept, trim = trim)
}

print(mean_of(c(1, 2, NA)))
