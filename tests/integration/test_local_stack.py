"""The template on the emulator: what a change does, what must not happen to data, and what drift is noticed."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from local import nested
from local.drift import NOT_COMPARED_TYPES
from local.intrinsics import Scope
from local.observe import READERS
from local.parameters import InvalidParameterError, from_environment, parameters
from local.stack import DeployError, Stack, deploy
from local.template import ROOT, package, source
from local.testing import deployed
from tests.integration.standing import PARAMETERS, started


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of what is deployed, to change."""
    root = tmp_path / "root"
    copytree(ROOT / "infra", root / "infra")
    copytree(ROOT / "functions", root / "functions")
    (root / "template.yaml").write_text((ROOT / "template.yaml").read_text())
    return root


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def put(stack: Stack, name: str) -> None:
    item = {"id": {"S": name}, "owner": {"S": "me"}, "created_at": {"S": name}}
    stack.client("dynamodb").put_item(TableName=stack.outputs["ImagesTable"], Item=item)


def count(stack: Stack, index: str = "idx_generated_images_user_id") -> int:
    answer = stack.client("dynamodb").query(
        TableName=stack.outputs["ImagesTable"],
        IndexName=index,
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "me"}},
    )
    found: int = answer["Count"]
    return found


def updated_at(stack: Stack) -> Any:
    return stack.description.get("LastUpdatedTime")


def test_what_stands_is_what_the_template_says(stack: Stack) -> None:
    client, table = stack.client("dynamodb"), stack.outputs["LedgerTable"]
    lifetime = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert lifetime == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert client.describe_table(TableName=table)["Table"]["SSEDescription"]["Status"] == "ENABLED"
    rules = stack.client("s3").get_bucket_lifecycle_configuration(Bucket=stack.outputs["Bucket"])["Rules"]
    assert rules[0]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 37}
    assert rules[0]["Expiration"] == {"ExpiredObjectDeleteMarker": True}


def test_a_function_has_its_environment(stack: Stack) -> None:
    environment = stack.environment("GetImage")
    assert environment["IMAGES_TABLE"] == stack.outputs["ImagesTable"]
    assert environment["AUTH_JWKS_URL"].startswith(stack.endpoint)
    assert environment["AWS_ENDPOINT_URL"] == stack.endpoint
    assert environment["LOCAL_RUN"] == "true"


def test_nothing_is_redeployed_without_a_change(stack: Stack) -> None:
    again = deploy(stack, PARAMETERS)
    assert updated_at(again) == updated_at(stack)
    assert stack.description["StackStatus"] == "CREATE_COMPLETE"


def test_changes_take_effect_and_data_stays(data: Path, root: Path) -> None:
    with started(data) as (stack, _):
        put(stack, "1")
        before = stack.client("lambda").get_function_configuration(FunctionName=stack.resources["GetImage"])

        rewrite(root / "functions" / "get_image.py", "return", "# changed\n    return")
        moved = deploy(stack, {"PublicUrl": "http://localhost:3001"}, root)
        assert moved.environment("GetImage")["PUBLIC_URL"] == "http://localhost:3001"
        after = stack.client("lambda").get_function_configuration(FunctionName=stack.resources["GetImage"])
        assert after["CodeSha256"] != before["CodeSha256"]

        rewrite(root / "template.yaml", "Timeout: 300", "Timeout: 300\n      ReservedConcurrentExecutions: 2")
        deploy(stack, PARAMETERS, root)
        sweep = stack.client("lambda").get_function_concurrency(FunctionName=stack.resources["SettlePending"])
        assert sweep["ReservedConcurrentExecutions"] == 2

        shelf = "idx_generated_images_shelf"
        rewrite(root / "infra" / "storage.yaml", f"IndexName: {shelf}\n", f"IndexName: {shelf}_new\n")
        renamed = deploy(stack, PARAMETERS, root)
        assert renamed.outputs["ImagesTable"] == stack.outputs["ImagesTable"]
        assert count(renamed) == 1

        text = (root / "template.yaml").read_text()
        start, end = text.index("  GetOpenapi:"), text.index("  RejectRoute:")
        (root / "template.yaml").write_text(text[:start] + text[end:])
        without = deploy(stack, PARAMETERS, root)
        assert "GetOpenapi" not in without.resources
        assert count(without) == 1
    with started(data) as (stack, _):
        assert count(stack) == 1


