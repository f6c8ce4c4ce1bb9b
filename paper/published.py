"""Published numbers beside which ours stand. NME x 10^-2 throughout."""

from typing import NamedTuple

NOT_STATED = "not stated"
_PUPIL = "inter-pupil"
_OCULAR = "inter-ocular"


class Method(NamedTuple):
    """A row of the paper's Tables 1 and 2."""

    name: str
    year: str
    normaliser: str
    """Where it is known. The paper says inter-ocular of its own numbers and copies the others' beside them."""
    errors: tuple[str, ...]
    """Table 1: Common, Full. Table 2: Challenging."""


#: Which of the copied numbers are inter-pupil is known for CFSS and LBF; the paper itself marks none.
TABLE_1 = (
    Method("DRMF", "2013", NOT_STATED, ("6.65", "9.22")),
    Method("CFAN", "2014", NOT_STATED, ("5.50", "-")),
    Method("CFSS", "2015", _PUPIL, ("4.73", "5.99")),
    Method("DR", "2016", NOT_STATED, ("4.51", "6.31")),
    Method("DCRFA", "2016", NOT_STATED, ("4.19", "5.02")),
    Method("RDR", "2017", NOT_STATED, ("5.05", "5.80")),
    Method("SCNN", "2017", NOT_STATED, ("5.43", "6.30")),
    Method("TSR", "2017", NOT_STATED, ("4.36", "4.99")),
    Method("Seq-MT", "2018", NOT_STATED, ("4.20", "4.90")),
    Method("PCD-CNN", "2018", NOT_STATED, ("3.67", "4.44")),
    Method("**ODN, the paper's**", "2019", _OCULAR, ("**3.56**", "**4.17**")),
)
TABLE_2 = (
    Method("CMD", "2013", NOT_STATED, ("19.54",)),
    Method("CPR-RPP", "2015", NOT_STATED, ("11.57",)),
    Method("DR", "2016", NOT_STATED, ("13.80",)),
    Method("LBF", "2016", _PUPIL, ("11.98",)),
    Method("RDR", "2017", NOT_STATED, ("8.95",)),
    Method("DVLN", "2017", NOT_STATED, ("7.62",)),
    Method("TSR", "2017", NOT_STATED, ("7.56",)),
    Method("DSRN", "2018", NOT_STATED, ("9.68",)),
    Method("SBR", "2018", NOT_STATED, ("7.58",)),
    Method("SAN", "2018", NOT_STATED, ("6.60",)),
    Method("**ODN, the paper's**", "2019", _OCULAR, ("**6.67**",)),
)

#: Method, year, AFLW-Full, AFLW-Frontal.
TABLE_3 = (
    ("SDM", "2013", "4.05", "2.94"),
    ("ERT", "2014", "4.35", "2.75"),
    ("CCL", "2016", "2.72", "2.17"),
    ("DAC-OSR", "2017", "2.27", "1.81"),
    ("SBR", "2018", "2.14", "-"),
    ("SAN", "2018", "1.91", "1.85"),
    ("DSRN", "2018", "1.86", "-"),
    ("**ODN, the paper's**", "2019", "**1.63**", "**1.38**"),
)

#: 300W, inter-ocular: method, Common, Challenging, Full.
BEST_300W = (
    ("ResNet-18 regression at 224, cunjian/pytorch_face_landmark", "3.73", "7.14", "4.39"),
    ("ODN, the paper's (2019)", "3.56", "6.67", "4.17"),
    ("PIPNet-R18", "-", "-", "3.36"),
    ("HRNet-W18", "2.91", "5.11", "3.34"),
    ("PIPNet-R101", "2.78", "4.89", "3.19"),
    ("SLPT", "2.75", "4.90", "3.17"),
    ("AWing", "2.72", "4.52", "3.07"),
    ("SPIGA", "2.59", "4.66", "2.99"),
    ("ADNet", "2.53", "4.58", "2.93"),
    ("ORFormer (WACV 2025, for occlusion)", "2.53", "4.43", "2.90"),
    ("STAR", "2.52", "4.32", "2.87"),
    ("D-ViT (WACV 2025)", "2.43", "4.56", "2.85"),
)
#: Data set and normaliser, method, error.
BEST_OTHERS = (
    ("AFLW-Full, box", "PIPNet-R18", "1.48"),
    ("AFLW-Full, box", "DTLD", "1.37"),
    ("COFW68, inter-ocular", "SPIGA", "3.93"),
)

#: The text of the paper's section 5.2, and its mean as it is cited elsewhere.
COFW68_BELOW_08 = 0.92
COFW68_MEAN = 5.30
