# Policies that the role's owner attaches came with `attach_policy`.
moved {
  from = aws_iam_role_policy.this
  to   = aws_iam_role_policy.this[0]
}
