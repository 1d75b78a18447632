"""Papers that define metrics."""

from dataclasses import dataclass, replace

from sknc._utils.docstrings import filled


@dataclass(frozen=True)
class Source:
    """
    The source of a metric: authors and year, and the full reference.

    The link is "arXiv:..." or "doi:..."; the remark relates the metric to the paper.
    """

    authors: str
    text: str
    link: str = ""
    remark: str = ""

    @property
    def label(self) -> str:
        """Short form of the reference."""
        return f"{self.authors}, {self.link}" if self.link else self.authors

    @property
    def address(self) -> str:
        """URL of the paper; empty without a link."""
        sites = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
        kind, _, name = self.link.partition(":")
        return f"{sites[kind]}{name}" if kind else ""

    @property
    def reference(self) -> str:
        """Full reference."""
        address = f" {self.address}" if self.link else ""
        return f"{self.text}{address}{f' ({self.remark})' if self.remark else ''}"


def references(*sources: Source) -> str:
    """Return the references section of a docstring."""
    lines = [
        filled(f".. [{number}] {source.reference}", "   ").strip()
        for number, source in enumerate(sources, 1)
    ]
    return "\n".join(["", "References", "----------", *lines])


def after(source: Source, remark: str = "") -> Source:
    """Return the source of a metric that a paper only suggests."""
    return replace(source, authors=f"after {source.authors}", remark=remark)


