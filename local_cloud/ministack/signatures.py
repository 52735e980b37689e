"""Whether a request to AWS is signed by somebody the local cloud knows, as AWS checks it, before anything reads it."""

import hashlib
import hmac
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote

from local_cloud.asgi import Answer, Scope

_UNCHECKED_BODIES = ("UNSIGNED-PAYLOAD", "STREAMING-")


@dataclass(frozen=True)
class SignatureError(Exception):
    """The request is refused as AWS refuses it."""

    code: str
    message: str


class Signatures:
    """Checks signatures against the credentials that ministack holds."""

    def __init__(self) -> None:
        from ministack.core import iam_evaluator, sigv4
        from ministack.services import s3

        self._evaluator = iam_evaluator
        self._sigv4 = sigv4
        self._s3 = s3

    def service_of(self, scope: Scope) -> str | None:
        """The service that a request signed in its header is for; None if it is not signed so."""
        return _service_of(_headers(scope))

    def needs_body(self, scope: Scope) -> bool:
        """Whether `check` needs the body, because the signature covers it and no header sums it up.

        Raises:
            SignatureError: nobody has the request's access key, so its body need not be read.
        """
        headers = _headers(scope)
        signature = self._sigv4.parse_header_signature(headers)
        if isinstance(signature, tuple):
            raise SignatureError(*signature)
        Context().run(self._secret_of, signature.access_key_id, headers.get("x-amz-security-token", ""))
        return signature.service != "s3" or "x-amz-content-sha256" not in headers

    def check(self, scope: Scope, body: bytes) -> None:
        """Check a request signed in its Authorization header; `body` matters only where `needs_body`.

        Raises:
            SignatureError: AWS would answer 403.
        """
        Context().run(self._check, scope, body)

    def _check(self, scope: Scope, body: bytes) -> None:
        headers = _headers(scope)
        signature = self._sigv4.parse_header_signature(headers)
        if isinstance(signature, tuple):
            raise SignatureError(*signature)
        if late := self._sigv4.request_time_failure(signature):
            raise SignatureError(*late)
        _refuse_unsigned(headers, signature.signed_headers)
        told = headers.get("x-amz-content-sha256", "")
        is_body_told = signature.service != "s3" and told and not told.startswith(_UNCHECKED_BODIES)
        if is_body_told and not hmac.compare_digest(told.encode(), hashlib.sha256(body).hexdigest().encode()):
            raise SignatureError("SignatureDoesNotMatch", "the body is not the one that was signed")
        secret = self._secret_of(signature.access_key_id, headers.get("x-amz-security-token", ""))
        _, text = self._sigv4.header_signing_documents(
            signature, str(scope["method"]), _raw_path(scope), _query(scope), headers, body
        )
        right = self._sigv4.calculate_signature(secret, signature.date_stamp, signature.region, signature.service, text)
        if signature.date_stamp != signature.amz_date[:8] or not self._sigv4.signatures_match(
            right, signature.signature
        ):
            raise SignatureError("SignatureDoesNotMatch", self._sigv4.SIGNATURE_MISMATCH)

    def _secret_of(self, access_key: str, token: str) -> str:
        found = self._evaluator.resolve_credential(access_key, None, token) if access_key else None
        if found is None or isinstance(found, self._evaluator.CredentialResolutionError):
            code = "UnrecognizedClientException" if found is None else found.code
            raise SignatureError(code, "The security token included in the request is invalid.")
        return str(found.secret_access_key)

    def refusal_of_url(self, scope: Scope, bucket: str) -> Answer | None:
        """S3's answer to a presigned URL that is not good for this request; None if it is.

        A header that the URL does not sign would let its holder do what the signer never meant, such as copying
        another object.
        """
        return Context().run(self._refusal_of_url, scope, bucket)

    def _refusal_of_url(self, scope: Scope, bucket: str) -> Answer | None:
        headers, query = _headers(scope), _query(scope)
        path = str(scope["path"])
        signed = query["X-Amz-SignedHeaders"][0] if "X-Amz-SignedHeaders" in query else ""
        try:
            _refuse_unsigned(headers, signed)
            if not query["X-Amz-Credential"][0].partition("/")[0]:
                raise SignatureError("InvalidAccessKeyId", "the URL names no access key")
            refused = self._s3._verify_presigned_sigv4(str(scope["method"]), path, headers, query)  # noqa: SLF001
        except SignatureError as error:
            refused = self._s3._error(error.code, error.message, 403, path)  # noqa: SLF001
        if refused is None:
            return None
        status, said, body = refused
        cors = self._s3.cors_response_headers(bucket, str(scope["method"]), headers)
        return Answer(status=status, headers={**said, **cors}, body=body)

    def has_bucket(self, bucket: str) -> bool:
        """Whether it exists."""
        return bool(bucket) and self._s3._bucket_owner_account(bucket) is not None  # noqa: SLF001


def _refuse_unsigned(headers: Mapping[str, str], signed_headers: str) -> None:
    signed = signed_headers.split(";")
    unsigned = sorted(name for name in headers if name.startswith("x-amz-") and name not in signed)
    if unsigned or "host" not in signed:
        names = ", ".join(unsigned or ["host"])
        message = f"There were headers present in the request which were not signed: {names}"
        raise SignatureError("AccessDenied", message)


def _service_of(headers: Mapping[str, str]) -> str | None:
    algorithm, _, fields = headers.get("authorization", "").partition(" ")
    scope = fields.partition("Credential=")[2].partition(",")[0].split("/")
    return scope[3] if algorithm == "AWS4-HMAC-SHA256" and len(scope) == 5 else None


def _headers(scope: Scope) -> dict[str, str]:
    from ministack.core.sigv4 import decode_header_value

    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), decode_header_value(value)
        # A header sent on several lines is signed as its values joined by a comma.
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope.get("query_string", b"").decode("utf-8", "replace"), keep_blank_values=True)


def _raw_path(scope: Scope) -> str:
    raw: Any = scope.get("raw_path") or quote(str(scope["path"])).encode()
    return bytes(raw).decode("latin-1")
