"""Which representations a client may ask for and send."""

from syncline.api.errors import ApiError

_VERSIONS = {"1", "2"}


def check_accept(header: str) -> None:
    """Accept what is absent, ``*/*``, ``application/json`` or ``application/json;version=1|2``, alone or in a list.

    Raises:
        ApiError: 406, when nothing in the list is acceptable.
    """
    if header.strip() and not any(_is_acceptable(part) for part in header.split(",")):
        raise ApiError(
            406,
            "NotAcceptable",
            f"`Accept: {header[:200]}` asks for something this API does not answer. Send "
            "`application/json;version=2`, `application/json` or no Accept header.",
        )


def check_content_type(header: str) -> None:
    """Take ``application/json`` with any parameters.

    Raises:
        ApiError: 415, for any other type of body, or none.
    """
    media_type = header.split(";")[0].strip().lower()
    if media_type != "application/json":
        shown = f"`Content-Type: {header[:200]}`" if header else "A body without a Content-Type"
        raise ApiError(415, "UnsupportedMediaType", f"{shown} is not understood. Send `application/json`.")


def _is_acceptable(media_range: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in media_range.split(";"))
    values = dict(_parameter(parameter) for parameter in parameters if parameter)
    if _is_refused(values.get("q", "1")):
        return False
    if media_type in {"*/*", "application/*"}:
        return True
    return media_type == "application/json" and values.get("version", "2") in _VERSIONS


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip().strip('"')


def _is_refused(quality: str) -> bool:
    """Whether a quality of zero says "anything but this" (RFC 9110, section 12.4.2)."""
    try:
        return float(quality) == 0
    except ValueError:
        return False
