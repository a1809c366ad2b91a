"""What the shop sells after seeding. Every SKU has a picture in the storefront."""

from dataclasses import dataclass

CURRENCY = "EUR"


@dataclass(frozen=True, slots=True)
class SeedProduct:
    """`price` in cents; `stock` is what arrives with the first delivery."""

    sku: str
    title: str
    category: str
    price: int
    stock: int
    description: str


PRODUCTS = (
    SeedProduct(
        "tide-mug",
        "Tide Mug",
        "kitchen",
        2400,
        120,
        "Thrown by hand from speckled stoneware and dipped twice in a sea-blue glaze, so no two"
        " tide lines are alike. Holds 320 ml and keeps its heat.",
    ),
    SeedProduct(
        "moss-teapot",
        "Moss Teapot",
        "kitchen",
        6800,
        40,
        "A round pot for four cups with a bamboo handle that stays cool. The glaze pools darker at"
        " the foot, like moss after rain.",
    ),
    SeedProduct(
        "oak-board",
        "Oak Board",
        "kitchen",
        3900,
        60,
        "One piece of European oak, oiled three times. Cut on one side, serve on the other, hang it"
        " by its leather loop.",
    ),
    SeedProduct(
        "field-notebook",
        "Field Notebook",
        "desk",
        1800,
        200,
        "192 pages of cream paper that takes fountain-pen ink, bound in terracotta cloth. Lies flat"
        " from the first page to the last.",
    ),
    SeedProduct(
        "cedar-pencils",
        "Cedar Pencils",
        "desk",
        1400,
        150,
        "Six pencils of incense cedar in the colours of the shop, with a ribbed stoneware cup to"
        " keep them in.",
    ),
    SeedProduct(
        "noon-clock",
        "Noon Clock",
        "desk",
        8900,
        25,
        "A brushed-brass case on a walnut foot and a movement that does not tick. It will not wake"
        " you; it will just be right.",
    ),
    SeedProduct(
        "dome-lamp",
        "Dome Lamp",
        "light",
        14900,
        30,
        "Spun steel in warm terracotta. The dome throws a wide, low circle of light and hides the"
        " bulb from every chair in the room.",
    ),
    SeedProduct(
        "fig-candle",
        "Fig & Cedar Candle",
        "light",
        2900,
        90,
        "Rapeseed wax in amber glass: green fig first, cedar after an hour. Burns for about fifty"
        " hours; the glass becomes a tumbler.",
    ),
    SeedProduct(
        "harbor-lantern",
        "Harbor Lantern",
        "light",
        11900,
        1,
        "A storm lantern with a hand-blown chimney, made in a workshop that closed last winter."
        " This is the last one.",
    ),
    SeedProduct(
        "ridge-vase",
        "Ridge Vase",
        "garden",
        5400,
        45,
        "Ribbed terracotta, fired hot enough to hold water and narrow enough at the neck to hold"
        " three stems upright.",
    ),
    SeedProduct(
        "fern-pot",
        "Dipped Planter",
        "garden",
        3200,
        80,
        "White stoneware dipped in clay red, with a hidden saucer. The plant in the picture is not"
        " included, but it was happy.",
    ),
    SeedProduct(
        "copper-can",
        "Copper Watering Can",
        "garden",
        7900,
        0,
        "Two litres, balanced so that the rose never drips. The copper darkens with the years; that"
        " is the point.",
    ),
)
