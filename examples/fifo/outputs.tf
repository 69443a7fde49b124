output "dead_letter_queue_url" {
  description = "URL of the queue of bookings that failed five times."
  value       = module.bookings.dead_letter_queue_url
}

output "failed_queue_url" {
  description = "URL of the queue of events that somebody started by hand and that failed: the mapping puts nothing there."
  value       = module.bookings.failed_queue_url
}

output "function_name" {
  description = "Name of the durable function."
  value       = module.bookings.function_name
}

output "queue_url" {
  description = "URL of the queue, to send bookings to."
  value       = module.bookings.queue_url
}

output "table_name" {
  description = "Name of the table of bookings."
  value       = module.bookings.table_name
}
