"""Several processes that serve as one: who starts them, what they share, what they counted together."""
