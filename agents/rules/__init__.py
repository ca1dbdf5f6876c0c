"""Which events are scored by which models: rules with the semantics of ChangeProp's. Pure, without I/O."""
