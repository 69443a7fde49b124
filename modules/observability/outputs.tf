output "alarm_arns" {
  description = "ARN of each alarm, by its key."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.arn }
}

output "alarm_kinds" {
  description = "What each alarm watches, by its key: a kind of the table above."
  value       = { for key, alarm in local.alarms : key => alarm.kind }
}

output "alarm_names" {
  description = "Name of each alarm, by its key: `<name>-<key>`."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => alarm.alarm_name }
}

output "composite_alarm_arn" {
  description = "ARN of the composite alarm."
  value       = aws_cloudwatch_composite_alarm.this.arn
}

output "composite_alarm_name" {
  description = "Name of the composite alarm, which is in ALARM while any of the alarms is."
  value       = aws_cloudwatch_composite_alarm.this.alarm_name
}

output "dashboard_name" {
  description = "Name of the dashboard; null without one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}

output "thresholds" {
  description = "Threshold of each alarm, by its key, in the unit of its metric."
  value       = { for key, alarm in local.alarms : key => alarm.threshold }
}

output "topic_arn" {
  description = "ARN of the SNS topic that hears of the alarms, to subscribe to; null with `alarm_actions`."
  value       = one(aws_sns_topic.this[*].arn)
}
