"""From the text of Protobuf schemas to descriptors.

A registry has a schema as the text of a .proto file, or (some of those that serializers register) as the Base64 of its
descriptor. Text is compiled by protoc, in a process of its own with a time limit. Google's and Confluent's common files
can be imported without a reference. Takes a tenth of a second for each schema, once.
"""

import base64
import binascii
import errno
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from syncline.connectors.azure_service_bus.decode.outcome import brief
from syncline.connectors.schema_registry import RegisteredSchema, UnusableSchema

_MAIN = "syncline/schema.proto"
"""The name that a schema has here; a registry gives it none."""
_SECONDS = 30.0
_FAULTS_OF_NAMES = (errno.ENAMETOOLONG, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ)
"""What the system says of names that no file can have, or that are a file's and a folder's at once."""

CONFLUENT_FILES = {
    "confluent/meta.proto": """
        syntax = "proto3";
        package confluent;
        import "google/protobuf/descriptor.proto";
        message Meta {
          string doc = 1;
          map<string, string> params = 2;
          repeated string tags = 3;
        }
        extend google.protobuf.FileOptions { Meta file_meta = 1088; }
        extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
        extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
        extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
        extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
    """,
    "confluent/type/decimal.proto": """
        syntax = "proto3";
        package confluent.type;
        message Decimal {
          bytes value = 1;
          uint32 precision = 2;
          int32 scale = 3;
        }
    """,
}
"""What Confluent's registry knows without a reference, so far as it matters for decoding."""


def compile_file(registered: RegisteredSchema) -> FileDescriptor:
    """The descriptor of a schema, in a pool with all that it needs.

    Raises:
        UnusableSchema: It is no valid Protobuf schema.
    """
    if registered.kind != "PROTOBUF":
        raise UnusableSchema(f"The schema is of type {registered.kind}, but config.message_type says Protobuf.")
    files = {**registered.references, _MAIN: registered.text}
    described = {name: _descriptor_of(text) for name, text in files.items()}
    if all(found is not None for found in described.values()):
        ready = [found for found in described.values() if found is not None]
    else:
        ready = _compile(files, described)
    pool = DescriptorPool()
    try:
        for proto in ready:
            _add_known(pool, proto)
            pool.AddSerializedFile(proto.SerializeToString())
        return pool.FindFileByName(ready[-1].name)
    except (TypeError, KeyError, ValueError, RecursionError) as error:
        raise UnusableSchema(f"The schema is no valid Protobuf schema: {brief(error)}.") from None


def _descriptor_of(text: str) -> FileDescriptorProto | None:
    """The descriptor that a text is the Base64 of; None where it is the text of a file."""
    try:
        return FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, DecodeError):
        return None


def _add_known(pool: DescriptorPool, proto: FileDescriptorProto) -> None:
    """Add the common files that a file imports, where they are not in the pool yet."""
    for name in proto.dependency:
        try:
            pool.FindFileByName(name)
        except KeyError:
            known = _known_file(name)
            if known is not None:
                _add_known(pool, known)
                pool.AddSerializedFile(known.SerializeToString())


def _known_file(name: str) -> FileDescriptorProto | None:
    if not name.startswith(("google/protobuf/", "google/type/")):
        return None
    module = f"{name.removesuffix('.proto').replace('/', '.')}_pb2"
    try:
        import_module(module)
        found = FileDescriptorProto()
        descriptor_pool.Default().FindFileByName(name).CopyToProto(found)
    except (ImportError, KeyError):
        return None
    return found


def _compile(files: dict[str, str], described: dict[str, FileDescriptorProto | None]) -> list[FileDescriptorProto]:
    """Have protoc compile files, of which some may be descriptors already: those come first, as their imports do."""
    with tempfile.TemporaryDirectory(prefix="syncline-protoc-") as folder:
        root = Path(folder) / "files"
        for name, text in (CONFLUENT_FILES | files).items():
            if described.get(name) is None:
                _write(root, name, text)
        output = Path(folder) / "descriptors"
        ready = Path(folder) / "ready"
        ready.write_bytes(FileDescriptorSet(file=_closed(described)).SerializeToString())
        arguments = [f"--proto_path={path}" for path in (root, *_known_folders())]
        arguments += [f"--descriptor_set_in={ready}"] if any(described.values()) else []
        arguments += ["--include_imports", f"--descriptor_set_out={output}", _MAIN]
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter, and no shell
                [sys.executable, "-m", "grpc_tools.protoc", *arguments],
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                cwd=folder,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise UnusableSchema(f"The schema could not be compiled within {_SECONDS:.0f} seconds.") from None
        if done.returncode != 0:
            told = done.stderr.decode("utf-8", "replace").replace(str(root), "").replace(_MAIN, "the schema")
            raise UnusableSchema(f"The schema is no valid Protobuf schema: {brief(ValueError(told))}.")
        return list(FileDescriptorSet.FromString(output.read_bytes()).file)


def _closed(described: dict[str, FileDescriptorProto | None]) -> list[FileDescriptorProto]:
    """The descriptors, and the common files that they import, each after what it needs."""
    found: dict[str, FileDescriptorProto] = {}

    def add(proto: FileDescriptorProto) -> None:
        for name in proto.dependency:
            known = _known_file(name)
            if known is not None and name not in found:
                add(known)
        found[proto.name] = proto

    for proto in described.values():
        if proto is not None:
            add(proto)
    return list(found.values())


def _write(root: Path, name: str, text: str) -> None:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or "\\" in name or "\0" in name or not relative.parts:
        raise UnusableSchema(f"The schema refers to a file named {name!r}, which is no name of a .proto file.")
    path = root / relative
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except UnicodeEncodeError as error:
        raise UnusableSchema(f"The schema has text that is not Unicode: {brief(error)}.") from None
    except OSError as error:
        if error.errno not in _FAULTS_OF_NAMES:
            raise
        raise UnusableSchema(f"The schema refers to a file whose name cannot be one: {brief(error)}.") from None


def _known_folders() -> list[Path]:
    compiler, common = find_spec("grpc_tools"), find_spec("google.type")
    folders = [Path(next(iter(spec.submodule_search_locations or []))) for spec in (compiler, common) if spec]
    return [folders[0] / "_proto", folders[1].parent.parent]
