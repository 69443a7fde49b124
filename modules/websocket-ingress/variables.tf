variable "access_logs" {
  description = "Write a line for each request to `/aws/apigateway/<name>`. API Gateway takes this only where its account settings of the region name a role for logs: see `create_account_log_role`."
  type        = bool
  default     = true
  nullable    = false
}

variable "acknowledge" {
  description = "Tell the client {\"status\": \"accepted\", \"requestId\": ...} as soon as the queue has its message, and of an error if it does not take it. Without it the client hears of errors alone."
  type        = bool
  default     = true
  nullable    = false
}

variable "architecture" {
  description = "Processor of the functions: arm64 (cheaper) or x86_64. Checked by `function`."
  type        = string
  default     = "arm64"
  nullable    = false
}

variable "artifact_bucket" {
  description = "S3 bucket for the packages of the functions, in their region."
  type        = string
  nullable    = false
}

variable "authorization" {
  description = "Who may connect: NONE (everybody), AWS_IAM (whose signature may execute-api:Invoke), CUSTOM (whom `authorizer_function_arn` lets in). Messages of a connection are not authorised again."
  type        = string
  default     = "NONE"
  nullable    = false

  validation {
    condition     = contains(["NONE", "AWS_IAM", "CUSTOM"], var.authorization)
    error_message = "authorization is \"${var.authorization}\": a WebSocket API has NONE, AWS_IAM and CUSTOM. Use one of them."
  }
}

variable "authorizer_function_arn" {
  description = "With authorization CUSTOM: ARN of the alias of the Lambda authorizer. It answers with `principalId` and a policy for execute-api:Invoke."
  type        = string
  default     = null

  validation {
    condition     = var.authorizer_function_arn == null || can(regex("^arn:[a-z-]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$", var.authorizer_function_arn))
    error_message = "authorizer_function_arn is ${var.authorizer_function_arn == null ? "null" : var.authorizer_function_arn}: give the ARN of an alias, arn:aws:lambda:<region>:<account>:function:<name>:<alias>."
  }

  validation {
    condition     = (var.authorizer_function_arn != null) == (var.authorization == "CUSTOM")
    error_message = "authorizer_function_arn is ${var.authorizer_function_arn == null ? "null" : "given"} with authorization \"${var.authorization}\": a function decides with CUSTOM, and only then. ${var.authorizer_function_arn == null ? "Give the ARN of its alias, or set authorization to NONE or AWS_IAM." : "Set authorization to CUSTOM, or remove it."}"
  }
}

variable "authorizer_identity_sources" {
  description = "With authorization CUSTOM: what a client must bring for the authorizer to be asked, e.g. [\"route.request.querystring.token\"]; without, it is refused with 401. Browsers can send no header of their own. None means that it is always asked."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for source in var.authorizer_identity_sources : can(regex("^(route\\.request\\.(header|querystring)|stageVariables|context)\\.[A-Za-z0-9._-]+$", source))])
    error_message = "authorizer_identity_sources has ${join(", ", [for source in var.authorizer_identity_sources : "\"${source}\"" if !can(regex("^(route\\.request\\.(header|querystring)|stageVariables|context)\\.[A-Za-z0-9._-]+$", source))])}: give route.request.header.<name>, route.request.querystring.<name>, context.<name> or stageVariables.<name>."
  }

  validation {
    condition     = length(var.authorizer_identity_sources) == 0 || var.authorization == "CUSTOM"
    error_message = "authorizer_identity_sources is given with authorization \"${var.authorization}\": only an authorizer reads them. Remove it, or set authorization to CUSTOM."
  }
}

variable "certificate_arn" {
  description = "ARN of the ACM certificate of `domain_name`, in the API's region: arn:aws:acm:<region>:<account>:certificate/<id>. Null without `domain_name`."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[a-z-]+:acm:[^:]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$", var.certificate_arn))
    error_message = "certificate_arn is ${var.certificate_arn == null ? "null" : var.certificate_arn}: give the ARN of a certificate of ACM, arn:aws:acm:<region>:<account>:certificate/<id>."
  }
}

variable "client_id_from" {
  description = "What names a client across its connections, so that a reply finds it after it has connected anew: authorizer (the `principalId`), query (the parameter `client_id` of the URL; whoever may connect can claim any, and gets its replies; messages do not carry it, so a client that leaves before the first report on its message is not found again), or null for nothing."
  type        = string
  default     = null

  validation {
    condition     = var.client_id_from == null ? true : contains(["authorizer", "query"], var.client_id_from)
    error_message = "client_id_from is \"${var.client_id_from == null ? "null" : var.client_id_from}\": a client is named by its \"authorizer\" or its \"query\". Use one of them, or null."
  }

  validation {
    condition     = var.client_id_from == null ? true : var.client_id_from != "authorizer" || var.authorization == "CUSTOM"
    error_message = "client_id_from is \"authorizer\" with authorization \"${var.authorization}\": only a Lambda authorizer says who its client is. Set authorization to CUSTOM, or client_id_from to \"query\" or null."
  }
}