PAPYAN = Source(
    "Papyan, Han & Donoho 2020",
    'V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse during the '
    'terminal phase of deep learning training." PNAS 117 (40), 2020.',
    "doi:10.1073/pnas.2015509117",
)
ZHU = Source(
    "Zhu et al. 2021",
    'Z. Zhu, T. Ding, J. Zhou, X. Li, C. You, J. Sulam, Q. Qu. "A geometric analysis '
    'of neural collapse with unconstrained features." NeurIPS 2021.',
    "arXiv:2105.02375",
)
KOTHAPALLI = Source(
    "Kothapalli 2023",
    'V. Kothapalli. "Neural collapse: a review on modelling principles and '
    'generalization." TMLR 2023.',
    "arXiv:2206.04041",
)
GALANTI = Source(
    "Galanti, György & Hutter 2022",
    'T. Galanti, A. György, M. Hutter. "On the role of neural collapse in transfer '
    'learning." ICLR 2022.',
    "arXiv:2112.15121",
)
TIRER = Source(
    "Tirer, Huang & Niles-Weed 2023",
    'T. Tirer, H. Huang, J. Niles-Weed. "Perturbation analysis of neural collapse." '
    "ICML 2023, PMLR 202:34301-34329.",
    "arXiv:2210.16658",
)
TIRER_BRUNA = Source(
    "Tirer & Bruna 2022",
    'T. Tirer, J. Bruna. "Extended unconstrained features model for exploring deep '
    'neural collapse." ICML 2022.',
    "arXiv:2202.08087",
)
DANG = Source(
    "Dang et al. 2023",
    'H. Dang, T. Tran, S. Osher, H. Tran-The, N. Ho, T. Nguyen. "Neural collapse in '
    'deep linear networks: from balanced to imbalanced data." ICML 2023.',
    "arXiv:2301.00437",
)
RANGAMANI = Source(
    "Rangamani et al. 2023, PMLR 202:28729",
    'A. Rangamani, M. Lindegaard, T. Galanti, T. Poggio. "Feature learning in deep '
    'classifiers through intermediate neural collapse." ICML 2023, PMLR 202:28729. '
    "https://proceedings.mlr.press/v202/rangamani23a.html",
)
JIANG = Source(
    "Jiang et al. 2024",
    "J. Jiang, J. Zhou, P. Wang, Q. Qu, D. G. Mixon, C. You, Z. Zhu. "
    '"Generalized neural collapse for a large number of classes." ICML 2024.',
    "arXiv:2310.05351",
)
ZHAO = Source(
    "Zhao et al. 2026",
    'J. Zhao, T. S. Cheng, W. Masarczyk, A. Lucchi. "Optimizer choice matters for the '
    'emergence of neural collapse." ICLR 2026.',
    "arXiv:2602.16642",
)
XU = Source(
    "Xu & Liu 2023",
    'J. Xu, H. Liu. "Quantifying the variability collapse of neural networks." ICML '
    "2023.",
    "arXiv:2306.03440",
)
HE_SU = Source(
    "He & Su 2023",
    'H. He, W. J. Su. "A law of data separation in deep learning." PNAS 120 (36), '
    "2023.",
    "doi:10.1073/pnas.2221704120",
)
LUTHRA = Source(
    "Luthra, Yang & Galanti 2025",
    'A. Luthra, T. Yang, T. Galanti. "Self-supervised contrastive learning is '
    'approximately supervised contrastive learning." NeurIPS 2025.',
    "arXiv:2506.04411",
)
ZHOU = Source(
    "Zhou et al. 2022",
    'J. Zhou et al. "On the optimization landscape of neural collapse under MSE loss: '
    'global optimality with unconstrained features." ICML 2022.',
    "arXiv:2203.01238",
)
WU = Source(
    "Wu & Papyan 2024",
    'R. Wu, V. Papyan. "Linguistic collapse: neural collapse in (large) language '
    'models." NeurIPS 2024.',
    "arXiv:2405.17767",
)
BENEDETTO = Source(
    "Benedetto & Fickus 2003",
    'J. J. Benedetto, M. Fickus. "Finite normalized tight frames." Advances in '
    "Computational Mathematics 18, 2003.",
    "doi:10.1023/A:1021323312367",
)
STROHMER = Source(
    "Strohmer & Heath 2003",
    'T. Strohmer, R. W. Heath. "Grassmannian frames with applications to coding and '
    'communication." Applied and Computational Harmonic Analysis 14, 2003.',
    "doi:10.1016/S1063-5203(03)00023-X",
)
WELCH = Source(
    "Welch 1974",
    'L. R. Welch. "Lower bounds on the maximum cross correlation of signals." IEEE '
    "Transactions on Information Theory 20 (3), 1974.",
    "doi:10.1109/TIT.1974.1055219",
)
LIU = Source(
    "Liu et al. 2023",
    'W. Liu, L. Yu, A. Weller, B. Schölkopf. "Generalizing and decoupling neural '
    'collapse via hyperspherical uniformity gap." ICLR 2023.',
    "arXiv:2303.06484",
)
GAO = Source(
    "Gao et al. 2017",
    "P. Gao, E. Trautmann, B. Yu, G. Santhanam, S. Ryu, K. Shenoy, S. Ganguli. "
    '"A theory of multineuronal dimensionality, dynamics and measurement." bioRxiv, '
    "2017.",
    "doi:10.1101/214262",
)
ROY = Source(
    "Roy & Vetterli 2007, ieeexplore.ieee.org/document/7098875",
    'O. Roy, M. Vetterli. "The effective rank: a measure of effective '
    'dimensionality." EUSIPCO 2007. https://ieeexplore.ieee.org/document/7098875',
)
GARRIDO = Source(
    "Garrido et al. 2023",
    'Q. Garrido, R. Balestriero, L. Najman, Y. LeCun. "RankMe: assessing the '
    "downstream performance of pretrained self-supervised representations by their "
    'rank." ICML 2023.',
    "arXiv:2210.02885",
)
RUDELSON = Source(
    "Rudelson & Vershynin 2007",
    'M. Rudelson, R. Vershynin. "Sampling from large matrices: an approach through '
    'geometric functional analysis." Journal of the ACM 54 (4), 2007.',
    "doi:10.1145/1255443.1255449",
)
FANG = Source(
    "Fang et al. 2021",
    'C. Fang, H. He, Q. Long, W. J. Su. "Exploring deep neural networks via '
    'layer-peeled model: minority collapse in imbalanced training." PNAS 118 (43), '
    "2021.",
    "doi:10.1073/pnas.2103091118",
)
LI = Source(
    "Li et al. 2024",
    'P. Li, X. Li, Y. Wang, Q. Qu. "Neural collapse in multi-label learning with '
    'pick-all-label loss." ICML 2024.',
    "arXiv:2310.15903",
)
LIU_QIN = Source(
    "Liu & Qin 2025",
    'L. Liu, Y. Qin. "Detecting out-of-distribution through the lens of neural '
    'collapse." CVPR 2025.',
    "arXiv:2311.01479",
)
LIU_TAIL = Source(
    "Liu et al. 2019",
    'Z. Liu, Z. Miao, X. Zhan, J. Wang, B. Gong, S. X. Yu. "Large-scale long-tailed '
    'recognition in an open world." CVPR 2019.',
    "arXiv:1904.05160",
)
BRODERSEN = Source(
    "Brodersen et al. 2010",
    'K. H. Brodersen, C. S. Ong, K. E. Stephan, J. M. Buhmann. "The balanced accuracy '
    'and its posterior distribution." ICPR 2010.',
    "doi:10.1109/ICPR.2010.764",
)
HONG = Source(
    "Hong & Ling 2024",
    'W. Hong, S. Ling. "Neural collapse for unconstrained feature model under '
    'cross-entropy loss with imbalanced data." JMLR 25 (192), 2024.',
    "arXiv:2309.09725",
)
THRAMPOULIDIS = Source(
    "Thrampoulidis et al. 2022",
    'C. Thrampoulidis, G. R. Kini, V. Vakilian, T. Behnia. "Imbalance trouble: '
    'revisiting neural-collapse geometry." NeurIPS 2022.',
    "arXiv:2208.05512",
)
HAN = Source(
    "Han, Papyan & Donoho 2022",
    'X. Y. Han, V. Papyan, D. L. Donoho. "Neural collapse under MSE loss: proximity '
    'to and dynamics on the central path." ICLR 2022.',
    "arXiv:2106.02073",
)
AMMAR = Source(
    "Ben Ammar et al. 2024",
    'M. Ben Ammar, N. Belkhir, S. Popescu, A. Manzanera, G. Franchi. "NECO: neural '
    'collapse based out-of-distribution detection." ICLR 2024.',
    "arXiv:2310.06823",
)
