"""nginx and Caddy before a service: mutual TLS, and each request asked about at `bindtrace authz serve`. Text only.

Neither names the caller to the application: the certificate goes on as it is, and the guard inside may judge again.
"""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Final

from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.proxies.file_names import AUTHORITIES, CERTIFICATE, CURRENT, KEY
from bindtrace.propagation.proxies.plan import Address, connection_age_s
from bindtrace.propagation.vocabulary import CREDENTIAL_HEADERS, FORWARDED_CERT_HEADERS

NGINX: Final = Template("""\
# For the `http` block, such as conf.d/bindtrace.conf. After each rotation of the files: nginx -s reload
map $$ssl_client_verify $$bindtrace_certificate {
    SUCCESS 'Cert="$$ssl_client_escaped_cert"';
    default '';
}
map $$ssl_client_escaped_cert $$bindtrace_shown {
    '' '';
    default 'Cert="$$ssl_client_escaped_cert"';
}
# an error page is asked for by GET, whatever the request was
map $$request $$bindtrace_method {
    '~^(?<bindtrace_word>[A-Za-z]+) ' $$bindtrace_word;
    default GET;
}
server {
    listen $inbound ssl;
    ssl_certificate $certificate;
    ssl_certificate_key $key;
    ssl_client_certificate $authorities;
    ssl_verify_client on;
    ssl_verify_depth 1;
    ssl_protocols TLSv1.3;
    # a resumed session would keep the trust of the day it began, an old connection its old certificate
    ssl_session_tickets off;
    ssl_session_cache off;
    keepalive_time ${age_s}s;
    # another spelling of a header is not handed on
    underscores_in_headers off;
    ignore_invalid_headers on;
    large_client_header_buffers 4 16k;
    # what Connection names is for one hop alone: nginx would hand the token on, and not that it was named
    if ($$http_connection ~* "$named") { return 403; }

    # a certificate that does not count, or none (495, 496), is refused here; authz serve leaves the span that says so
    error_page 495 496 = /bindtrace-refused;

    location / {
        auth_request /bindtrace-authz;
        auth_request_set $$bindtrace_traceparent $$upstream_http_traceparent;
        auth_request_set $$bindtrace_tracestate $$upstream_http_tracestate;
        # what the application traces is then below the verdict
        proxy_set_header traceparent $$bindtrace_traceparent;
        proxy_set_header tracestate $$bindtrace_tracestate;
        proxy_set_header X-Forwarded-Client-Cert $$bindtrace_certificate;
        proxy_set_header Client-Cert "";
        proxy_set_header X-Forwarded-For $$remote_addr;
        proxy_set_header Host $$http_host;
        proxy_set_header Connection "";
        proxy_http_version 1.1;
        # a second attempt would send the same proof token, which is a replay
        proxy_next_upstream off;
        proxy_pass http://$app;
    }
    location = /bindtrace-authz {
        internal;
        proxy_pass http://$authz/check;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Bindtrace-Method $$request_method;
        proxy_set_header X-Bindtrace-Uri $$request_uri;
        proxy_set_header X-Forwarded-Client-Cert $$bindtrace_certificate;
        proxy_set_header Client-Cert "";
        proxy_set_header X-Forwarded-Host $$http_host;
    }
    location = /bindtrace-refused {
        internal;
        proxy_pass http://$authz/refused;
        proxy_method GET;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Bindtrace-Method $$bindtrace_method;
        proxy_set_header X-Bindtrace-Uri $$request_uri;
        proxy_set_header X-Forwarded-Client-Cert $$bindtrace_shown;
        proxy_set_header Client-Cert "";
        proxy_set_header X-Forwarded-Host $$http_host;
    }
}
""")

CADDY: Final = Template("""\
# For Caddy 2.6 and newer. After each rotation of the files: caddy reload --force
{
	auto_https off
	servers {
		# one site, all of which asks for a certificate, so that no other name is a way around it
		strict_sni_host insecure_off
	}
}
:$port {
	bind $host
	tls $certificate $key {
		protocols tls1.3
		client_auth {
			# who shows none is refused below, where there is a span of it
			mode verify_if_given
			trusted_ca_cert_file $authorities
		}
	}
	@uncertified not vars_regexp {http.request.tls.client.fingerprint} ^[0-9a-f]+$$
	route {
		handle @uncertified {
			reverse_proxy $authz {
				method GET
				rewrite /refused
				header_up -X-Forwarded-Client-Cert
				header_up -Client-Cert
				header_up X-Bindtrace-Method {method}
				header_up X-Bindtrace-Uri {uri}
			}
		}
		# what a client says of its certificate is nobody's word
		request_header -X-Forwarded-Client-Cert
		request_header Client-Cert ":{http.request.tls.client.certificate_der_base64}:"
		forward_auth $authz {
			uri /check
			header_up X-Bindtrace-Method {method}
			header_up X-Bindtrace-Uri {uri}
			# what the application traces is then below the verdict
			copy_headers Traceparent Tracestate
		}
		reverse_proxy $app {
			lb_retries 0
		}
	}
}
""")


def nginx(files: Path, inbound: Address, app: Address, authz: Address, leaf_life_s: int) -> str:
    """A server of nginx 1.19.10 or newer. Raises Refusal for a path that its language cannot hold."""
    return NGINX.substitute(
        **_names(files),
        inbound=_socket(inbound),
        app=_socket(app),
        authz=_socket(authz),
        age_s=connection_age_s(leaf_life_s),
        named="|".join((*CREDENTIAL_HEADERS, *FORWARDED_CERT_HEADERS)),
    )


def caddy(files: Path, inbound: Address, app: Address, authz: Address) -> str:
    """A whole Caddyfile. Raises Refusal for a path that its language cannot hold."""
    return CADDY.substitute(
        **_names(files), host=inbound.host, port=inbound.port, app=_socket(app), authz=_socket(authz)
    )


def _socket(place: Address) -> str:
    return f"[{place.host}]:{place.port}" if ":" in place.host else str(place)


def _names(files: Path) -> dict[str, str]:
    current = files.absolute() / CURRENT
    if any(letter in str(current) for letter in " \t\n\"'{};$\\#"):
        raise Refusal(f"`{current}` cannot be written into a configuration", fix="use a plain path.")
    return {
        "certificate": str(current / CERTIFICATE),
        "key": str(current / KEY),
        "authorities": str(current / AUTHORITIES),
    }
