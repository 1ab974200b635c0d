"""Checks deploy/kubernetes.yaml and deploy/policy.json. The arguments are the command that runs the worker.

The schemas of Kubernetes and of KEDA decide about the manifest. A misspelt field is an error, as it is for kubectl, and each is
misspelt once to prove it. Then what several places have to agree about is compared, and the worker is started with the settings
of the manifest.
"""

import copy
import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from cloudcoil.models.keda import v1alpha1 as keda

# The oldest and the newest that are checked. KEDA's schemas are those of the version in check-deploy.txt.
KUBERNETES = ("1.30", "1.37")

# Maps whose keys are anybody's choice, so that no schema knows them.
FREE = {"annotations", "labels", "matchLabels", "data", "requests", "limits"}

# To the schema a trigger's metadata is such a map, too, and KEDA ignores what it does not know. Of its scaler aws-sqs-queue:
TRIGGER = {"queueURL", "queueURLFromEnv", "queueLength", "activationQueueLength", "awsRegion", "awsEndpoint", "scaleOnInFlight",
           "scaleOnDelayed"}

# What dynamodedupe names behind this is for its Sweep and for transactions, which this worker does not make.
REST = "Sweep needs"

# An address where nobody answers ends the worker once it has read its settings and looks for its table.
NO_AWS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_MAX_ATTEMPTS": "1",
          "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"}


class Loader(yaml.SafeLoader):
    """Refuses a key that comes twice, of which PyYAML takes the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(None, None, f"a key comes twice: {keys}", node.start_mark)
        return super().construct_mapping(node, deep)


@functools.cache
def keda_schema(kind):
    schema = getattr(keda, kind).model_json_schema(by_alias=True)
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return schema


def why_invalid(doc):
    """Says why a document is not valid, or nothing."""
    try:
        if doc["apiVersion"] == "keda.sh/v1alpha1":
            jsonschema.validate(doc, keda_schema(doc["kind"]))
            return ""
        for version in KUBERNETES:
            kubernetes_validate.validate(doc, version, strict=True)
    except jsonschema.ValidationError as e:
        return f"{'.'.join(map(str, e.path))}: {e.message}"
    except (kubernetes_validate.SchemaNotFoundError, AttributeError, KeyError) as e:
        return f"no schema: {e!r}"
    return ""


def fields(node, path=()):
    """Yields the path of every field below a node that a schema knows."""
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(node, dict):
            yield (*path, key)
        free = key in FREE or (key == "metadata" and path[-2:-1] == ("triggers",))
        if isinstance(child, (dict, list)) and not free:
            yield from fields(child, (*path, key))


def misspelt(doc, path):
    """Returns a copy of a document with a letter too many in the name of one field."""
    doc = copy.deepcopy(doc)
    node = functools.reduce(lambda at, key: at[key], path[:-1], doc)
    node[path[-1] + "x"] = node.pop(path[-1])
    return doc


def check_schema(docs):
    for doc in docs:
        if why := why_invalid(doc):
            yield f"{doc.get('kind')}: {why}"
            continue
        for path in fields(doc):
            if not why_invalid(misspelt(doc, path)):
                yield f"{doc['kind']}: nobody would notice a misspelt {'.'.join(map(str, path))}"


def check_names(docs, dockerfile, worker):
    """Compares what the documents, the image and the program say about the same things."""
    by = {doc["kind"]: doc for doc in docs}
    name = by["Deployment"]["metadata"]["name"]
    pod = by["Deployment"]["spec"]["template"]
    container, = pod["spec"]["containers"]
    settings, env = by["ConfigMap"]["data"], {e["name"]: e["value"] for e in container["env"]}
    trigger, = by["ScaledObject"]["spec"]["triggers"]
    health, = container["ports"]
    labels = pod["metadata"]["labels"]
    user = re.search(r"^USER (\d+):(\d+)$", dockerfile, re.M).groups()
    usage = subprocess.run([*worker, "poll", "--help"], capture_output=True, text=True, check=True).stdout
    for what, got, want in (
        ("service account", pod["spec"]["serviceAccountName"], by["ServiceAccount"]["metadata"]["name"]),
        ("settings", container["envFrom"], [{"configMapRef": {"name": by["ConfigMap"]["metadata"]["name"]}}]),
        ("selector", by["Deployment"]["spec"]["selector"]["matchLabels"], labels),
        ("disruption budget's selector", by["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"], labels),
        ("scaled deployment", by["ScaledObject"]["spec"]["scaleTargetRef"]["name"], name),
        ("trigger's authentication", trigger["authenticationRef"]["name"], by["TriggerAuthentication"]["metadata"]["name"]),
        ("trigger's region", trigger["metadata"]["awsRegion"], settings["AWS_REGION"]),
        ("trigger's queue", trigger["metadata"]["queueURLFromEnv"], "QUEUE_URL"),
        ("trigger's unknown metadata", trigger["metadata"].keys() - TRIGGER, set()),
        ("health port", settings["HEALTH_LISTEN"], f":{health['containerPort']}"),
        ("user", [pod["spec"]["securityContext"][k] for k in ("runAsUser", "runAsGroup")], [int(u) for u in user]),
        ("unknown settings", {k for k in settings if f"${k}\n" not in usage and f"${k}," not in usage}, {"AWS_REGION"}),
    ):
        if got != want:
            yield f"{what}: got {got}, want {want}"
    ended = subprocess.run([*worker, *container["args"]], env=settings | env | NO_AWS, capture_output=True, text=True, timeout=60)
    if ended.returncode != 1 or f"--store {settings['STORE']}: " not in ended.stderr:
        yield f"the worker with these settings: got {ended.returncode} and {ended.stderr!r}, want it to look for its table"


def check_policy(policy, *package_docs):
    granted = {action for s in policy["Statement"] for action in s["Action"]}
    needed = {right for doc in package_docs for right in re.findall(r"\b(?:sqs|dynamodb):[A-Z]\w+", doc.split(REST)[0])}
    if granted != needed:
        yield f"policy.json: grants {granted - needed or 'nothing'} too much and {needed - granted or 'nothing'} too little"
    for s in policy["Statement"]:
        if s["Effect"] != "Allow" or "*" in s["Resource"]:
            yield f"policy.json: {s['Sid']}: want an Allow for one resource"


def main(worker):
    try:
        docs = list(yaml.load_all(Path("deploy/kubernetes.yaml").read_text(), Loader))
    except yaml.YAMLError as e:
        raise SystemExit(f"check-deploy: deploy/kubernetes.yaml: {e}") from None
    known = sum(1 for doc in docs for _ in fields(doc))
    wrong = list(check_schema(docs)) or [  # what follows takes valid documents for granted
        *check_names(docs, Path("deploy/Dockerfile").read_text(), worker),
        *check_policy(
            json.loads(Path("deploy/policy.json").read_text()),
            Path("sources/sqssource/doc.go").read_text(),
            Path("dedupe/dynamodedupe/doc.go").read_text(),
        ),
    ]
    if wrong:
        raise SystemExit("\n".join(["check-deploy:", *wrong]))
    print(f"ok: deploy/kubernetes.yaml: {len(docs)} documents, valid for Kubernetes {' and '.join(KUBERNETES)} and for KEDA;"
          f" each of {known} fields is noticed when it is misspelt")
    print("ok: deploy/policy.json grants what the packages name, and the worker takes the manifest's settings")


main(sys.argv[1:])