variable "create_account_log_role" {
  description = "Create a role for logs and set it in API Gateway's account settings, for all APIs of the region and in place of the role there. AWS provider 6 clears the setting with the role, provider 5 leaves it. False if a role is set, or set elsewhere."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.create_account_log_role || var.access_logs
    error_message = "create_account_log_role is true with access_logs = false: nothing here would write with the role. Set create_account_log_role to false, or access_logs to true."
  }
}

variable "default_route" {
  description = "Take messages whose `action` names no route of `routes`, or that have none. False answers them with an error."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.default_route || length(var.routes) > 0
    error_message = "default_route is false and routes is empty: no message would reach the queue. Set default_route to true, or name a route."
  }
}

variable "domain_name" {
  description = "Domain name for clients, in place of API Gateway's own, e.g. live.example.com; null for API Gateway's own. Needs `certificate_arn`. Its DNS record is yours: an alias of `domain_target`."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null || can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", var.domain_name))
    error_message = "domain_name is \"${var.domain_name == null ? "null" : var.domain_name}\": give a name of lower-case letters, digits, - and ., such as live.example.com, without a scheme or a path."
  }

  validation {
    condition     = (var.domain_name == null) == (var.certificate_arn == null)
    error_message = "domain_name is ${var.domain_name == null ? "null" : "given"} and certificate_arn is ${var.certificate_arn == null ? "null" : "given"}: a domain needs its certificate, and a certificate is for a domain. Give both or neither."
  }
}

variable "group" {
  description = "Within what messages keep their order, and ids tell a repetition for five minutes: connection, or client (needs client_id_from = \"authorizer\"), so that a client's connections share one order and it may repeat a message over another one. SQS takes a group of up to 128 letters, digits and punctuation: a client whose principal is none is refused."
  type        = string
  default     = "connection"
  nullable    = false

  validation {
    condition     = contains(["connection", "client"], var.group)
    error_message = "group is \"${var.group}\": messages are grouped by \"connection\" or by \"client\". Use one of them."
  }

  validation {
    condition     = var.group != "client" || var.client_id_from == "authorizer"
    error_message = "group is \"client\" with client_id_from ${var.client_id_from == null ? "null" : "\"${var.client_id_from}\""}: only what the authorizer says is known of each message. Set client_id_from to \"authorizer\", or group to \"connection\"."
  }
}

variable "kms_key_arn" {
  description = "KMS key for the connection table, packages, environments and logs; null means keys that AWS manages. Its key policy must allow logs.<region>.amazonaws.com for the logs. The queue's is `queue_kms_key_arn`."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days for which CloudWatch Logs keeps the access logs and the functions' output, one of its numbers, e.g. 7, 30, 90 or 365 (all are in `execution-role`, which checks it); 0 keeps them for ever."
  type        = number
  default     = 30
  nullable    = false
}

variable "memory_size" {
  description = "Memory of each function in MB, 128 to 10240. Checked by `function`."
  type        = number
  default     = 256
  nullable    = false
}

variable "metrics" {
  description = "Publish the API's metrics by route as well, which CloudWatch bills; those of API and stage are there in any case."
  type        = bool
  default     = false
  nullable    = false
}

variable "name" {
  description = "Name of the API. The functions are `<name>-connections` and `<name>-reply`, the table `<name>-connections`, the role `<name>-ingress-<region>`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.name))
    error_message = "name is \"${var.name}\": functions, roles and the table are named by it, so it holds letters, digits, - and _. Give it one or more, and remove the other characters."
  }

  validation {
    condition     = length(var.name) <= 37
    error_message = "name is ${length(var.name)} characters long: with the suffixes -connections and -<region> it would exceed the 64 characters of a role name. Shorten it to 37."
  }
}

variable "permissions_boundary" {
  description = "ARN of the IAM policy that bounds the roles; null for none. Checked by `execution-role`."
  type        = string
  default     = null
}

variable "python" {
  description = "Command that starts Python 3.9 or newer on the machine that runs Terraform; it builds the packages."
  type        = string
  default     = "python3"
  nullable    = false
}

variable "queue_arn" {
  description = "ARN of the FIFO queue that gets the messages: `arn` of `queue`, or `queue_arn` of the root module with fifo = true. Ids are of a group, so its deduplication scope has to be messageGroup, as theirs is: otherwise a client's id would suppress another's message."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_-]+\\.fifo$", var.queue_arn))
    error_message = "queue_arn is \"${var.queue_arn}\": messages of a connection keep their order in a FIFO queue alone. Give the ARN of one, arn:aws:sqs:<region>:<account>:<name>.fifo (modules/queue or the root module with fifo = true)."
  }
}

