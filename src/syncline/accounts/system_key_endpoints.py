"""The HTTP side of system keys."""

from fastapi import APIRouter

from syncline.accounts import system_keys
from syncline.accounts.schemas import CreateSystemKey, RotateSystemKey, SystemKeyResponse, UpdateSystemKey
from syncline.api.authentication import CurrentUser
from syncline.api.dependencies import CurrentDatabase
from syncline.api.envelope import Acknowledgement, Envelope, Items, acknowledge, success
from syncline.api.paging import RequestedPage

router = APIRouter(prefix="/v1/system-keys", tags=["System keys"])


@router.post("", status_code=201, response_model_exclude_none=True)
async def create_system_key(
    body: CreateSystemKey, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[SystemKeyResponse]:
    """Create a system key. Its secret is shown this once."""
    key, secret = await system_keys.create_system_key(database, caller, body)
    return success(SystemKeyResponse.of(key, secret), "System key has been created")


@router.get("", response_model_exclude_none=True)
async def list_system_keys(
    page: RequestedPage, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[Items[SystemKeyResponse]]:
    """List the system keys of the account."""
    async with database.session(read_only=True) as session:
        found, cursor = await system_keys.list_system_keys(session, caller, page)
    items = [SystemKeyResponse.of(key) for key in found]
    return success(Items[SystemKeyResponse](items=items, next_cursor=cursor))


@router.get("/{key_id}", response_model_exclude_none=True)
async def get_system_key(key_id: str, caller: CurrentUser, database: CurrentDatabase) -> Envelope[SystemKeyResponse]:
    """Retrieve a system key."""
    async with database.session(read_only=True) as session:
        return success(SystemKeyResponse.of(await system_keys.get_system_key(session, caller, key_id)))


@router.patch("/{key_id}", response_model_exclude_none=True)
async def update_system_key(
    key_id: str, body: UpdateSystemKey, caller: CurrentUser, database: CurrentDatabase
) -> Envelope[SystemKeyResponse]:
    """Change the name or the permissions of a system key."""
    key = await system_keys.update_system_key(database, caller, key_id, body)
    return success(SystemKeyResponse.of(key), "System key has been updated")


@router.post("/{key_id}/rotate", response_model_exclude_none=True)
async def rotate_system_key(
    key_id: str, caller: CurrentUser, database: CurrentDatabase, body: RotateSystemKey | None = None
) -> Envelope[SystemKeyResponse]:
    """Give a system key another secret, shown this once. The old one is refused from now on."""
    period = body.expiration_period if body is not None else None
    key, secret = await system_keys.rotate_system_key(database, caller, key_id, period)
    return success(SystemKeyResponse.of(key, secret), f"System key with id '{key_id}' has been rotated")


@router.delete("/{key_id}")
async def delete_system_key(key_id: str, caller: CurrentUser, database: CurrentDatabase) -> Acknowledgement:
    """Delete a system key; it is refused from now on."""
    await system_keys.delete_system_key(database, caller, key_id)
    return acknowledge(f"System key with id '{key_id}' has been deleted")