def test_every_parameter_has_another_value(tmp_path: Path) -> None:
    definitions = source()["Parameters"]
    chosen = {
        name: next(str(value) for value in definition["AllowedValues"] if value != definition["Default"])
        for name, definition in definitions.items()
        if len(definition.get("AllowedValues", [])) > 1
    } | {
        "PublicUrl": "https://images.example",
        "AllowedOrigins": "https://app.example,http://localhost:5173",
        "CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/1",
        "AuthIssuer": "https://issuer.example",
        "AuthAudience": "me",
        "AuthSecretName": "shared",
        "UserDailyQuota": "3",
        "AnonymousDailyQuota": "2",
        "MonthlyBudgetUsd": "12.5",
        "Model": "stability-rest,bedrock/core",
        "StabilitySecretName": "stability",
        "WebhookSecretName": "webhook",
        "AuthClientId": "pages",
        "SearchShards": "3",
        "GeminiSecretName": "gemini",
        "BedrockRegion": "us-east-1",
        "VisionModel": "us.amazon.nova-lite-v1:0",
        "AlarmEmail": "ops@example.com",
    }
    assert definitions.keys() == chosen.keys()
    with deployed(tmp_path, chosen) as stack:
        environment = stack.environment("GetImage")
        assert environment["AUTH_ISSUER"] == "https://issuer.example"
        assert environment["POWERTOOLS_LOG_LEVEL"] == chosen["LogLevel"]
        topic = stack.resources["AlarmsTopic"]
        told = stack.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert [one["Endpoint"] for one in told] == ["ops@example.com"]
        moved = deploy(stack, chosen | {"AlarmEmail": "others@example.com"})
        told = moved.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert [one["Endpoint"] for one in told] == ["others@example.com"]


def test_a_deployment_that_fails_leaves_what_stood(data: Path, root: Path) -> None:
    good = (root / "template.yaml").read_text()
    with started(data) as (stack, _):
        put(stack, "1")
        rewrite(root / "template.yaml", "!GetAtt AccessLogs.Arn", "!GetAtt AccessLogs.Nonsense")
        with pytest.raises(DeployError, match="Nonsense"):
            deploy(stack, PARAMETERS, root)
    (root / "template.yaml").write_text(good)
    with deployed(data, {"AnonymousHistory": "all"}, root) as stack:
        assert count(stack) == 1
        assert stack.environment("ListImages")["ANONYMOUS_HISTORY"] == "all"


def test_a_table_of_the_lake_that_was_dropped_is_made_again(stack: Stack) -> None:
    tables = {"DatabaseName": stack.outputs["Lake"], "Name": "generated_images"}
    glue = stack.client("glue")
    before = glue.get_table(**tables)["Table"]
    glue.delete_table(**tables)
    deploy(stack, PARAMETERS)
    after = stack.client("glue").get_table(**tables)["Table"]
    assert (after["StorageDescriptor"], after["Parameters"]) == (before["StorageDescriptor"], before["Parameters"])


def test_a_table_with_items_is_not_made_anew(data: Path, root: Path) -> None:
    with started(data) as (stack, _):
        put(stack, "1")
        storage = root / "infra" / "storage.yaml"
        rewrite(storage, "- {AttributeName: id, KeyType: HASH}", "- {AttributeName: uid, KeyType: HASH}")
        rewrite(storage, "- {AttributeName: id, AttributeType: S}", "- {AttributeName: uid, AttributeType: S}")
        with pytest.raises(DeployError, match="StorageImages: another key would cost its 1 items"):
            deploy(stack, PARAMETERS, root)
        assert count(stack) == 1