variable "queue_kms_key_arn" {
  description = "KMS key of the queue; null means a key that SQS manages."
  type        = string
  default     = null

  validation {
    condition     = var.queue_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.queue_kms_key_arn))
    error_message = "queue_kms_key_arn is ${var.queue_kms_key_arn == null ? "null" : var.queue_kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "routes" {
  description = <<-EOT
    Named routes, by what a message says as its `action`: {"action": "order", ...} takes the route `order`. All lead to the
    queue, where the message attribute `routeKey` has the name.
    - `schema`: JSON schema, as text, of the route's messages; null means `schema`
  EOT
  type        = map(object({ schema = optional(string) }))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.routes) : can(regex("^[^$].{0,127}$", key))])
    error_message = "routes has the name ${join(", ", [for key in keys(var.routes) : jsonencode(key) if !can(regex("^[^$].{0,127}$", key))])}: names have 1 to 128 characters, and those with $ are API Gateway's own ($connect, $disconnect; for $default set default_route). Rename it."
  }

  validation {
    condition     = alltrue([for route in values(var.routes) : route.schema == null ? true : can(keys(jsondecode(route.schema)))])
    error_message = "routes has a schema that is no JSON object, of ${join(", ", [for key, route in var.routes : jsonencode(key) if route.schema == null ? false : !can(keys(jsondecode(route.schema)))])}. Write it with jsonencode({ type = \"object\", ... })."
  }

  validation {
    # A schema that is no object has no type to look at, and is refused above.
    condition     = alltrue([for route in values(var.routes) : route.schema == null ? true : try(jsondecode(route.schema).type, "object") == "object"])
    error_message = "routes has a schema of another type than object, of ${join(", ", [for key, route in var.routes : jsonencode(key) if route.schema == null ? false : try(jsondecode(route.schema).type, "object") != "object"])}: a message names its route by a member, so it is an object. Set type to \"object\"."
  }

  validation {
    condition     = alltrue([for route in values(var.routes) : length(route.schema == null ? "" : route.schema) <= 32768])
    error_message = "routes has a schema longer than 32768 characters, of ${join(", ", [for key, route in var.routes : jsonencode(key) if length(route.schema == null ? "" : route.schema) > 32768])}: AWS provider takes no more. Shorten it, and check the rest in the function."
  }
}

variable "runtime" {
  description = "Lambda runtime of the functions. Checked by `function`."
  type        = string
  default     = "python3.13"
  nullable    = false
}

variable "schema" {
  description = "JSON schema (draft 4), as text, of messages on the default route and on routes without one of their own. A message that is not JSON, or not so, is answered with an error and not queued. The `id`, if a message has one, becomes its deduplication id, of which SQS takes 128 characters."
  type        = string
  default     = "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]{1,128}$\"}}}"
  nullable    = false

  validation {
    condition     = can(keys(jsondecode(var.schema)))
    error_message = "schema is no JSON object: ${var.schema}. Write it with jsonencode({ type = \"object\", ... })."
  }

  validation {
    # A schema that is no object has no type to look at, and is refused above.
    condition     = try(jsondecode(var.schema).type, "object") == "object"
    error_message = "schema has the type ${try(jsonencode(jsondecode(var.schema).type), "")}: action and id are members of a message, so it is an object. Set type to \"object\"."
  }

  validation {
    condition     = length(var.schema) <= 32768
    error_message = "schema is ${length(var.schema)} characters long: AWS provider takes 32768. Shorten it, and check the rest in the function."
  }
}

variable "stage_name" {
  description = "Name of the stage, the last part of the URL."
  type        = string
  default     = "live"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name is \"${var.stage_name}\": stages of WebSocket APIs have 1 to 128 letters, digits, - and _, and there is no $default. Remove the other characters."
  }
}

variable "tags" {
  description = "Tags of the API, its stage, the functions, the table, the roles and the log groups."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "throttling_burst_limit" {
  description = "Messages, and new connections, that a route takes at once, all clients together. The default is what AWS gives an account in each region, at the least."
  type        = number
  default     = 1250
  nullable    = false

  validation {
    condition     = var.throttling_burst_limit >= 1 && floor(var.throttling_burst_limit) == var.throttling_burst_limit
    error_message = "throttling_burst_limit is ${var.throttling_burst_limit}: with less than 1 a route takes nothing, and there are no parts of a message. Give a whole number from 1 on."
  }
}

variable "throttling_rate_limit" {
  description = "Messages, and new connections, a second that a route takes in the long run, all clients together. The default is what AWS gives an account in each region, at the least."
  type        = number
  default     = 2500
  nullable    = false

  validation {
    condition     = var.throttling_rate_limit > 0
    error_message = "throttling_rate_limit is ${var.throttling_rate_limit}: a route would take nothing. Give a number above 0."
  }
}
