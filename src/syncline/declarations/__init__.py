"""How a connector or a warehouse declares its settings once.

One typed declaration validates requests, says what is missing, masks answers, and feeds metadata, forms and docs.
"""

from syncline.declarations.configuration import MASK, Configuration
from syncline.declarations.errors import InvalidField, MissingField
from syncline.declarations.fields import DeclaredField, setting
from syncline.declarations.service import ServiceDeclaration

__all__ = [
    "MASK",
    "Configuration",
    "DeclaredField",
    "InvalidField",
    "MissingField",
    "ServiceDeclaration",
    "setting",
]
