"""Kinds of models beyond revscoring's: each a plug-in behind the protocol of ``models.scoring``.

A kind is a module with ``load(artefact) -> Scorer``. Tabular kinds share one scorer: the manifest's
``estimator`` names a kind of estimator, the file in the artefact that holds it, and the contract by which
features are computed::

    {"kind": "lightgbm", "file": "model.lgb", "contract": "revscoring"}

========== ============== ===================== ==========================================================
kind       file           package               probabilities
========== ============== ===================== ==========================================================
linear     (arrays.npz)   none                  logistic regression, ours
skops      model.skops    none (scikit-learn)   ``predict_proba`` of an estimator of a closed list
lightgbm   model.lgb      lightgbm              of its text format
xgboost    model.ubj      xgboost-cpu           of its UBJSON format
onnx       model.onnx     onnxruntime           a two-dimensional float output of the graph
fasttext   model.bin      fasttext-predict      labels of a text, or of the pages that a page links to
========== ============== ===================== ==========================================================

Packages are optional: a model whose package is missing says which extra of revstream to install. Whatever
a kind is, ``models.kinds.conformance_kit`` says what it must hold to.
"""

from collections.abc import Mapping

SCORERS: Mapping[str, str] = {
    "tabular": "models.kinds.tabular",
    "fasttext-outlinks": "models.kinds.outlinks",
}
"""Module by the scorer that a manifest names; part of ``models.store.SCORERS``."""
