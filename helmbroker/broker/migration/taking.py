"""An instance of Drycc's helmbroker becomes a record of ours, and its Helm release ours: by labels, nothing else.

First the labels, then what the cluster remembers, then the record: whoever dies between is followed by one who
begins anew and finds his own labels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from helmbroker.broker import gate
from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus, RecordSecret
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.helm_errors import ClusterRefused, HelmError
from helmbroker.broker.domain.instance import ServiceBinding, ServiceInstance
from helmbroker.broker.domain.kept import BINDING, INSTANCE, Kept, Stage, fitting, sealed
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.operator_ports import Takeover
from helmbroker.broker.domain.ports import Cluster, HelmReleases
from helmbroker.broker.domain.store_ports import Restorable
from helmbroker.broker.migration import unchanged
from helmbroker.broker.migration.staging import Staged
from helmbroker.broker.migration.told import OldBinding, OldInstance, State, Unclear
from helmbroker.broker.operations import redaction
from helmbroker.broker.service import restore
from helmbroker.catalog import overrides, parameters
from helmbroker.catalog.model import Object
from helmbroker.catalog.values import merge, of_instance
from helmbroker.sealing import Keys

_WORDS: restore.Words = {
    Stage.MADE: (True, "migrated from Drycc's helmbroker"),
    Stage.MAKING: (False, "Drycc's helmbroker had not made it; delete it, then ask for it again"),
    Stage.REMOVING: (False, "Drycc's helmbroker had begun to remove it; delete it again"),
}
_MOST_NAMED = 5


class Verdict(StrEnum):
    """What has become of an instance. The word is in the report."""

    MIGRATED = "migrated"
    KNOWN = "known"  # it has, or had, a record
    GONE = "gone"  # there is nothing of it
    LEFT = "left"


@dataclass(frozen=True)
class Outcome:
    """Of one instance. detail: a sentence, with the cure when it is left; notes: what the operator should know."""

    instance_id: str
    verdict: Verdict
    detail: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taking:
    """`overrides`, `grants`: the operator's, by addon name. dry_run: look at everything, and change nothing.

    Raises Unavailable, ClusterUnavailable: then nobody can be migrated.
    """

    store: Restorable
    cluster: Cluster
    takeover: Takeover
    helm: HelmReleases
    keys: Keys
    overrides: Mapping[str, Object] = field(repr=False)
    grants: Mapping[str, gate.Grants]
    dry_run: bool = False

    def take(self, old: OldInstance, operator: Object, staged: Callable[[], Staged]) -> Outcome:
        """`operator`: its old Helm values from there; `staged`: its addon, asked for when there is need of it."""
        try:
            if (known := self._known(old)) is not None:
                return Outcome(old.id, Verdict.KNOWN, known)
            release = self.cluster.release(old.release)
            stage = _stage(old, release)
            if stage is None:
                return Outcome(old.id, Verdict.GONE, "it was deleted there; a platform that asks gets 410 Gone")
            return self._taken(old, operator, staged(), stage, release)
        except Unclear as error:
            return Outcome(old.id, Verdict.LEFT, str(error))
        except ClusterRefused as error:
            where = f"the namespace {old.release.namespace}"
            text = f"{error.reason} In {where} the broker needs the rights that it has where its instances are."
            return Outcome(old.id, Verdict.LEFT, text)

    def _known(self, old: OldInstance) -> str | None:
        with self.store.transaction() as tx:
            record = tx.instance(old.id)
            if record is None and tx.has_record(old.release):
                raise Unclear(f"its Helm release {old.release.name} is recorded as another instance's")
        if record is None:
            return None
        return "it was deleted here" if record.phase is Phase.GONE else "it has a record"

    def _taken(
        self, old: OldInstance, operator: Object, staged: Staged, stage: Stage, release: HelmRelease | None
    ) -> Outcome:
        notes: list[str] = []
        if release is not None:
            self._check_ours_to_take(old, staged, release)
        if stage is Stage.MADE and release is not None:
            notes = [*_state_notes(old, release), *self._looked_ahead(old, operator, staged, release)]
            notes.append(_of_bindings(old))
        if not self.dry_run:
            self._write(old, staged, stage, release)
        where = f"Helm release {old.release.name} in namespace {old.release.namespace}"
        return Outcome(
            old.id, Verdict.MIGRATED, f"{stage}: {where if release else 'no Helm release'}", tuple(notes)
        )

    def _check_ours_to_take(self, old: OldInstance, staged: Staged, release: HelmRelease) -> None:
        """It is what the old broker made for this instance, and nobody's since (B54)."""
        name, labels = release.ref.name, naming.instance_labels(self.store.broker_id, old.id)
        others = {key: value for key, value in release.labels.items() if key in labels and labels[key] != value}
        if others:
            raise Unclear(f"its Helm release {name} is marked as that of another broker, or of another instance")
        value = staged.addon.fullname_value
        called = release.given.get(value, "") if value is not None else naming.fullname(name)
        if str(called)[: naming.LONGEST_FULLNAME] != naming.fullname(name):
            raise Unclear(
                f"the Helm release {name} was not made by Drycc's helmbroker, or its objects have other names "
                f"({value} is not {naming.fullname(name)}); it is left alone"
            )
        if release.chart != staged.chart:
            raise Unclear(
                f"the Helm release {name} runs {release.chart}, and chart/ is {staged.chart}: a change of the plan "
                "was cut short; put chart/ and plan/ back from backups/"
            )

    def _looked_ahead(self, old: OldInstance, operator: Object, staged: Staged, release: HelmRelease) -> list[str]:
        """What an update would do. Raises Unclear when it would lose data, or what the operator has set."""
        addon, plan = staged.addon, staged.plan
        given, today = old.parameters.reveal(), overrides.of(addon, self.overrides)
        lacking = unchanged.lacking(operator, merge(plan.values, given), today)
        if lacking:
            raise Unclear(
                f"what addon-values.yaml sets is not set here: {_listed(lacking)}; put it below {addon.name} into "
                "HELMBROKER_OVERRIDES_FILE, or take it out of addon-values.yaml"
            )
        values = of_instance(addon, plan, given, today, naming.fullname(release.ref.name))
        secrets = redaction.secrets_of(plan.parameters.create, given) | set(redaction.named_like_secrets(values))
        rendered = self._rendered(staged, values, release, secrets)
        grants = self.grants.get(addon.name, gate.NO_GRANTS)
        scope = gate.Scope(release.ref.namespace, release.ref.name, plan.pod_security, grants)
        notes = []
        if against := gate.violations(rendered, scope):
            told = redaction.scrub(_listed(list(map(str, against))), secrets)
            notes.append(f"updates will be refused by the broker's policy (HELMBROKER_GRANTS_FILE): {told}")
        if changed := unchanged.differing(release.given, values):
            notes.append(f"an update will also change what helm was given there: {_listed(changed)}")
        if refused := parameters.problems(plan.parameters.create, given):
            notes.append(
                f"updates of its parameters will be refused, as they are not allowed here: {_listed(refused)}"
            )
        if not staged.offered:
            notes.append("its addon is not in the catalog, so it cannot change its plan")
        return notes

    def _rendered(
        self, staged: Staged, values: Object, release: HelmRelease, secrets: set[str]
    ) -> Sequence[Object]:
        """What an update would make now, and under which all that holds data is found again. Raises Unclear."""
        try:
            text = self.helm.render(staged.addon.chart, values, release.ref, stop=threading.Event())
            rendered = gate.objects(text)
            lost = unchanged.endangered(gate.objects(self.takeover.manifest(release.ref)), rendered)
        except gate.BadManifest as error:
            raise Unclear(f"what its chart renders cannot be read: {error}") from None
        except HelmError as error:
            detail = redaction.scrub(error.detail, secrets).strip().rstrip(".")
            raise Unclear(f"{error}: {detail}; mend that, and migrate again") from None
        if lost:
            raise Unclear(f"an update would lose {_listed(lost)}; let chart/, plan/ and parameters be what runs")
        return rendered

    def _write(self, old: OldInstance, staged: Staged, stage: Stage, release: HelmRelease | None) -> None:
        labels = naming.instance_labels(self.store.broker_id, old.id)
        if release is not None:
            claim = naming.digest("migration", old.id, length=40)
            self.takeover.claim(release, {**labels, naming.LABEL_CLAIM: claim})
        if not self.store.keep_revision(staged.addon.digest, staged.packed):
            raise Unclear("its addon cannot be kept: it is another one when it is unpacked")
        instance = _instance(old, staged)
        made = release is not None and stage is Stage.MADE
        secrets = tuple(self.cluster.made_secrets(old.release)) if made else ()
        kept = [Kept(instance, stage, release.revision if made and release else None, secrets)]
        kept += [Kept(_binding(each, instance), Stage.MADE) for each in (old.binding,) if made and each]
        if release is not None:
            for each in kept:
                self._remember(each, labels, staged.packed)
        with self.store.transaction() as tx:
            refused = [reason for each in kept if (reason := restore.write(tx, each, _WORDS)) is not None]
        if refused:
            raise Unclear(f"{refused[0]} since a moment")

    def _remember(self, kept: Kept, labels: Mapping[str, str], packed: bytes) -> None:
        thing = kept.thing
        if isinstance(thing, ServiceInstance):
            kept, addon = fitting(kept, packed)
            labels = {**labels, naming.LABEL_RECORD: INSTANCE}
        else:
            addon = None
            ours = naming.binding_labels(self.store.broker_id, thing.instance_id, thing.id)
            labels = {**ours, naming.LABEL_RECORD: BINDING}
        self.cluster.keep(RecordSecret(thing.release, labels, sealed(self.keys, kept), addon))


