"""Names and words of the back office, in pools that share nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pool:
    """Words for one part of the suite.

    Args:
        first: First names.
        last: Last names.
        teams: Team names.
        cities: Cities.
        products: Product names.
        customers: Customers.
        first_number: Where order and ticket numbers start.
    """

    first: tuple[str, ...]
    last: tuple[str, ...]
    teams: tuple[str, ...]
    cities: tuple[str, ...]
    products: tuple[str, ...]
    customers: tuple[str, ...]
    first_number: int


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SEARCH = Pool(
    first=_words("Ada Bruno Carla Dmitri Elsa Farid Greta Hugo Ines Jonas Kira Lars Mona Nils"),
    last=_words("Abbott Berger Castro Dunn Eriksen Fontaine Gruber Hansen Ivers Jansen Keller"),
    teams=_words("Maple Cedar Aspen Willow Hazel Rowan"),
    cities=_words("Oslo Porto Ghent Turin Lyon Graz Malmo Cork"),
    products=_words("kettle lantern tripod blender heater router speaker printer"),
    customers=_words("Acorn Bluebell Cobalt Dynamo Everest"),
    first_number=1000,
)
HOLDOUT = Pool(
    first=_words("Olga Pavel Quinn Rosa Stefan Tilda Umar Vera Wim Xenia Yusuf Zoe Aldo Britt"),
    last=_words("Lindqvist Moreau Novak Okafor Petrov Quist Romero Sato Tanaka Ueda Vasquez"),
    teams=_words("Falcon Heron Osprey Kestrel Merlin Swift"),
    cities=_words("Basel Delft Krakow Leeds Nantes Split Tartu Vigo"),
    products=_words("drill sander wrench ladder chisel welder grinder jigsaw"),
    customers=_words("Juniper Kodiak Lumen Meridian Nimbus"),
    first_number=5000,
)
EXAMPLE = Pool(
    first=_words("Milo Nora Oscar Petra Ravi Selma Tomas Una Viktor Wanda Yara Zeno Iris Kurt"),
    last=_words("Wagner Xu Young Zimmer Arnold Bishop Clark Dietz Ellis Foster Garnier"),
    teams=_words("Amber Topaz Onyx Opal Garnet Jade"),
    cities=_words("Bergen Sintra Bruges Parma Dijon Linz Lund Galway"),
    products=_words("sofa mirror carpet shelf bench stool cabinet mattress"),
    customers=_words("Polaris Quasar Rivoli Solstice Tundra"),
    first_number=3000,
)
