"""The word stock and the sentences that sample articles are composed of. All of it is invented here."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PLACE_HEADS = _words(
    "Ald Ar Bar Bel Bran Cal Car Cold Cor Cran Dal Dun East Elm Esk Fal Fen Gar Glen Gran Har Hazel Hol "
    "Ing Kel Kil Lang Lar Mar Mel Mill Mor Nor Oak Orm Pen Quar Raven Red Ros Sal Sel Stan Stone Tam "
    "Thorn Tor Ul Val Wal West Whit Win Wold Yar"
)
PLACE_TAILS = _words(
    "bourne bridge burgh bury by cliff combe dale den don fell ferry field fold ford gate ham haven holm "
    "hurst ington keld leigh ley low mere minster more mouth ness pool port scar shaw stead stow thorpe "
    "ton wick well worth"
)
FIRST_NAMES = _words(
    "Ada Agnes Albin Alma Anders Bea Bertil Carla Casper Cora Dorian Edda Elias Elin Enid Ewan Fay Felix "
    "Greta Hedda Hugo Ida Ines Ivor Jonas Karin Lena Leopold Linnea Magda Marius Mina Nils Nora Olive "
    "Oskar Petra Quentin Rasmus Rosa Rufus Saskia Silas Tessa Theo Ulla Viktor Wanda Wilmer Yara"
)
GENUS_HEADS = _words(
    "Aca Bra Cala Chlo Dory Echi Fila Gryp Helo Lami Melo Noto Ophi Pachy Rhino Sela Tricho Vero Xero"
)
GENUS_TAILS = _words("ceras dendron gaster ides nema phila ptera rhynchus soma thrix")
EPITHETS = _words(
    "borealis cinerea fluvialis gracilis hirsuta insularis lateralis maculata montana nigra obscura "
    "palustris rubra saxicola tenuis velox viridis"
)
SHIP_WORDS = _words(
    "Albatross Amber Aurora Beacon Cormorant Curlew Daring Endurance Fulmar Gannet Harrier Kestrel "
    "Lantern Meridian Northern Osprey Pathfinder Petrel Resolve Sandpiper Sentinel Skylark Tern Venturer "
    "Wayfarer"
)
DISH_WORDS = _words(
    "barley bean beetroot chestnut cod cheese herring leek lentil mutton onion plum potato rye turnip"
)
DISH_KINDS = _words("broth cake dumplings flatbread pasty pickle pie porridge pudding soup stew tart")

FILLS: dict[str, tuple[str, ...]] = {
    "adj": _words(
        "small large old modern narrow wide quiet busy remote well-known early late important traditional "
        "local regional seasonal unusual simple popular"
    ),
    "material": _words("stone timber brick iron granite slate limestone oak concrete"),
    "building": _words("church mill bridge library school warehouse lighthouse market hall chapel station"),
    "industry": _words("fishing farming weaving mining shipbuilding printing pottery brewing forestry"),
    "month": _words("January February March April May June July August September October November December"),
    "direction": _words("north south east west north-east north-west south-east south-west"),
    "field": _words("botany geology engineering music history medicine astronomy education painting law"),
    "habitat": ("damp meadows", "rocky shores", "slow rivers", "old woodland", "upland bogs", "sand dunes"),
    "food": ("small insects", "seeds and roots", "water snails", "algae", "fallen fruit", "earthworms"),
    "cargo": _words("coal grain timber salt wool fish slate cheese paper"),
    "event": ("a great fire", "a long flood", "a harsh winter", "the railway", "a local dispute", "an audit"),
    "body": ("the council", "the harbour board", "a local committee", "the county", "a charity", "the guild"),
    "said": _words("wrote noted reported argued suggested recorded observed"),
    "source": (
        "the annual survey",
        "a parish record",
        "a newspaper report",
        "a county history",
        "the latest census",
    ),
    "colour": _words("brown grey green yellow white red blue black"),
}

LEADS: dict[str, tuple[str, ...]] = {
    "settlement": (
        "'''{name}''' is a {adj} town in the {direction} of the county, {small} kilometres from [[{link}]].",
        "'''{name}''' is a village and civil parish on the river near [[{link}]], known for its {industry}.",
        "'''{name}''' is a {adj} market town with a population of {number} at the census of {year}.",
    ),
    "person": (
        "'''{name}''' (born {day} {month} {year}) was a teacher and writer who worked mainly in {field}.",
        "'''{name}''' was an engineer from [[{link}]], best known for work on the {adj} {building} there.",
        "'''{name}''' ({year}\u2013{later}) was a local politician and a student of {field}.",
    ),
    "species": (
        "'''''{name}''''' is a species of beetle first described in {year} by {person}.",
        "'''''{name}''''' is a {adj} flowering plant that grows in {habitat} around [[{link}]].",
        "'''''{name}''''' is a freshwater snail found in {habitat}, and feeds on {food}.",
    ),
    "ship": (
        "'''''{name}''''' was a {adj} cargo ship built in {year} at [[{link}]] to carry {cargo}.",
        "'''''{name}''''' is a ferry that has served the {direction} coast since {year}.",
    ),
    "dish": (
        "'''{name}''' is a {adj} dish from the area of [[{link}]], usually eaten in {month}.",
        "'''{name}''' is a kind of food made with {cargo} and butter, first recorded in {year}.",
    ),
}

SENTENCES: dict[str, tuple[str, ...]] = {
    "settlement": (
        "The {material} {building} was built in {year} and was paid for by {body}.",
        "Until {year} the main occupation of its people was {industry}.",
        "A weekly market has been held on the square since {year}.",
        "The population grew from {number} in {year} to {bignumber} at the beginning of the next century.",
        "The road to [[{link}]] runs {direction} along the river for {small} kilometres.",
        "After {event} in {year}, most of the houses near the {building} had to be built again.",
        "There is a primary school, which received a new building in {year}.",
        "About {percent} per cent of the land is used for farming.",
        "The harbour was closed to larger ships in {year} because the river had filled with sand.",
        "The {adj} {building} is open to visitors from {month} to {month}.",
    ),
    "person": (
        "{person} was the first to publish an account of this work, in {year}.",
        "After studies in {field}, a post at the school in [[{link}]] followed in {year}.",
        "The first book appeared in {year} and sold about {number} copies.",
        "A letter of {day} {month} {year} tells of a journey to the {direction} with {person}.",
        "The family had moved to [[{link}]] because the father worked in {industry}.",
        "The collected papers, {number} sheets in all, are kept in the library of the county.",
        "A {adj} {material} memorial was put up near the {building} in {year}.",
        "In later life the interest shifted from {field} to {field}.",
        "The government gave a small pension from {year} until {later}.",
    ),
    "species": (
        "Adults are {small} millimetres long and {colour} above, with {colour} sides.",
        "It lives in {habitat} and feeds on {food}.",
        "The eggs are laid in {month} and hatch after about {small} days.",
        "In {year} the number of known sites was {small}, which is {percent} per cent fewer than before.",
        "The species was described by {person} in {year} from specimens found near [[{link}]].",
        "It can be told from its relatives by the {adj} {colour} spots.",
        "The main threat is the loss of {habitat}, because the land has been drained.",
        "Young animals eat {food}; adults take {food} as well.",
    ),
    "ship": (
        "She was {small} metres long and could carry {number} tonnes of {cargo}.",
        "She was sold to {body} in {year} and was renamed.",
        "On {day} {month} {year} she ran aground {direction} of [[{link}]] without loss of life.",
        "Her master, {person}, {said} that the {material} quay had been too short.",
        "The engine was replaced in {year}, which raised her speed to {small} knots.",
        "She made {number} crossings between [[{link}]] and the islands.",
        "She was laid up in {month} {year} and broken up in {later}.",
    ),
    "dish": (
        "The {cargo} is cooked for {small} minutes and then mixed with onions.",
        "A recipe of {year} by {person} asks for {small} eggs and a little salt.",
        "It is served warm in {month}, when the {industry} season comes to an end.",
        "In [[{link}]] it is made without {cargo}, which gives it a {colour} crust.",
        "About {number} portions are sold at the fair each year.",
        "The {adj} form is baked in a {material} oven until it is {colour}.",
    ),
    "any": (
        "According to {source}, this changed in {year}.",
        "{person} {said} in {year} that there was little evidence for this.",
        "A {adj} exhibition about it was held at [[{link}]] in {month} {year}.",
        "The work was finished in {year}, {small} years later than {body} had planned.",
        "There were {number} visitors in {year}, which was {percent} per cent more than in the year before.",
        "Their separate accounts agree on the date but not on the cost, which was about {bignumber} crowns.",
        "It is not known whether this was the same {building} that {source} mentions.",
        "The name is thought to come from an older word for a {adj} {building}.",
        "Several people from [[{link}]] took part, among them {person} and {person}.",
        "This was followed by a period of slow growth, until {event} in {later}.",
        "A {material} plaque, {small} centimetres wide, marks the place.",
        "For many years it was the only one of its kind in the {direction} of the county.",
    ),
}

SECTIONS: dict[str, tuple[str, ...]] = {
    "settlement": (
        "History",
        "Geography",
        "Economy",
        "Transport",
        "Buildings",
        "Education",
        "Climate",
        "Culture",
    ),
    "person": ("Early life", "Career", "Work", "Later life", "Reception", "Family", "Legacy", "Travels"),
    "species": ("Description", "Distribution", "Ecology", "Behaviour", "Taxonomy", "Conservation"),
    "ship": ("Design", "Construction", "Service", "Incidents", "Crew", "Later years"),
    "dish": ("Origin", "Preparation", "Variations", "Ingredients", "In culture"),
}
INFOBOX_FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "settlement": (("population", "{bignumber}"), ("area_km2", "{small}"), ("elevation_m", "{number}")),
    "person": (("birth_date", "{day} {month} {year}"), ("birth_place", "[[{link}]]"), ("field", "{field}")),
    "species": (("authority", "{person}, {year}"), ("habitat", "{habitat}"), ("length_mm", "{small}")),
    "ship": (("launched", "{day} {month} {year}"), ("tonnage", "{number}"), ("builder", "[[{link}]]")),
    "dish": (("country", "[[{link}]]"), ("main_ingredient", "{cargo}"), ("serves", "{small}")),
}
CATEGORIES: dict[str, tuple[str, ...]] = {
    "settlement": ("Towns of the county", "Populated places", "Villages on the river", "Market towns"),
    "person": ("Writers", "Engineers", "People of the county", "Teachers"),
    "species": (
        "Animals described in the county",
        "Freshwater life",
        "Species by habitat",
        "Plants and beetles",
    ),
    "ship": ("Cargo ships", "Ferries", "Ships built in the county", "Maritime incidents"),
    "dish": ("Dishes of the county", "Baked food", "Seasonal food", "Soups and stews"),
}
WEBSITES = (
    "archive.example",
    "county-record.example",
    "museum.example",
    "library.example",
    "gazette.example",
)

# What careless writers write for what they mean.
MISSPELLINGS = {
    "beginning": "begining",
    "because": "becuase",
    "received": "recieved",
    "separate": "seperate",
    "government": "goverment",
    "which": "wich",
    "until": "untill",
    "their": "thier",
    "the": "teh",
    "known": "knwon",
    "occupation": "ocupation",
    "several": "severel",
}
SYNONYMS = {
    "small": "little",
    "large": "big",
    "about": "around",
    "built": "constructed",
    "main": "principal",
    "finished": "completed",
    "held": "organised",
    "each": "every",
    "people": "inhabitants",
    "many": "numerous",
}

# Mild, as bored pupils write: the word lists of the features must find something.
INSULTS = (
    "{name} is stupid and smells like poop",
    "this is so dumb lol",
    "whoever wrote this is an idiot haha",
    "my teacher sucks",
    "{name} is a big fat loser",
    "this page is crap",
    "poop poop poop",
    "hi mom!!! i am on the internet lol",
    "{name} eats boogers and farts a lot",
    "school is boring and homework sucks ass",
    "shit happens haha",
    "nobody gives a damn about {name}, what a load of crap",
)
SHOUTS = ("THIS IS ALL LIES", "I WAS HERE", "LOOK AT ME", "WHO CARES", "BEST SCHOOL EVER", "GO AWAY NOW")
KEYBOARD = ("asdf", "qwerty", "jkl", "hjkl", "sdfg", "zxcv", "fghj", "lkjh", "uiop", "wert")
VANDAL_COMMENTS = ("", "", "", "", "fixed it", "lol", "hi", "added info", "haha", "/* History */")
TALK_POSTS = (
    "I think the section about {name} needs a better source. Does anyone have {source}?",
    "The number given for {year} does not agree with {source}. I would take it out until we know more.",
    "Good work on this one. I have added a reference and moved one part, please have a look.",
    "Should this be merged with [[{link}]]? They seem to say the same.",
    "{person} is mentioned twice under different dates. Which one is right?",
)