def _stage(old: OldInstance, release: HelmRelease | None) -> Stage | None:
    """How far it is in its life; None: it is over. Raises Unclear."""
    if old.removing:
        return None if old.state is State.SUCCEEDED else Stage.REMOVING
    if release is None:
        if old.state is State.SUCCEEDED:
            where = f"{old.release.name} in namespace {old.release.namespace}"
            raise Unclear(
                f"its Helm release {where} is gone: nothing runs. Let the platform delete it, or restore it"
            )
        return Stage.MAKING
    match release.status:
        case HelmStatus.UNINSTALLING:
            return Stage.REMOVING
        case HelmStatus.PENDING_INSTALL:
            return Stage.MAKING
        case HelmStatus.FAILED if release.revision == 1:
            return Stage.MAKING
        case HelmStatus.DEPLOYED | HelmStatus.FAILED:
            return Stage.MADE
    name, status = release.ref.name, release.status
    raise Unclear(
        f"its Helm release {name} is {status}: helm is at work on it, or died. See `helm history {name} -n "
        f"{release.ref.namespace}`, roll it back, and migrate again"
    )


def _state_notes(old: OldInstance, release: HelmRelease) -> list[str]:
    if release.status is HelmStatus.FAILED:
        return ["its last update failed half-way; `helmbroker doctor --repair`, or an update, makes it whole"]
    if old.state is not State.SUCCEEDED:
        return [f"its last operation there is {old.state}, but it runs; what was asked for last is recorded"]
    return []


def _of_bindings(old: OldInstance) -> str:
    known = f"its last binding {old.binding.id} is recorded" if old.binding else "no binding of it is recorded"
    return (
        f"{known}. Others are unknown; their apps go on with the same credentials. Who unbinds one gets 410 Gone, "
        "and has unbound it; who wants to read one binds anew"
    )


def _instance(old: OldInstance, staged: Staged) -> ServiceInstance:
    return ServiceInstance(
        id=old.id,
        service_id=staged.addon.id,
        plan_id=staged.plan.id,
        organization_guid=old.organization_guid,
        space_guid=old.space_guid,
        parameters=old.parameters,
        context=old.context,
        release=old.release,
        addon_digest=staged.addon.digest,
    )


def _binding(binding: OldBinding, instance: ServiceInstance) -> ServiceBinding:
    return ServiceBinding(
        id=binding.id,
        instance_id=instance.id,
        service_id=instance.service_id,
        plan_id=instance.plan_id,
        app_guid=None,
        parameters=Parameters({}),
        context=instance.context,
        release=naming.binding_release(instance.release, instance.id, binding.id),
        credentials=binding.credentials,
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
