"""What stands, asked of each service's own API and told in the terms of the template.

A reader takes a physical id and gives the properties that CloudFormation's documentation names so.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from local.account import Account
from local.aws import ACCOUNT, ClientError
from local.template import ARTIFACTS

Properties = dict[str, Any]


Reader = Callable[[Account, str, Mapping[str, Any]], Properties]


def table(client: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    dynamodb = client("dynamodb")
    held: Properties = dynamodb.describe_table(TableName=name)["Table"]
    lifetime = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    return held | {
        "BillingMode": held["BillingModeSummary"]["BillingMode"],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": recovery == "ENABLED"},
        "SSESpecification": {"SSEEnabled": held.get("SSEDescription", {}).get("Status") == "ENABLED"},
        "TimeToLiveSpecification": {
            "AttributeName": lifetime.get("AttributeName"),
            "Enabled": lifetime["TimeToLiveStatus"] == "ENABLED",
        },
    }


def bucket(client: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    s3 = client("s3")
    encryption = _or_none(s3.get_bucket_encryption, Bucket=name).get("ServerSideEncryptionConfiguration", {})
    rules = [
        {"ServerSideEncryptionByDefault": rule["ApplyServerSideEncryptionByDefault"]}
        for rule in encryption.get("Rules", [])
    ]
    cors = _or_none(s3.get_bucket_cors, Bucket=name).get("CORSRules", [])
    events = s3.get_bucket_notification_configuration(Bucket=name).get("EventBridgeConfiguration")
    lifecycle = _or_none(s3.get_bucket_lifecycle_configuration, Bucket=name).get("Rules", [])
    return {
        "CorsConfiguration": {"CorsRules": [_as_cors_rule(rule) for rule in cors]},
        "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": events is not None}},
        "BucketEncryption": {"ServerSideEncryptionConfiguration": rules},
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": rule.get("ID"),
                    **rule.get("Expiration", {}),
                    "ExpirationInDays": rule.get("Expiration", {}).get("Days"),
                    **rule.get("Filter", {}),
                    **rule,
                }
                for rule in lifecycle
            ]
        },
        "OwnershipControls": _or_none(s3.get_bucket_ownership_controls, Bucket=name).get("OwnershipControls"),
        "PublicAccessBlockConfiguration": _or_none(s3.get_public_access_block, Bucket=name).get(
            "PublicAccessBlockConfiguration"
        ),
        "VersioningConfiguration": s3.get_bucket_versioning(Bucket=name),
    }


def _as_cors_rule(rule: Mapping[str, Any]) -> Properties:
    renamed = {"ExposeHeaders": "ExposedHeaders", "MaxAgeSeconds": "MaxAge"}
    return {renamed.get(name, name): value for name, value in rule.items()}


def bucket_policy(client: Account, _name: str, expected: Mapping[str, Any]) -> Properties:
    held = _or_none(client("s3").get_bucket_policy, Bucket=expected["Bucket"])
    return {"Bucket": expected["Bucket"], "PolicyDocument": json.loads(held.get("Policy", "{}"))}


def function(client: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    api = client("lambda")
    held: Properties = api.get_function_configuration(FunctionName=name)
    return held | {
        "Code": {"S3Bucket": ARTIFACTS, "S3Key": f"{b64decode(held['CodeSha256']).hex()[:16]}.zip"},
        "ReservedConcurrentExecutions": api.get_function_concurrency(FunctionName=name).get(
            "ReservedConcurrentExecutions"
        ),
    }


def event_invoke_config(client: Account, _name: str, expected: Mapping[str, Any]) -> Properties:
    of = {name: expected[name] for name in ("FunctionName", "Qualifier")}
    held: Properties = client("lambda").get_function_event_invoke_config(**of)
    return held | of


def permission(client: Account, sid: str, expected: Mapping[str, Any]) -> Properties:
    policy = _or_none(client("lambda").get_policy, FunctionName=expected["FunctionName"]).get("Policy", "{}")
    for statement in json.loads(policy).get("Statement", []):
        if statement["Sid"] == sid:
            return {
                "Action": statement["Action"],
                "FunctionName": statement["Resource"].rpartition(":")[2],
                "Principal": statement["Principal"]["Service"],
                "SourceArn": statement["Condition"]["ArnLike"]["AWS:SourceArn"],
            }
    return {}


def role(account: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    held = account.role(name)
    return {
        "AssumeRolePolicyDocument": held["AssumeRolePolicyDocument"],
        "ManagedPolicyArns": [policy["PolicyArn"] for policy in held["AttachedManagedPolicies"]],
        "Policies": held["RolePolicyList"],
    }


def managed_policy(client: Account, arn: str, _expected: Mapping[str, Any]) -> Properties:
    iam = client("iam")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return {"PolicyDocument": document}


def api(client: Account, api_id: str, _expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("apigatewayv2").get_api(ApiId=api_id)
    return held


def stage(client: Account, name: str, expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("apigatewayv2").get_stage(ApiId=expected["ApiId"], StageName=name)
    return held | {"ApiId": expected["ApiId"]}


def route(account: Account, name: str, expected: Mapping[str, Any]) -> Properties:
    held = account.route(expected["ApiId"], name.rpartition("/")[2])
    return held | {"ApiId": expected["ApiId"]}


def integration(account: Account, name: str, expected: Mapping[str, Any]) -> Properties:
    held = account.integration(expected["ApiId"], name)
    return held | {"ApiId": expected["ApiId"]}


def rule(client: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    events = client("events")
    held: Properties = events.describe_rule(Name=name)
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    return held | {"EventPattern": json.loads(held["EventPattern"]), "Targets": targets}


def schedule(client: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("scheduler").get_schedule(Name=name)
    return held


def user_pool(client: Account, pool: str, _expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("cognito-idp").describe_user_pool(UserPoolId=pool)["UserPool"]
    return held


def user_pool_client(client: Account, name: str, expected: Mapping[str, Any]) -> Properties:
    cognito, pool = client("cognito-idp"), expected["UserPoolId"]
    held: Properties = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=name)["UserPoolClient"]
    return held | {"GenerateSecret": "ClientSecret" in held}


def user_pool_domain(client: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("cognito-idp").describe_user_pool_domain(Domain=name)["DomainDescription"]
    return held


def user_pool_group(client: Account, name: str, expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("cognito-idp").get_group(UserPoolId=expected["UserPoolId"], GroupName=name)["Group"]
    return held


def log_group(client: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    for held in client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
        if held["logGroupName"] == name:
            return {"LogGroupName": name, "RetentionInDays": held.get("retentionInDays")}
    return {}


def alarm(client: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    alarms: list[Properties] = client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarms[0] if alarms else {}


def topic(client: Account, arn: str, _expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    return held


def subscription(client: Account, _arn: str, expected: Mapping[str, Any]) -> Properties:
    """Found as its topic knows it: one that nobody has confirmed has no attributes to ask for."""
    topic_arn = expected["TopicArn"]
    held: list[Properties] = client("sns").list_subscriptions_by_topic(TopicArn=topic_arn)["Subscriptions"]
    same = (one for one in held if all(one[name] == expected[name] for name in ("Protocol", "Endpoint")))
    return next(same, {})


def secret(client: Account, arn: str, expected: Mapping[str, Any]) -> Properties:
    """A generated secret says of its making only how long it is."""
    described = client("secretsmanager").describe_secret(SecretId=arn)
    made = expected["GenerateSecretString"]
    value = client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    return {**described, "GenerateSecretString": {**made, "PasswordLength": len(value)}}


def queue(client: Account, url: str, expected: Mapping[str, Any]) -> Properties:
    """The service tells every attribute as text."""
    held = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {
        name: json.loads(held[name]) if name in held and name != "QueueName" else held.get(name) for name in expected
    }


def event_source_mapping(client: Account, uuid: str, _expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("lambda").get_event_source_mapping(UUID=uuid)
    return held | {"FunctionName": held["FunctionArn"].rpartition(":")[2]}


def glue_database(client: Account, name: str, _expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("glue").get_database(Name=name)["Database"]
    return {"CatalogId": held.get("CatalogId", ACCOUNT), "DatabaseInput": held}


def glue_table(client: Account, name: str, expected: Mapping[str, Any]) -> Properties:
    held: Properties = client("glue").get_table(DatabaseName=expected["DatabaseName"], Name=name)["Table"]
    return {"CatalogId": held.get("CatalogId", ACCOUNT), "DatabaseName": held["DatabaseName"], "TableInput": held}


def workgroup(client: Account, name: str, expected: Mapping[str, Any]) -> Properties:
    """Whether it may be deleted with what it holds is said when it is deleted."""
    held: Properties = client("athena").get_work_group(WorkGroup=name)["WorkGroup"]
    recursive = {"RecursiveDeleteOption": expected.get("RecursiveDeleteOption")}
    return held | {"WorkGroupConfiguration": held["Configuration"]} | recursive


READERS: Mapping[str, Reader] = {
    "AWS::ApiGatewayV2::Api": api,
    "AWS::ApiGatewayV2::Integration": integration,
    "AWS::ApiGatewayV2::Route": route,
    "AWS::ApiGatewayV2::Stage": stage,
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::Athena::WorkGroup": workgroup,
    "AWS::Cognito::UserPool": user_pool,
    "AWS::Cognito::UserPoolClient": user_pool_client,
    "AWS::Cognito::UserPoolDomain": user_pool_domain,
    "AWS::Cognito::UserPoolGroup": user_pool_group,
    "AWS::DynamoDB::Table": table,
    "AWS::Events::Rule": rule,
    "AWS::Glue::Database": glue_database,
    "AWS::Glue::Table": glue_table,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::IAM::Role": role,
    "AWS::Lambda::EventInvokeConfig": event_invoke_config,
    "AWS::Lambda::EventSourceMapping": event_source_mapping,
    "AWS::Lambda::Function": function,
    "AWS::Lambda::Permission": permission,
    "AWS::Logs::LogGroup": log_group,
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": bucket_policy,
    "AWS::SNS::Subscription": subscription,
    "AWS::SNS::Topic": topic,
    "AWS::SecretsManager::Secret": secret,
    "AWS::SQS::Queue": queue,
    "AWS::Scheduler::Schedule": schedule,
}


def _or_none(call: Callable[..., Any], **arguments: str) -> Properties:
    """An answer, or nothing where the service has an error for what is not configured."""
    try:
        answer: Properties = call(**arguments)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        return {}
    return answer
