# INCOMMENT a bucket
resource "aws_s3_bucket" "logs" {
  bucket = "INSTRING"
  tags = INBLOCK
}