def _shrink(stack: Stack) -> None:
    stack.client("lambda").update_function_configuration(
        FunctionName=stack.resources["GenerateImage"], MemorySize=128, Environment={"Variables": {"EXTRA": "1"}}
    )


def _drop_index(stack: Stack) -> None:
    gone = {"Delete": {"IndexName": "idx_generated_images_unsettled"}}
    stack.client("dynamodb").update_table(TableName=stack.outputs["ImagesTable"], GlobalSecondaryIndexUpdates=[gone])


def _drop_route(stack: Stack) -> None:
    api, client = stack.resources["Api"], stack.client("apigatewayv2")
    route = next(route for route in client.get_routes(ApiId=api)["Items"] if route["RouteKey"] == "POST /ai/generate")
    client.delete_route(ApiId=api, RouteId=route["RouteId"])


def _add_route(stack: Stack) -> None:
    stack.client("apigatewayv2").create_route(ApiId=stack.resources["Api"], RouteKey="GET /backdoor")


def _widen_role(stack: Stack) -> None:
    stack.client("iam").attach_role_policy(
        RoleName=stack.resources["GetImageRole"], PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )


def _suspend_versions(stack: Stack) -> None:
    stack.client("s3").put_bucket_versioning(
        Bucket=stack.outputs["Bucket"], VersioningConfiguration={"Status": "Suspended"}
    )


def _silence_alarm(stack: Stack) -> None:
    stack.client("cloudwatch").delete_alarms(AlarmNames=[stack.resources["AlarmsApiFaults"]])


def _slow_schedule(stack: Stack) -> None:
    client, name = stack.client("scheduler"), stack.resources["SettlePendingSchedule"]
    held = client.get_schedule(Name=name)
    client.update_schedule(
        Name=name,
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow=held["FlexibleTimeWindow"],
        Target=held["Target"],
    )


TAMPERED: dict[Callable[[Stack], None], list[str]] = {
    _shrink: ["GenerateImage: MemorySize should be 1769 and is 128", "Environment.Variables.EXTRA"],
    _drop_index: ["StorageImages: GlobalSecondaryIndexes"],
    _drop_route: ["Route: existence"],
    _add_route: ["Api: routes should be 'nothing' and is 'GET /backdoor'"],
    _widen_role: ["GetImageRole: ManagedPolicyArns", "AdministratorAccess"],
    _suspend_versions: ["StorageBucket: VersioningConfiguration.Status should be 'Enabled' and is 'Suspended'"],
    _silence_alarm: ["AlarmsApiFaults"],
    _slow_schedule: ["SettlePendingSchedule: ScheduleExpression"],
}


def test_every_difference_is_refused_by_name(tmp_path: Path) -> None:
    with deployed(tmp_path) as stack:
        for tamper in TAMPERED:
            tamper(stack)
        with pytest.raises(DeployError) as refused:
            deploy(stack, PARAMETERS)
    said = str(refused.value)
    assert not [name for names in TAMPERED.values() for name in names if name not in said]


def test_every_type_of_the_template_is_compared() -> None:
    expanded = package(parameters(source(), PARAMETERS), "http://127.0.0.1:1").template
    kinds = {resource["Type"] for resource in expanded["Resources"].values()}
    assert kinds <= READERS.keys() | NOT_COMPARED_TYPES
    assert not [kind for kind in kinds if kind.startswith("AWS::Serverless::") or kind == nested.STACK]


def test_the_package_depends_on_nothing_but_the_sources() -> None:
    values = parameters(source(), PARAMETERS)
    assert package(values, "http://127.0.0.1:1") == package(values, "http://127.0.0.1:1")


