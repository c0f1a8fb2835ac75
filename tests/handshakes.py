"""OTLP logs as the access logger of Envoy's listener sends them of handshakes that it refused."""

from __future__ import annotations

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from bindtrace.propagation import vocabulary as words

VERIFY = "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_"
X509 = f"{VERIFY}X509_verify_cert:_certificate_verification_error_at_depth_0:_"
SAID = {
    "peer_cert_missing": "TLS_error:|268435648:SSL_routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE:"
    "peer_did_not_provide_required_client_certificate:TLS_error_end",
    "peer_cert_expired": f"{X509}certificate_has_expired:TLS_error_end",
    "peer_cert_not_yet_valid": f"{X509}certificate_is_not_yet_valid:TLS_error_end",
    "peer_cert_untrusted": f"{X509}unable_to_get_local_issuer_certificate:TLS_error_end",
    "handshake_failed": "TLS_error:|268435612:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end",
}
"""As Envoy 1.40 says it."""


def logs(*records: dict[str, str], at: int = 1_000_000_000) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    told = request.resource_logs.add()
    told.resource.attributes.add(key="service.name").value.string_value = "inventory"
    told.resource.attributes.add(key="node_name").value.string_value = "sidecar~10.0.0.1~inventory-1.shop~x"
    held = told.scope_logs.add()
    for record in records:
        written = held.log_records.add(time_unix_nano=at)
        for key, value in record.items():
            written.attributes.add(key=key).value.string_value = value
    return request


def refused(reason: str = "peer_cert_missing", **more: str) -> dict[str, str]:
    return {words.HANDSHAKE_FAILURE: SAID[reason], words.HANDSHAKE_DURATION_MS: "3", **more}
