variable "region" {
  type    = string
  default = "eu-west-1"
}

# INCOMMENT one bucket for each environment
resource "aws_s3_bucket" "logs" {
  bucket = "INSTRING-${var.region}"

  versioning {
    enabled = inblock
  }

  tags = {
    Team = "platform"
  }
}