TEMPLATE = yaml_parse("""
Parameters:
  Size: {Type: Number, Default: 1, MinValue: 1, MaxValue: 3}
  Mode: {Type: String, Default: a, AllowedValues: [a, b]}
  SiteUrl: {Type: String, Default: "", AllowedPattern: "^$|^https?://.+$"}
  Name: {Type: String, Default: ab, MinLength: 2, MaxLength: 4}
Conditions:
  Sited: !Not [!Equals [!Ref SiteUrl, ""]]
Rules:
  SiteNeedsB:
    RuleCondition: !Not [!Equals [!Ref SiteUrl, ""]]
    Assertions:
      - Assert: !Equals [!Ref Mode, b]
        AssertDescription: Mode must be b with SiteUrl
Resources: {}
""")


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        ({"SIZE": "0"}, "SIZE=0 is refused: it must be at least 1"),
        ({"SIZE": "4"}, "at most 3"),
        ({"SIZE": "two"}, "it must be a number"),
        ({"SIZE": "NaN"}, "it must be a number"),
        ({"MODE": "c"}, "MODE=c is refused: it must be one of a, b"),
        ({"SITE_URL": "ftp://x"}, "SITE_URL=ftp://x"),
        ({"NAME": "a"}, "its length must be at least 2"),
        ({"NAME": "abcde"}, "its length must be at most 4"),
        ({"SITE_URL": "https://x"}, "^MODE must be b with SITE_URL$"),
    ],
)
def test_parameters_are_held_to_the_template(environment: dict[str, str], fault: str) -> None:
    with pytest.raises(InvalidParameterError, match=fault):
        parameters(TEMPLATE, from_environment(TEMPLATE, environment))


def test_an_empty_variable_is_as_good_as_none() -> None:
    given = from_environment(TEMPLATE, {"SIZE": "", "MODE": "b", "SITE_URL": "https://x", "OTHER": "1"})
    assert parameters(TEMPLATE, given) == {"Size": "1", "Mode": "b", "SiteUrl": "https://x", "Name": "ab"}


def test_a_nested_stack_becomes_part_of_its_parent() -> None:
    parent = yaml_parse("""
Parameters: {Stage: {Type: String}}
Conditions: {Prod: !Equals [!Ref Stage, prod]}
Resources:
  Role: {Type: AWS::IAM::Role}
  Child:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: x, Parameters: {Stage: !Ref Stage, Role: !GetAtt Role.Arn}}
  Other:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: y, Parameters: {Table: !GetAtt Child.Outputs.Table}}
  User:
    Type: T
    Properties: {Direct: !GetAtt Child.Outputs.Table, Text: !Sub "${Child.Outputs.Table}/${AWS::Region}"}
Outputs: {Table: {Value: !GetAtt Child.Outputs.Table}}
""")
    child = yaml_parse("""
Parameters: {Stage: {Type: String}, Role: {Type: String}, Size: {Type: Number, Default: 5}}
Conditions: {Prod: !Equals [!Ref Stage, prod]}
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Condition: Prod
    Properties: {Name: !Sub "${AWS::StackName}-${Stage}", Role: !Ref Role, Size: !If [Prod, !Ref Size, 1]}
Outputs: {Table: {Value: !Ref Table}}
""")
    other = yaml_parse("""
Parameters: {Table: {Type: String}}
Resources:
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {Of: !Ref Table, Text: !Sub "for ${Table}"}}
""")
    flat = nested.fold(parent, {"Child": child, "Other": other})
    assert flat["Resources"].keys() == {"Role", "ChildTable", "OtherAlarm", "User"}
    assert flat["Resources"]["ChildTable"]["Condition"] == "ChildProd"
    scope = Scope(flat, {"Stage": "prod"}, "s", {"ChildTable": "t", "Role": "r"}, lambda name, what: f"{name}.{what}")
    resolved = {name: scope.resolve(part.get("Properties")) for name, part in flat["Resources"].items()}
    assert resolved["ChildTable"] == {"Name": "s-prod", "Role": "Role.Arn", "Size": 5}
    assert resolved["OtherAlarm"] == {"Of": "t", "Text": "for t"}
    assert resolved["User"] == {"Direct": "t", "Text": "t/us-east-1"}
    assert scope.resolve(flat["Outputs"]) == {"Table": {"Value": "t"}}
