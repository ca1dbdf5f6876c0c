"""Computes the features of models at the cost of the change, with revscoring's own values to the last bit."""
