variable "region" {
  type    = string
  default = "eu-west-1"
}

module "network" {
  source = "./network"
}

# INCOMMENT one bucket for each environment
resource "aws_s3_bucket" "logs" {
  bucket = "INSTRING-${var.region}"

  versioning {
    enabled = inblock
  }

  tags = {
    Team = lower("Platform")
  }
}
