"""Features by their printed names, and by the definitions that published models carry."""

from models.features.binder import FeatureBinder
from models.features.bound import BoundFeature
from models.features.patterns import pattern_list_sha512, words_of_nltk

__all__ = ["BoundFeature", "FeatureBinder", "pattern_list_sha512", "words_of_nltk"]
