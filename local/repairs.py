"""What the emulator's CloudFormation accepts and forgets, put right through the services' own APIs."""

from collections.abc import Callable, Mapping
from typing import Any

from local.account import Client
from local.drift import Resource

Properties = Mapping[str, Any]


def repair(resource: Resource, client: Client) -> None:
    """Applies to one resource the properties that its creation dropped."""
    if resource.kind in _REPAIRS:
        _REPAIRS[resource.kind](resource.physical, resource.properties, client)


def _table(name: str, properties: Properties, client: Client) -> None:
    dynamodb = client("dynamodb")
    if lifetime := properties.get("TimeToLiveSpecification"):
        held = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if held.get("AttributeName") != lifetime["AttributeName"]:
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=lifetime)
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    if encryption := properties.get("SSESpecification"):
        enabled = {"Enabled": encryption["SSEEnabled"]}
        dynamodb.update_table(TableName=name, SSESpecification=enabled)


def _bucket(name: str, properties: Properties, client: Client) -> None:
    s3 = client("s3")
    if lifecycle := properties.get("LifecycleConfiguration"):
        rules = [{"Filter": {"Prefix": rule.get("Prefix", "")}, **_as_api(rule)} for rule in lifecycle["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    if encryption := properties.get("BucketEncryption"):
        rules = [
            {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
            for rule in encryption["ServerSideEncryptionConfiguration"]
        ]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    if ownership := properties.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=ownership)


def _as_api(rule: Mapping[str, Any]) -> dict[str, Any]:
    """CloudFormation has `Id` and `Prefix` for the API's `ID` and `Filter`, and keeps the end of markers elsewhere."""
    told = {("ID" if name == "Id" else name): value for name, value in rule.items() if name != "Prefix"}
    if (markers := told.pop("ExpiredObjectDeleteMarker", None)) is not None:
        told["Expiration"] = {"ExpiredObjectDeleteMarker": markers}
    if (days := told.pop("ExpirationInDays", None)) is not None:
        told["Expiration"] = {"Days": days}
    if (prefix := told.pop("Prefix", None)) is not None:
        told["Filter"] = {"Prefix": prefix}
    return told


def _function(name: str, properties: Properties, client: Client) -> None:
    if (reserved := properties.get("ReservedConcurrentExecutions")) is not None:
        client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))


def _api(name: str, properties: Properties, client: Client) -> None:
    if cors := properties.get("CorsConfiguration"):
        client("apigatewayv2").update_api(ApiId=name, CorsConfiguration=cors)
    else:
        client("apigatewayv2").delete_cors_configuration(ApiId=name)


def _stage(name: str, properties: Properties, client: Client) -> None:
    if settings := properties.get("DefaultRouteSettings"):
        client("apigatewayv2").update_stage(ApiId=properties["ApiId"], StageName=name, DefaultRouteSettings=settings)


def _lake_table(name: str, properties: Properties, client: Client) -> None:
    """A table of the lake holds nothing itself: one that somebody dropped is as good anew."""
    glue = client("glue")
    database = properties["DatabaseName"]
    try:
        glue.get_table(DatabaseName=database, Name=name)
    except glue.exceptions.EntityNotFoundException:
        glue.create_table(DatabaseName=database, TableInput=properties["TableInput"])


_REPAIRS: dict[str, Callable[[str, Properties, Client], None]] = {
    "AWS::ApiGatewayV2::Api": _api,
    "AWS::ApiGatewayV2::Stage": _stage,
    "AWS::DynamoDB::Table": _table,
    "AWS::Glue::Table": _lake_table,
    "AWS::Lambda::Function": _function,
    "AWS::S3::Bucket": _bucket,
}
