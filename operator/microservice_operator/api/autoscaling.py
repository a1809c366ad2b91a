"""Autoscaling: parts of autoscaling/v2 HorizontalPodAutoscaler."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from microservice_operator.api import rules
from microservice_operator.api.model import Model, Rule
from microservice_operator.api.scalars import Label, Quantity

Replicas = Annotated[int, Field(ge=1, le=1000)]


class MetricTarget(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.METRIC_TARGET

    type: Literal["Utilization", "AverageValue"] = Field(description="How the target is given.")
    average_utilization: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Percent of the request, over all pods."
    )
    average_value: Quantity | None = Field(None, description="Amount for each pod.")


class ResourceMetric(Model):
    name: Literal["cpu", "memory"] = Field(description="The resource.")
    target: MetricTarget = Field(description="The value aimed at.")


class ContainerResourceMetric(ResourceMetric):
    container: Annotated[Label, Field(description="The container that counts.")]


class Metric(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.METRIC

    type: Literal["Resource", "ContainerResource"] = Field(description="The block that follows.")
    resource: ResourceMetric | None = Field(None, description="Use of the whole pod.")
    container_resource: ContainerResourceMetric | None = Field(
        None, description="Use of one container."
    )


class ScalingPolicy(Model):
    type: Literal["Pods", "Percent"] = Field(description="Whether value counts pods or percent.")
    value: Annotated[int, Field(ge=1, le=1000, description="The most that may change.")]
    period_seconds: Annotated[int, Field(ge=1, le=1800, description="Within so many seconds.")]


class ScalingRules(Model):
    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] | None = Field(
        None, description="Go by the calmest advice of so long; 300 down and 0 up if absent."
    )
    select_policy: Literal["Max", "Min", "Disabled"] | None = Field(
        None, description="Which policy wins; Max if absent."
    )
    policies: tuple[ScalingPolicy, ...] = Field((), max_length=8, description="Limits of speed.")


class Behavior(Model):
    scale_up: ScalingRules | None = Field(None, description="Limits while pods are added.")
    scale_down: ScalingRules | None = Field(None, description="Limits while pods are taken away.")


class Autoscaling(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.AUTOSCALING

    min_replicas: Replicas = Field(1, description="Never fewer pods than this.")
    max_replicas: Annotated[Replicas, Field(description="Never more pods than this.")]
    metrics: tuple[Metric, ...] = Field(
        (), max_length=8, description="What decides; cpu at 80 % of the request if empty."
    )
    behavior: Behavior | None = Field(None, description="How fast the number may change.")
