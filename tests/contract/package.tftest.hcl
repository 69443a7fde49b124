mock_provider "aws" {
  source = "./tests/contract/mocks"
}

variables {
  name   = "orders"
  bucket = "artifacts"
}

run "sources" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir = "./tests/terraform/callback/handler"
    handler    = "handler.handler"
  }

  assert {
    condition     = can(regex("^[0-9a-f]{64}$", output.hash)) && output.s3_key == "orders/${output.hash}.zip"
    error_message = "The key is made of the hash of the sources."
  }

  assert {
    condition     = aws_s3_object.this[0].source_hash == output.hash && aws_s3_object.this[0].bucket == "artifacts"
    error_message = "The object changes with the sources."
  }

  assert {
    condition     = toset(local.files) == toset(["handler.py", "requirements.txt"])
    error_message = "Caches beside the sources are no sources."
  }

  assert {
    condition     = endswith(aws_s3_object.this[0].source, "/.terraform-build/orders/${output.hash}.zip")
    error_message = "Archives are kept apart by hash."
  }

}

run "hash_changes_with_runtime" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir = "./tests/terraform/callback/handler"
    runtime    = "python3.14"
  }

  assert {
    condition     = output.hash != run.sources.hash
    error_message = "Wheels depend on the runtime."
  }

}

run "hash_changes_with_architecture" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir   = "./tests/terraform/callback/handler"
    architecture = "x86_64"
  }

  assert {
    condition     = output.hash != run.sources.hash
    error_message = "Wheels depend on the architecture."
  }

}

run "hash_changes_with_pip_arguments" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir    = "./tests/terraform/callback/handler"
    pip_arguments = ["--no-deps"]
  }

  assert {
    condition     = output.hash != run.sources.hash
    error_message = "Wheels depend on pip's arguments."
  }

}

run "hash_is_of_content_not_of_paths" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir = "./tests/terraform/../terraform/callback/handler"
  }

  assert {
    condition     = output.hash == run.sources.hash
    error_message = "Machines with other paths agree."
  }

}

run "excluded_files" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir = "./tests/terraform/callback/handler"
    exclude    = ["^requirements\\.txt$"]
  }

  assert {
    condition     = local.files == tolist(["handler.py"])
    error_message = "Excluded files are left out."
  }

}

run "ready_archive" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    filename = "./versions.tf"
  }

  assert {
    condition     = output.hash == filesha256("./versions.tf") && output.s3_key == "orders/${output.hash}.zip" && length(terraform_data.build) == 0
    error_message = "A ready archive is uploaded as it is."
  }

}

run "archive_in_s3" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    bucket = null
    s3     = { bucket = "b", key = "k.zip", object_version = "v1" }
  }

  assert {
    condition     = output.s3_bucket == "b" && output.s3_key == "k.zip" && output.s3_object_version == "v1" && length(aws_s3_object.this) == 0
    error_message = "Nothing is built or uploaded."
  }

}

run "archive_in_s3_new_version" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    s3 = { bucket = "b", key = "k.zip", object_version = "v2" }
  }

  assert {
    condition     = output.hash != run.archive_in_s3.hash
    error_message = "A new version is new code."
  }

}

run "archive_in_s3_with_hash" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    s3 = { bucket = "b", key = "k.zip", hash = "abc" }
  }

  assert {
    condition     = output.hash == "abc"
    error_message = "A given hash decides."
  }

}

run "own_key" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir  = "./tests/terraform/callback/handler"
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = aws_s3_object.this[0].kms_key_id == var.kms_key_arn && aws_s3_object.this[0].server_side_encryption == "aws:kms"
    error_message = "The archive is encrypted with the key."
  }

}

run "nested_handler" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir = "./tests/terraform/callback"
    handler    = "handler.handler.handler"
  }

  assert {
    condition     = contains(local.files, "handler/handler.py")
    error_message = "A handler may be in a package."
  }

}

run "refuses_architecture" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    architecture = "arm"
    source_dir   = "./tests/terraform/callback/handler"
  }

  expect_failures = [var.architecture]
}

run "refuses_bucket" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    bucket     = null
    source_dir = "./tests/terraform/callback/handler"
  }

  expect_failures = [var.bucket]
}

run "refuses_exclude" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    exclude    = ["["]
    source_dir = "./tests/terraform/callback/handler"
  }

  expect_failures = [var.exclude]
}

run "refuses_filename" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    filename = "./missing.zip"
  }

  expect_failures = [var.filename]
}

run "refuses_handler_without_function" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    handler    = "handler"
    source_dir = "./tests/terraform/callback/handler"
  }

  expect_failures = [var.handler]
}

run "refuses_handler_without_file" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    handler    = "main.handler"
    source_dir = "./tests/terraform/callback/handler"
  }

  expect_failures = [var.handler]
}

run "refuses_kms_key_arn" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    kms_key_arn = "alias/mine"
    source_dir  = "./tests/terraform/callback/handler"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_name" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    name       = "a/b"
    source_dir = "./tests/terraform/callback/handler"
  }

  expect_failures = [var.name]
}

run "refuses_runtime" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    runtime    = "python3.10"
    source_dir = "./tests/terraform/callback/handler"
  }

  expect_failures = [var.runtime]
}

run "refuses_no_code" {
  command = plan

  module {
    source = "./modules/package"
  }

  expect_failures = [var.source_dir]
}

run "refuses_two_sources" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir = "./tests/terraform/callback/handler"
    s3         = { bucket = "b", key = "k" }
  }

  expect_failures = [var.source_dir]
}

run "refuses_missing_source_dir" {
  command = plan

  module {
    source = "./modules/package"
  }

  variables {
    source_dir = "./nowhere"
  }

  expect_failures = [var.source_dir]
}
