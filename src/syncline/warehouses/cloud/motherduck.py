"""MotherDuck."""

from typing import TYPE_CHECKING, Any

from syncline.declarations import Configuration, ServiceDeclaration, setting
from syncline.warehouses.cloud.service import CloudService, Dialect

if TYPE_CHECKING:
    from dlt.common.destination import Destination
    from dlt.destinations.impl.motherduck.configuration import MotherDuckCredentials


def _check_database(name: str) -> None:
    """Refuse what would not end with the name in ``md:<name>?<settings>``: settings say where the token is sent."""
    if "?" in name or "/" in name:
        raise ValueError("is not a database of MotherDuck: give its name alone, without `?` and `/`")


class MotherDuckConfig(Configuration):
    """How to reach a MotherDuck database."""

    database: str | None = setting(
        title="Database",
        description="The database to load into.",
        required=True,
        example="analytics",
        check=_check_database,
    )
    token: str | None = setting(
        title="Access token",
        description="An access token that may write.",
        secret=True,
        stays="It is sent to MotherDuck alone, whatever else is set.",
        required=True,
    )


def credentials(config: MotherDuckConfig) -> "MotherDuckCredentials":
    """dlt's credentials for a complete config."""
    from dlt.destinations.impl.motherduck.configuration import MotherDuckCredentials

    made = MotherDuckCredentials()
    made.database = config.database or ""
    made.password = config.token or ""
    made.custom_user_agent = "syncline"
    made.resolve()
    return made


def _destination(config: MotherDuckConfig, staging: str) -> "Destination[Any, Any]":
    import dlt

    return dlt.destinations.motherduck(credentials=credentials(config), staging_dataset_name_layout=staging)


MOTHERDUCK = CloudService(
    declaration=ServiceDeclaration(
        service="motherduck",
        name="MotherDuck",
        description="A database of MotherDuck.",
        config=MotherDuckConfig,
    ),
    driver="duckdb",
    extra="motherduck",
    destination=_destination,
    address=lambda config: ("api.motherduck.com", 443),
    unavailable=lambda config: None,
    dialect=Dialect(to_json="CAST({text} AS JSON)"),
)
