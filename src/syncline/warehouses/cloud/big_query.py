"""Google BigQuery."""

import json
from typing import TYPE_CHECKING, Any

from syncline.declarations import Configuration, ServiceDeclaration, setting
from syncline.warehouses import types
from syncline.warehouses.cloud import fields
from syncline.warehouses.cloud.service import CloudService, Dialect
from syncline.warehouses.limits import ColumnLimits
from syncline.warehouses.types import Kind

if TYPE_CHECKING:
    from dlt.common.configuration.specs import GcpServiceAccountCredentials
    from dlt.common.destination import Destination


def check_service_account(text: str) -> None:
    """Refuse what is no service account's key file. The message never shows it."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    needed = ("client_email", "private_key", "project_id")
    if not isinstance(content, dict) or not all(isinstance(content.get(name), str) for name in needed):
        raise ValueError(
            "is not the key file of a service account: send the whole JSON file as text, with "
            "`client_email`, `private_key` and `project_id` in it"
        )


class BigQueryConfig(Configuration):
    """How to reach a BigQuery project."""

    project_id: str | None = setting(
        title="Project", description="The project to load into.", required=True, example="my-project"
    )
    data_set_location: str = setting(
        title="Location", description="Where new datasets are kept.", default="US", example="EU"
    )
    secret_key: str | None = setting(
        title="Service account key",
        description="The JSON key file of a service account that may create datasets and run jobs, as text.",
        secret=True,
        stays=fields.TO_GOOGLE,
        required=True,
        check=check_service_account,
    )
    bucket: str | None = fields.unused("Bucket")
    support_json_type: bool | None = fields.unused("JSON type")


def service_account(text: str) -> "GcpServiceAccountCredentials":
    """dlt's credentials of a service account's key file."""
    from dlt.common.configuration.specs import GcpServiceAccountCredentials

    content = json.loads(text)
    made = GcpServiceAccountCredentials()
    made.project_id = content["project_id"]
    made.client_email = content["client_email"]
    made.private_key = content["private_key"]
    made.private_key_id = content.get("private_key_id")
    made.resolve()
    return made


def _destination(config: BigQueryConfig, staging: str) -> "Destination[Any, Any]":
    import dlt

    return dlt.destinations.bigquery(
        credentials=service_account(config.secret_key or ""),
        location=config.data_set_location,
        project_id=config.project_id,
        staging_dataset_name_layout=staging,
    )


BIG_QUERY = CloudService(
    declaration=ServiceDeclaration(
        service="big_query",
        name="BigQuery",
        description="A project of Google BigQuery.",
        config=BigQueryConfig,
    ),
    driver="google.cloud.bigquery",
    extra="bigquery",
    destination=_destination,
    address=lambda config: ("bigquery.googleapis.com", 443),
    unavailable=lambda config: None,
    dialect=Dialect(
        nearest={Kind.LOCALDATETIME: types.STRING},
        to_text="CAST({column} AS STRING)",
        to_json="PARSE_JSON({text}, wide_number_mode=>'round')",
    ),
    columns=ColumnLimits(usual=1000, most=10_000),
    refusals="Row size is too large|Error while reading data|Could not parse",
)
