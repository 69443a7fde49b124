output "failed_queue_url" {
  description = "URL of the queue that says which payments were given up."
  value       = module.pipe.on_failure_queue_url
}

output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "pipe_name" {
  description = "Name of the pipe."
  value       = module.pipe.name
}

output "stream_name" {
  description = "Name of the stream, to put payments into."
  value       = aws_kinesis_stream.this.name
}

output "table_name" {
  description = "Name of the table of bookings."
  value       = aws_dynamodb_table.this.name
}
