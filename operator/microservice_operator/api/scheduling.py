"""Where pods may run: subsets of core/v1, without references to other namespaces."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from microservice_operator.api import rules
from microservice_operator.api.model import Model, Rule
from microservice_operator.api.scalars import LabelKey, Labels, LabelValue, Seconds

Weight = Annotated[int, Field(ge=1, le=100, description="Counts for more the higher it is.")]
Values = Annotated[tuple[LabelValue, ...], Field(max_length=32)]
TopologyKey = Annotated[
    LabelKey, Field(description="Label of nodes; nodes with one value are one place.")
]


class Expression(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.EXPRESSION

    key: Annotated[LabelKey, Field(description="Key of the label.")]
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How it is tested."
    )
    values: Values = Field((), description="For In and NotIn.")


class LabelSelector(Model):
    """meta/v1 LabelSelector; an empty one selects everything."""

    match_labels: Labels | None = Field(None, description="Labels that must be equal.")
    match_expressions: tuple[Expression, ...] = Field(
        (), max_length=16, description="Tests that must all hold."
    )


class NodeExpression(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.NODE_EXPRESSION

    key: Annotated[LabelKey, Field(description="Key of the label of a node.")]
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        description="How it is tested."
    )
    values: Values = Field((), description="For every operator but Exists and DoesNotExist.")


class NodeTerm(Model):
    match_expressions: tuple[NodeExpression, ...] = Field(
        min_length=1, max_length=16, description="Tests that must all hold."
    )


class NodeSelector(Model):
    node_selector_terms: tuple[NodeTerm, ...] = Field(
        min_length=1, max_length=16, description="Terms of which one must hold."
    )


class PreferredNodes(Model):
    weight: Weight
    preference: NodeTerm = Field(description="The nodes preferred.")


class NodeAffinity(Model):
    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(
        None, description="Only on nodes that match."
    )
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredNodes, ...] = Field(
        (), max_length=16, description="Rather on nodes that match."
    )


class PodTerm(Model):
    label_selector: LabelSelector = Field(description="The pods meant, in this namespace.")
    topology_key: TopologyKey


class PreferredPods(Model):
    weight: Weight
    pod_affinity_term: PodTerm = Field(description="The pods preferred.")


class PodAffinity(Model):
    required_during_scheduling_ignored_during_execution: tuple[PodTerm, ...] = Field(
        (), max_length=16, description="Terms that must hold."
    )
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredPods, ...] = Field(
        (), max_length=16, description="Terms that should hold."
    )


class Affinity(Model):
    node_affinity: NodeAffinity | None = Field(None, description="By labels of nodes.")
    pod_affinity: PodAffinity | None = Field(None, description="Near these pods.")
    pod_anti_affinity: PodAffinity | None = Field(None, description="Away from these pods.")


class Toleration(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.TOLERATION

    key: LabelKey | None = Field(None, description="Key of the taint; every taint if absent.")
    operator: Literal["Exists", "Equal"] | None = Field(
        None, description="How to compare; Equal if absent."
    )
    value: Annotated[LabelValue, Field(min_length=1)] | None = Field(
        None, description="Value of the taint, for Equal."
    )
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; every effect if absent."
    )
    toleration_seconds: Seconds | None = Field(
        None, description="For NoExecute: how long the pod stays; for ever if absent."
    )


class Spread(Model):
    """core/v1 TopologySpreadConstraint; the selector is always the service's own pods."""

    RULES: ClassVar[tuple[Rule, ...]] = rules.SPREAD

    topology_key: TopologyKey
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        description="What to do with a pod that would break it."
    )
    max_skew: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="How much two places may differ."
    )
    min_domains: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Fewer places than this count as empty ones; for DoNotSchedule."
    )
