# A function from outside came with `function`, a queue with `queue`.
moved {
  from = module.function
  to   = module.function[0]
}

moved {
  from = module.package
  to   = module.package[0]
}

moved {
  from = module.queue
  to   = module.queue[0]
}
