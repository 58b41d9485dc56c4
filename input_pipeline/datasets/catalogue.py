"""The datasets that are known by name: where their files lie.

`data.dataset` is a key of `DATASETS`, or `key/variant` where a set has variants. Facts that could
not be found are "unknown"; none is guessed.
"""

import dataclasses

from expocm_jax.errors import UserError

TRAINING = ("train", "validation")  # a share of the training pairs is held out for validation
SPLITS = (*TRAINING, "test")
SINGLEHDR = "Liu et al., Single-Image HDR Reconstruction, CVPR 2020, arXiv 2004.01179"


@dataclasses.dataclass(frozen=True)
class Dataset:
  """One entry.

  Attributes:
    key: of `data.dataset`, and the name of the TFDS builder.
    title: the set's own; "" for folders without a name.
    layouts: {split: names of `layouts.FINDERS`, in the order of trying}. A set whose splits
      share their layouts tells them apart by folders named train, validation, test.
    expected: what its folders look like, for messages.
    pairing: "stem", by equal stems alone; "either", by order too where no stem agrees; "order".
    licence, citation: as far as known.
    variants: folders of the set of which one can be chosen, `variant`; "" = all of them.
  """

  key: str
  title: str
  layouts: dict[str, tuple[str, ...]]
  expected: str = ""
  licence: str = "unknown"
  citation: str = ""
  pairing: str = "either"
  variants: tuple[str, ...] = ()
  variant: str = ""

  @property
  def full_title(self) -> str:
    """How reports call it: "HDR-REAL", "SI-HDR clip_95"; "" = by the folder's own name."""
    return " ".join(part for part in (self.title, self.variant) if part)

  @property
  def splits(self) -> tuple[str, ...]:
    """Of train, validation and test, those that the set can have."""
    return SPLITS if "train" in self.layouts else ("test",)

  @property
  def builder(self) -> str:
    """Name of the TFDS builder, also the folder that it writes."""
    return "_".join(part for part in (self.key, self.variant) if part)

  @property
  def split_by_layout(self) -> bool:
    """Whether the layout tells training from test pairs."""
    return len(set(self.layouts.values())) > 1

  def finders(self, split: str) -> tuple[str, ...]:
    """Layouts in which the records of a split may lie."""
    return self.layouts["test" if split == "test" or "train" not in self.layouts else "train"]


def _either(*layouts):
  return {"train": layouts, "test": layouts}


_ENTRIES = (
  Dataset(
    key="folder",
    title="",
    layouts=_either("ntire21", "scenes", "folders"),
    expected="LDR_in/ and HDR_gt/, or NNNNN/input.jpg with NNNNN/gt.hdr",
  ),
  Dataset(
    key="hdr_real",
    title="HDR-REAL",
    layouts={"train": ("folders",), "test": ("scenes",)},
    expected="train LDR_in/*.jpg and HDR_gt/*.hdr, test NNNNN/{input.jpg,gt.hdr}",
    citation=SINGLEHDR,
    pairing="order",
  ),
  Dataset(
    key="hdr_synth",
    title="HDR-SYNTH",
    layouts={"train": (), "test": ()},  # HDR images only: read by `hdr_synth`
    citation=SINGLEHDR,
  ),
  Dataset(
    key="hdr_eye",
    title="HDR-EYE",
    layouts={"test": ("scenes",)},
    expected="NNNNN/{input.jpg,gt.hdr}",
    citation="Nemoto et al., Visual Attention in LDR and HDR Images, VPQM 2015",
  ),
  Dataset(
    key="aim2025",
    title="AIM 2025",
    layouts=_either("folders"),
    expected="LDR_in/*.jpg and HDR_gt/*.{npy,exr,hdr}",
    citation="AIM 2025 Challenge on Inverse Tone Mapping Report, arXiv 2508.13479",
  ),
  Dataset(
    key="ntire21",
    title="NTIRE 2021",
    layouts=_either("ntire21"),
    expected="NNNN_medium.png, NNNN_gt.png and NNNN_alignratio.npy side by side",
    citation="NTIRE 2021 Challenge on High Dynamic Range Imaging, arXiv 2106.01439",
  ),
  Dataset(
    key="si_hdr",
    title="SI-HDR",
    layouts={"test": ("folders",)},
    expected="reference/NNN.exr and input/clip_95/NNN.png",
    licence="CC BY 4.0",
    citation="Hanji et al., Comparison of Single Image HDR Reconstruction Methods, SIGGRAPH 2022",
    pairing="stem",
    variants=("clip_95", "clip_97"),
  ),
)
DATASETS = {entry.key: entry for entry in _ENTRIES}


def find(name: str) -> Dataset:
  """The entry of `data.dataset`, "key" or "key/variant".

  Raises:
    UserError: no such dataset or variant; the message lists those that there are.
  """
  key, _, variant = name.partition("/")
  if key not in DATASETS:
    raise UserError(f"config.data.dataset={name}: unknown; choose one of {', '.join(DATASETS)}")
  entry = DATASETS[key]
  if variant and variant not in entry.variants:
    known = ", ".join(f"{key}/{known}" for known in entry.variants)
    raise UserError(f"config.data.dataset={name}: {key} has no such variant; choose {known or key}")
  return dataclasses.replace(entry, variant=variant) if variant else entry


def title_of_builder(builder: str) -> str:
  """How reports call the dataset that a TFDS builder of this name wrote; "" for others."""
  entries = (find(f"{key}/{name}") for key in DATASETS for name in ("", *DATASETS[key].variants))
  return next((entry.full_title for entry in entries if entry.builder == builder), "")
