output "arn" {
  description = "ARN of the pipe."
  value       = aws_pipes_pipe.this.arn
}

output "log_group_name" {
  description = "Name of the pipe's log group; null with `log_level` OFF."
  value       = one(aws_cloudwatch_log_group.this[*].name)
}

output "name" {
  description = "Name of the pipe."
  value       = aws_pipes_pipe.this.name
}

output "role_arn" {
  description = "ARN of the pipe's role."
  value       = aws_iam_role.this.arn
}
