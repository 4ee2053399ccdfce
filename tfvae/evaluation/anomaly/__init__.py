"""Anomalies: scores in nats, thresholds with a guarantee, and how well they detect."""

from tfvae.evaluation.anomaly.conformal import Calibration, calibrate
from tfvae.evaluation.anomaly.detection import Detection, detection
from tfvae.evaluation.anomaly.scores import LikelihoodRatio, NegativeELBO, NegativeEvidence, Score, Typicality

__all__ = [
    "Calibration",
    "Detection",
    "LikelihoodRatio",
    "NegativeELBO",
    "NegativeEvidence",
    "Score",
    "Typicality",
    "calibrate",
    "detection",
]
