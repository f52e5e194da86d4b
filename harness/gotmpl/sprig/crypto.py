"""Sprig's functions of cryptography: derived passwords; keys, certificates and ciphers are refused by name.

Private to gotmpl.sprig. The refused ones need a cryptography library and chance; a suite that wants them hands in
functions of its own.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.strconv import encode

__all__ = ["CRYPTO", "CRYPTO_V3", "NOT_SUPPORTED"]

NOT_SUPPORTED = frozenset({
    "bcrypt", "buildCustomCert", "decryptAES", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey",
    "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "htpasswd",
})  # fmt: skip
_ONLY_V3 = frozenset({"bcrypt", "htpasswd", "genCAWithKey", "genSelfSignedCertWithKey", "genSignedCertWithKey"})

# The tables of the Master Password algorithm, version 0, on which derivePassword is built.
_SEED = b"com.lyndir.masterpassword"
_TEMPLATES = {
    "maximum": "anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno",
    "long": (
        "CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv "
        "CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv "
        "CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno"
    ),
    "medium": "CvcnoCvc CvcCvcno",
    "short": "Cvcn",
    "basic": "aaanaaan aannaaan aaannaaa",
    "pin": "nnnn",
}
_CHARACTERS = {
    "V": "AEIOU",
    "C": "BCDFGHJKLMNPQRSTVWXYZ",
    "v": "aeiou",
    "c": "bcdfghjklmnpqrstvwxyz",
    "A": "AEIOUBCDFGHJKLMNPQRSTVWXYZ",
    "a": "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
    "n": "0123456789",
    "o": "@&%?,=[]_:-+*$#!'^~;()/.",
    "x": "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
}
_SCRYPT_MEMORY = 128 * 1024 * 1024


def _sized(text: str) -> bytes:
    data = encode(text)
    return len(data).to_bytes(4, "big") + data


def _derive_password(counter: int, kind: str, password: str, user: str, site: str) -> str:
    if kind not in _TEMPLATES:
        return f"cannot find password template {kind}"
    salt = _SEED + _sized(user)
    key = hashlib.scrypt(encode(password), salt=salt, n=32768, r=8, p=2, dklen=64, maxmem=_SCRYPT_MEMORY)
    message = _SEED + _sized(site) + int(counter).to_bytes(4, "big")
    seed = hmac.new(key, message, hashlib.sha256).digest()
    templates = _TEMPLATES[kind].split()
    chosen = templates[seed[0] % len(templates)]
    tables = [_CHARACTERS[element] for element in chosen]
    return "".join(table[byte % len(table)] for table, byte in zip(tables, seed[1:], strict=False))


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        raise FunctionError(f"{name} is not supported here: hand in a function of that name")

    return refuse


_REFUSED = {name: function("...any", _refusing(name)) for name in NOT_SUPPORTED}
CRYPTO_V3: dict[str, GoFunction] = _REFUSED | {
    "derivePassword": function("uint32, string, string, string, string", _derive_password)
}
CRYPTO = {name: call for name, call in CRYPTO_V3.items() if name not in _ONLY_V3}
