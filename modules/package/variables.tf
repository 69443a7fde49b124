variable "architecture" {
  description = "Processor that requirements are installed for: arm64 or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is \"${var.architecture}\": Lambda offers arm64 and x86_64. Use one of them."
  }
}

variable "bucket" {
  description = "Name of the S3 bucket for the archive, in the function's region, e.g. \"my-artifacts\". Null, and not used, with `s3`."
  type        = string
  default     = null

  validation {
    condition     = var.bucket != null || var.s3 != null
    error_message = "bucket is null: source_dir and filename are uploaded. Give the name of an S3 bucket in the function's region."
  }
}

variable "build_dir" {
  description = "Folder for archives before their upload; null means `.terraform-build` in the root module."
  type        = string
  default     = null
}

variable "exclude" {
  description = "Further files to leave out: regular expressions on the path relative to `source_dir`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.exclude : can(regexall(pattern, ""))])
    error_message = "exclude holds what is no regular expression: ${join(", ", [for pattern in var.exclude : pattern if !can(regexall(pattern, ""))])}. Correct it; globs are not understood (\"tests/\" or \"\\\\.md$\", not \"*.md\")."
  }
}

variable "filename" {
  description = "Path of a ready zip archive, e.g. \"dist/orders.zip\", which has to be there before the plan; null for none. Exactly one of `source_dir`, `filename` and `s3` is given."
  type        = string
  default     = null

  validation {
    condition     = var.filename == null ? true : fileexists(var.filename)
    error_message = "filename is ${var.filename == null ? "null" : var.filename}: there is no such file. Build it before the plan, or give source_dir and let this module build."
  }
}

variable "handler" {
  description = "Handler of the function, `module.function`, checked against the files in `source_dir`; null skips the check."
  type        = string
  default     = null

  validation {
    condition     = var.handler == null || can(regex("^[A-Za-z0-9_./-]+\\.[A-Za-z_][A-Za-z0-9_]*$", var.handler))
    error_message = "handler is \"${var.handler == null ? "null" : var.handler}\": Lambda needs <module>.<function>, e.g. handler.handler for the function handler in handler.py."
  }

  validation {
    condition = var.handler == null || var.source_dir == null ? true : anytrue([
      for suffix in [".py", "/__init__.py"] :
      fileexists("${var.source_dir}/${replace(replace(var.handler, "/\\.[^.]*$/", ""), ".", "/")}${suffix}")
    ])
    error_message = "handler is \"${var.handler == null ? "null" : var.handler}\", but there is no file ${var.source_dir == null ? "" : var.source_dir}/${replace(replace(var.handler == null ? "" : var.handler, "/\\.[^.]*$/", ""), ".", "/")}.py. Create it, or correct source_dir or handler (<module>.<function>)."
  }
}

variable "kms_key_arn" {
  description = "KMS key for the uploaded archive; null means the bucket's default."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn == null ? "null" : var.kms_key_arn}: give the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>, not an id or an alias."
  }
}

variable "name" {
  description = "Name of the package: folder of its archives in the bucket. Usually the function's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.name))
    error_message = "name is \"${var.name}\": letters, digits, - and _ only. Remove the other characters."
  }
}

variable "pip_arguments" {
  description = "Further arguments of pip install, e.g. [\"--no-deps\"] where the runtime ships the dependencies."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "python" {
  description = "Command that starts Python 3.9 or newer, with pip where there are requirements, on the machine that runs Terraform."
  type        = string
  default     = "python3"
  nullable    = false
}

variable "runtime" {
  description = "Lambda runtime that requirements are installed for, e.g. python3.13."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = can(regex("^python3\\.(1[1-9]|[2-9][0-9])$", var.runtime))
    error_message = "runtime is \"${var.runtime}\": packages are built for python3.11 or newer. Use e.g. python3.13."
  }
}

variable "s3" {
  description = <<-EOT
    An archive that is in S3 already:
    - `bucket`, `key`: where it is
    - `object_version`: its version, in a versioned bucket
    - `hash`: changes when the content does; needed if the key stays the same and there is no version
  EOT
  type = object({
    bucket         = string
    key            = string
    object_version = optional(string)
    hash           = optional(string)
  })
  default = null
}

variable "source_dir" {
  description = "Folder with the sources and, if any, requirements.txt, e.g. \"src\"; a relative path starts where terraform runs. Null for none. Exactly one of `source_dir`, `filename` and `s3` is given."
  type        = string
  default     = null

  validation {
    condition     = length(compact([var.source_dir, var.filename, var.s3 == null ? null : var.s3.key])) == 1
    error_message = "${length(compact([var.source_dir, var.filename, var.s3 == null ? null : var.s3.key]))} of source_dir, filename and s3 are given. Give exactly one."
  }

  validation {
    condition     = var.source_dir == null ? true : length(fileset(var.source_dir, "**")) > 0
    error_message = "source_dir is \"${var.source_dir == null ? "null" : var.source_dir}\": there is no such folder, or no file in it. Correct the path; a relative one starts where terraform runs, so prefer \"$${path.module}/...\"."
  }
}
