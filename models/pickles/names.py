"""The closed list for models of revscoring and its relatives, all eras from 0.4 to 2.11.

Model files name four sorts of things: the model and its statistics (revscoring); its estimator
(scikit-learn 0.15 to 1.x, before and after the modules got a leading underscore); its features, as objects
and process functions (revscoring, and the feature lists of each wiki); and the few outside classes that
features hold, as stemmers, dictionaries and nodes of wikitext. Packages that load, fetch or dump
(``utilities``, ``extractors``, ``datasets``, ``externals``) are not among them.
"""

from models.pickles.allowed import Allowed, packages

_BUILTINS = """
    abs all any bool bytearray bytes complex dict divmod filter float frozenset getattr int len list map max
    min object pow range repr reversed round set slice sorted str sum tuple zip
"""

_OPERATOR = """
    abs add and_ attrgetter concat contains countOf eq floordiv ge getitem gt indexOf inv invert is_ is_not
    itemgetter le lshift lt matmul methodcaller mod mul ne neg not_ or_ pos pow rshift sub truediv truth xor
"""

_NUMPY = """
    all any array bool_ complex128 complex64 dtype float16 float32 float64 int16 int32 int64 int8 intc intp
    log log10 log1p log2 max maximum mean median memmap min minimum ndarray ones std str_ sum uint16 uint32
    uint64 uint8 uintp unicode_ bytes_ string_ float_ int_ var zeros
"""

_RANDOM_STATE = """
    __RandomState_ctor __bit_generator_ctor __generator_ctor __randomstate_ctor
"""

_NAMES = {
    "_codecs": "encode",
    "builtins": _BUILTINS,
    "collections": "Counter OrderedDict defaultdict deque",
    "copyreg": "__newobj__ __newobj_ex__ _reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "enchant": "Broker Dict DictWithPWL ProviderDesc",
    "enchant.utils": "BytesEnchantStr EnchantStr UTF16EnchantStr",
    "flashtext": "KeywordProcessor",
    "flashtext.keyword": "KeywordProcessor",
    "fractions": "Fraction",
    "functools": "partial reduce",
    "hanziconv": "HanziConv",
    "hanziconv.hanziconv": "HanziConv",
    "itertools": "chain groupby repeat",
    "math": "ceil exp floor fsum log log10 log1p log2 pow sqrt",
    "nltk.corpus.reader.wordlist": "WordListCorpusReader",
    "nltk.corpus.util": "LazyCorpusLoader",
    "nltk.data": "FileSystemPathPointer",
    "nltk.tokenize.regexp": "RegexpTokenizer WhitespaceTokenizer",
    "numpy": _NUMPY,
    "numpy.core.memmap": "memmap",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy.core.numeric": "_frombuffer",
    "numpy.matrixlib.defmatrix": "matrix",
    "numpy.random": _RANDOM_STATE,
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64",
    "numpy.random._pickle": _RANDOM_STATE,
    "numpy.random.mtrand": "RandomState _rand",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "operator": _OPERATOR,
    "_operator": _OPERATOR,
    "pytz": "_UTC _p utc",
    "re": "RegexFlag _compile",
    # A static function of a class, which protocol 4 writes with a dot.
    "revscoring.datasources.meta.vectorizers": "word2vec.vectorize_words",
    "revscoring.errors": "ModelInfoLookupError",
    "statistics": "mean median pstdev pvariance stdev variance",
    "time": "struct_time",
    "uuid": "UUID",
}

_PACKAGES = {
    "articlequality": "feature_lists features datasources models",
    "deltas": "algorithms operations segmenters tokenizers",
    "draftquality": "feature_lists features datasources models",
    "drafttopic": "feature_lists features datasources models",
    "editquality": "feature_lists features datasources models",
    "gensim": "models",
    "mwparserfromhell": "definitions nodes smart_list string_mixin utils wikicode",
    "nltk": "stem",
    "revscoring": "datasources dependencies features languages scorer_models scorers scoring",
    "scipy.sparse": """
        _base _bsr _coo _csc _csr _dia _dok _lil _matrix base bsr coo csc csr dia dok lil
    """,
    "sklearn": """
        _loss base calibration compose cross_decomposition cross_validation decomposition
        discriminant_analysis dummy ensemble feature_extraction feature_selection gaussian_process
        grid_search impute isotonic lda linear_model metrics mixture model_selection multiclass multioutput
        naive_bayes neighbors neural_network pipeline preprocessing qda random_projection svm tree
    """,
    "wikiclass": "feature_lists features datasources models",
}

REVSCORING = Allowed(
    names={module: frozenset(names.split()) for module, names in _NAMES.items()},
    packages=frozenset(
        (*packages(_PACKAGES), "mwbase", "mwtypes", "sklearn.utils._bunch", "sklearn.utils.deprecation")
    ),
)
