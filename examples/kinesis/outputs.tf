output "failed_dead_letter_url" {
  description = "URL of the queue of what could not be redriven either."
  value       = module.consumer.on_failure_dead_letter_url
}

output "failed_queue_url" {
  description = "URL of the queue that says which records were given up."
  value       = module.consumer.on_failure_queue_url
}

output "function_name" {
  description = "Name of the function."
  value       = module.function.name
}

output "stream_name" {
  description = "Name of the stream, to put readings into."
  value       = aws_kinesis_stream.this.name
}

output "table_name" {
  description = "Name of the table of readings."
  value       = aws_dynamodb_table.this.name
}
