library(stats)

# INCOMMENT centers a vector
center <- function(x, label = "INSTRING") {
  if (length(x) == 0) {
    return(INBLOCK)
  }
  x - mean(x)
}
