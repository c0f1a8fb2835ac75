"""`Identity`: a workload's credentials and trust, fetched, renewed in a thread, and swapped as a whole.

    identity = Identity.join(Path("join.json"))
    app = ASGIGuard(app, mode="enforce", receiver=identity.receiver(), trust=identity)

It is the `TrustSource` of guards and the source of generations for transports. Trust is taken first, a new leaf
second (I4); a bundle with a lower sequence is refused (I7).
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from bindtrace.propagation import clock
from bindtrace.propagation.absent import Absent
from bindtrace.propagation.errors import Refusal
from bindtrace.propagation.guard.request import Receiver, Trust
from bindtrace.propagation.identity import bundle as bundles
from bindtrace.propagation.identity import certificates, keys, policy, tls
from bindtrace.propagation.identity.bundle import Bundle
from bindtrace.propagation.identity.policy import Policy
from bindtrace.propagation.identity.spiffe import Service, Workload, authority_id
from bindtrace.propagation.workload import generation as generations
from bindtrace.propagation.workload import joining
from bindtrace.propagation.workload.endpoint import Endpoint, Unreachable
from bindtrace.propagation.workload.generation import Generation
from bindtrace.propagation.workload.schedule import LOOK_EVERY_S, Life, backoff_s, jumped

NEWS_EVERY_S: Final = 30.0
log = logging.getLogger("bindtrace.identity")


class Identity:
    """One per process. Threads may read it at any time; one thread of its own writes."""

    def __init__(
        self,
        endpoint: Endpoint,
        bundle: Bundle,
        *,
        now_unix_nano: Callable[[], int] = clock.now_unix_nano,
        dice: random.Random | None = None,
    ) -> None:
        self._endpoint, self._now_unix_nano = endpoint, now_unix_nano
        self._dice = dice or random.Random()  # noqa: S311  jitter is no secret
        self._bundle, self._policy_at_s = bundle, 0.0
        self._policy: Policy | None = None
        self._etags: dict[str, str] = {}
        self._trust = Trust({bundle.trust_domain: bundle})
        self._generation: Generation | None = None
        self._server: ssl.SSLContext | None = None
        self._listeners: list[Callable[[Generation, Bundle], None]] = []
        self._wake, self._ended = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._news: Future[bool] | None = None
        self._asked_s = -NEWS_EVERY_S
        self._issued_at = time.monotonic()
        self._thread: threading.Thread | None = None

    @classmethod
    def join(cls, path: Path, **settings: Any) -> Identity:
        """With the invitation in `path`, which is used up. Raises Refusal where the authority refuses or is away."""
        invitation = joining.read(path)
        authority = authority_id(invitation.workload.trust_domain)
        identity = cls(Endpoint(invitation.address, authority), invitation.bundle, **settings)
        try:
            refused = identity._issue("/v1/join", {"secret": invitation.secret}, None)
            identity.refresh()
        except Unreachable as unreachable:
            raise Refusal(
                f"the authority at {invitation.address} cannot be reached: {unreachable}",
                fix="start it with `bindtrace authority serve`.",
            ) from unreachable
        if refused is not None:
            raise Refusal(
                f"the authority gave no credentials to {invitation.workload}: {refused.reason}",
                fix="an invitation is good once and for ten minutes; ask for a new one.",
            )
        identity.start()
        return identity

    # --- what guards and transports ask ----------------------------------------------------------------

    def current(self) -> Trust:
        return self._trust

    def news(self) -> Future[bool] | None:
        with self._lock:
            now_s = time.monotonic()
            if self._news is not None:
                return self._news
            if now_s - self._asked_s < NEWS_EVERY_S or self._thread is None:
                return None
            self._asked_s = now_s
            self._news = Future()
            self._wake.set()
            return self._news

    @property
    def generation(self) -> Generation:
        """The one that is in force. Raises Refusal before the first."""
        if self._generation is None:
            raise Refusal("there are no credentials yet", fix="join an authority first.")
        return self._generation

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    @property
    def workload(self) -> Workload:
        return self.generation.workload

    def receiver(self, **settings: Any) -> Receiver:
        """This workload as a callee; `settings` are the other fields of `Receiver`."""
        return Receiver(self.workload.of_service, self.workload.deployment, **settings)

    def callee(self, name: str) -> Service:
        """The service of that name that this workload may call. Raises Refusal, naming those that there are."""
        callable_ = {service.service: service for service, _ in self.generation.tokens}
        if name not in callable_:
            known = ", ".join(sorted(callable_)) or "nobody"
            raise Refusal(
                f"credential_unavailable: {self.workload} may not call `{name}` (it may call {known})",
                fix="declare the binding, and register it at the authority.",
            )
        return callable_[name]

    def server_context(self) -> ssl.SSLContext:
        """For a listener that lives longer than a generation: each handshake uses the newest leaf and trust."""
        return tls.following(self._current_server)

    def _current_server(self) -> ssl.SSLContext:
        context = self._server
        if context is None:
            context = self._server = self.generation.server_context(self._bundle)
        return context

    def registry(self) -> bytes:
        """Where workloads answer, as the authority knows it now (JSON). Raises Unreachable."""
        found = self._endpoint.get("/v1/registry", self._bundle)
        return b"[]" if found is None else found[0]

    def subscribe(self, listener: Callable[[Generation, Bundle], None]) -> None:
        """Called at once and after each change of generation or bundle, on the identity's own thread."""
        self._listeners.append(listener)
        listener(self.generation, self._bundle)

    # --- keeping it fresh ------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Fetches bundle and policy; whether anything changed. Raises Unreachable."""
        changed = self._refresh_bundle()
        found = self._endpoint.get("/v1/policy", self._bundle, self._etags.get("policy"))
        self._policy_at_s = self._now_s()
        if found is not None:
            read = policy.parse(found[0])
            if isinstance(read, Absent) or (self._policy and read.sequence < self._policy.sequence):
                log.error(
                    "event=policy_refused reason=%s",
                    "sequence" if not isinstance(read, Absent) else read.reason,
                )
            else:
                self._policy, self._etags["policy"] = read, found[1] or ""
                changed = True
        self._trust = Trust({self._bundle.trust_domain: self._bundle}, self._policy, self._policy_at_s)
        return changed

    def _refresh_bundle(self) -> bool:
        found = self._endpoint.get("/v1/bundle", self._bundle, self._etags.get("bundle"))
        if found is None:
            return False
        read = bundles.parse(found[0], self._bundle.trust_domain)
        if isinstance(read, Absent) or read.sequence < self._bundle.sequence:
            log.error(
                "event=bundle_refused reason=%s", read.reason if isinstance(read, Absent) else "sequence"
            )
            return False
        changed = read != self._bundle
        self._bundle, self._server = read, None
        self._etags["bundle"] = found[1] or ""
        return changed

    def renew(self) -> Absent | None:
        """New credentials on new keys; the authority's reason where it refuses. Raises Unreachable."""
        return self._issue("/v1/renew", {}, self.generation)

    def _issue(self, path: str, said: dict[str, str], own: Generation | None) -> Absent | None:
        tls_key, signing_key = keys.generate(), keys.generate()
        requests = [certificates.request(key).decode("ascii") for key in (tls_key, signing_key)]
        answer = self._endpoint.post(path, {**said, "requests": requests}, self._bundle, own)
        if isinstance(answer, Absent):
            return answer
        number = 1 if self._generation is None else self._generation.number + 1
        issued = generations.read(answer, number, tls_key, signing_key, self._now_s())
        if isinstance(issued, Absent):
            return issued
        self._generation, self._server = issued, None
        self._issued_at = time.monotonic()
        log.info("event=renewed generation=%d expires_s=%d", number, issued.expires_s)
        return None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._keep, name="bindtrace-identity", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread; what is held stays good until it expires."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)

    def _keep(self) -> None:
        renew_at = self._issued_at + self._life().renew_after_s(self._dice)
        refresh_at = time.monotonic() + self._bundle.refresh_hint_s
        failures = 0
        wall_s, steady_s = self._now_s(), time.monotonic()
        while not self._ended.is_set():
            due_s = min(renew_at - time.monotonic(), refresh_at - time.monotonic(), LOOK_EVERY_S)
            self._wake.wait(max(due_s, 0.01))
            self._wake.clear()
            if jumped(self._now_s() - wall_s, time.monotonic() - steady_s):
                log.warning(
                    "event=clock_jumped by_s=%d", self._now_s() - wall_s - (time.monotonic() - steady_s)
                )
                renew_at = time.monotonic()  # whatever was planned was planned for another day
            wall_s, steady_s = self._now_s(), time.monotonic()
            asked = self._take_question()
            renews = steady_s >= renew_at
            if not (asked or renews or steady_s >= refresh_at) or self._ended.is_set():
                continue
            try:
                before = self.generation.number
                changed = self._catch_up(renews)
                failures = 0
                refresh_at = time.monotonic() + self._bundle.refresh_hint_s
                if self.generation.number != before:
                    renew_at = self._issued_at + self._life().renew_after_s(self._dice)
                elif renews:
                    renew_at = time.monotonic() + backoff_s(3, self._life().length_s, self._dice)
            except Exception as error:
                changed, failures = False, failures + 1
                wait_s = backoff_s(failures, self._life().length_s, self._dice)
                refresh_at = time.monotonic() + wait_s
                renew_at = max(renew_at, time.monotonic() + wait_s) if renews else renew_at
                self._complain(error)
            if asked is not None:
                asked.set_result(changed)

    def _catch_up(self, renews: bool) -> bool:
        """Trust first, then the leaf (I4); whoever listens hears of it once both are there."""
        changed = self.refresh()
        if renews or self.generation.signed_s <= self._bundle.renew_before_s:
            refused = self.renew()
            if refused is not None:
                log.error("event=renewal_refused reason=%s", refused.reason)
            else:
                changed = True
        if changed:
            for listener in self._listeners:
                listener(self.generation, self._bundle)
        return changed

    def _complain(self, error: Exception) -> None:
        urgency = self._life().urgency(time.monotonic() - self._issued_at)
        level = {"none": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}[urgency]
        known = isinstance(error, Unreachable)
        if self._now_s() >= self.generation.certificate.not_valid_after_utc.timestamp():
            log.error(
                "event=credentials_expired fix=join with a new invitation, as an expired certificate renews nothing"
            )
        log.log(level, "event=refresh_failed urgency=%s why=%s", urgency, error, exc_info=not known)

    def _take_question(self) -> Future[bool] | None:
        with self._lock:
            asked, self._news = self._news, None
            return asked

    def _life(self) -> Life:
        return Life(self.generation.signed_s, self.generation.expires_s)

    def _now_s(self) -> float:
        return self._now_unix_nano() / 1e9
