"""Writes records with Powertools for AWS Lambda (Python): see ../README.md."""

import base64
import json
import os
import sys
import time
import warnings
from importlib.metadata import version
from types import SimpleNamespace

os.environ.update(
    AWS_LAMBDA_FUNCTION_NAME="orders",
    AWS_REGION="us-east-1",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
)

import boto3  # noqa: E402
from aws_lambda_powertools.utilities.idempotency import (  # noqa: E402
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)


class Killed(BaseException):
    """What Lambda does to a handler at its timeout: nothing is cleaned up."""


def process_order(record, killed):
    if killed:
        raise Killed
    return {"done": True}


def write(client, case, table):
    """Handles the case's record and returns the item that is then in the table."""
    keys = ["pk", "sk"] if case.get("sorted") else ["id"]
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
        KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ["HASH", "RANGE"])],
    )
    layout = {"key_attr": "pk", "sort_key_attr": "sk"} if case.get("sorted") else {}
    if case.get("renamed"):
        layout |= {"status_attr": "st", "expiry_attr": "ex", "in_progress_expiry_attr": "ip", "validation_key_attr": "va"}
    config = IdempotencyConfig(
        event_key_jmespath=case["jmespath"],
        payload_validation_jmespath=case.get("validation", ""),
        hash_function=case.get("hash", "md5"),
        expires_after_seconds=case.get("expires", 3600),
        lambda_context=case.get("remaining") and SimpleNamespace(get_remaining_time_in_millis=lambda: case["remaining"]),
    )
    handler = idempotent_function(
        process_order,
        data_keyword_argument="record",
        config=config,
        persistence_store=DynamoDBPersistenceLayer(table_name=table, boto3_client=client, **layout),
        **({"key_prefix": case["prefix"]} if "prefix" in case else {}),
    )
    try:
        handler(record={"messageId": case["messageId"], "body": case["body"]}, killed=case.get("killed", False))
    except Killed:
        pass
    items = client.scan(TableName=table)["Items"]
    client.delete_table(TableName=table)
    return items


def main(cases, out):
    client = boto3.client("dynamodb", endpoint_url=os.environ["ONLYONCE_DYNAMODB_ENDPOINT"])
    warnings.simplefilter("ignore")
    written = []
    for i, case in enumerate(json.load(open(cases, encoding="utf-8"))):
        if "python" in case.get("not", []):
            continue
        for item in write(client, case, f"python-{os.getpid()}-{i}"):
            written.append({"case": case["name"], "item": item})
    fixture = {
        "library": "python",
        "version": version("aws-lambda-powertools"),
        "runtime": "python " + sys.version.split()[0],
        "prefix": "orders.write.process_order",
        "staticKey": "idempotency#orders",
        "read": int(time.time() * 1000) + 3000,
        "written": written,
    }
    with open(out, "w", encoding="utf-8") as f:
        json.dump(fixture, f, indent="\t", default=lambda b: base64.b64encode(b).decode())
        f.write("\n")
    print(f"{len(written)} records of {fixture['version']}")
