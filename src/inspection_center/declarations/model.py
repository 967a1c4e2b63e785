"""What is declared: companies, ships, goods, carriers and travellers, their items and documents."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from inspection_center.declarations.item_codes import ItemCodeKind, read_code
from inspection_contract.fields import Model, Number, Sha256, Word

Kind = Literal["ship", "goods", "carrier", "traveller"]
KINDS: tuple[str, ...] = get_args(Kind)
RegistrationNumber = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{3,31}$")]
"""Of the company at customs, or its social credit code."""
DeclarationNumber = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9/-]{1,63}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""


def _without_control_characters(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable and on one line")
    return value


Line = Annotated[Word, AfterValidator(_without_control_characters)]
AttributeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,63}$")]


class Item(Model):
    """One line of goods."""

    description: Line
    commodity_code: Annotated[str, Field(pattern=r"^(\d{4,10})?$")] = ""
    """Harmonised System, 4 … 10 digits."""
    origin: Country | Literal[""] = ""
    quantity: Annotated[Number, Field(ge=0)] = 0.0
    unit: Line = ""
    weight_kg: Annotated[Number, Field(ge=0)] = 0.0
    value: Annotated[Number, Field(ge=0)] = 0.0
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    container: Line = ""
    code_kind: ItemCodeKind | Literal[""] = ""
    code: Annotated[str, Field(max_length=64)] = ""
    """What stands on the item itself: an imported car's VIN, a bottle's lot."""

    @model_validator(mode="after")
    def _code_fits(self) -> Item:
        if bool(self.code_kind) != bool(self.code):
            raise ValueError("a code needs its kind, and the kind its code")
        if self.code_kind:
            read_code(self.code_kind, self.code)
        return self


class Document(Model):
    """A paper that goes with it; its picture is evidence under its hash."""

    kind: Line
    number: Line = ""
    sha256: Sha256 | Literal[""] = ""


class NewDeclaration(Model):
    """A declaration as it arrives. `attributes` are what risk models ask for beside the items."""

    registration_number: RegistrationNumber
    number: DeclarationNumber
    kind: Kind
    company: Line
    items: Annotated[tuple[Item, ...], Field(max_length=500)] = ()
    documents: Annotated[tuple[Document, ...], Field(max_length=100)] = ()
    attributes: Annotated[dict[AttributeName, bool | Number | Line], Field(max_length=200)] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _goods_have_items(self) -> NewDeclaration:
        if self.kind == "goods" and not self.items:
            raise ValueError("goods need at least one item")
        return self
