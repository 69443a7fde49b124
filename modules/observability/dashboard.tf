locals {
  # One graph a kind, with a line a thing; in the order of kinds.tf's names, three in a row.
  graphs = [
    for kind in sort(distinct([for alarm in local.alarms : alarm.kind])) : {
      kind   = kind
      alarms = [for key in sort(keys(local.alarms)) : merge(local.alarms[key], { key = key }) if local.alarms[key].kind == kind]
    }
  ]

  # Lines of a graph differ in shape and a list has one element type: hence the detour over their JSON.
  lines = {
    for graph in local.graphs : graph.kind => flatten([
      for index, alarm in graph.alarms : alarm.share_of == "" ? [
        jsonencode(concat(
          [alarm.namespace, alarm.metric],
          alarm.dimension == "" ? [] : [alarm.dimension, alarm.of],
          [{ label = alarm.key, stat = alarm.statistic, period = alarm.period }],
        )),
        ] : [
        jsonencode([{ expression = "100 * part${index} / MAX([part${index}, whole${index}])", label = alarm.key, id = "percent${index}", period = alarm.period }]),
        jsonencode([alarm.namespace, alarm.metric, alarm.dimension, alarm.of, { id = "part${index}", visible = false, stat = alarm.statistic, period = alarm.period }]),
        jsonencode([alarm.namespace, alarm.share_of, alarm.dimension, alarm.of, { id = "whole${index}", visible = false, stat = alarm.statistic, period = alarm.period }]),
      ]
    ])
  }

  alarm_rows = ceil(length(local.alarms) / 24) + 1

  widgets = concat(
    [jsonencode({
      type = "alarm", x = 0, y = 0, width = 24, height = 2 * local.alarm_rows
      properties = {
        title  = "Alarms of ${var.name}"
        alarms = concat([aws_cloudwatch_composite_alarm.this.arn], [for key in sort(keys(local.alarms)) : aws_cloudwatch_metric_alarm.this[key].arn])
      }
    })],
    [for index, graph in local.graphs : jsonencode({
      type = "metric", x = 8 * (index % 3), y = 2 * local.alarm_rows + 6 * floor(index / 3), width = 8, height = 6
      properties = {
        title       = graph.kind
        region      = local.region
        view        = "timeSeries"
        stacked     = false
        metrics     = [for line in local.lines[graph.kind] : jsondecode(line)]
        annotations = { horizontal = [for threshold in distinct([for alarm in graph.alarms : alarm.threshold]) : { label = "alarm", value = threshold }] }
        yAxis       = { left = { min = 0 } }
      }
    })],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = [for widget in local.widgets : jsondecode(widget)] })
}
