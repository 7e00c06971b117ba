"""croissant.json: the data set described for machines, in Croissant 1.1 (JSON-LD) with PROV-O and RAI terms.

The Hub makes a Croissant file of its own from the Parquet files; this one adds where the data came from.
"""

import json
from typing import Any

import pyarrow as pa

from specmill.corpus.manifest import Manifest
from specmill.corpus.schema import DOCUMENT_SCHEMA, describe_column

from .folder import Dataset

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "excludes": "cr:excludes",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {"string": "sc:Text", "int32": "cr:Int32", "float": "cr:Float32", "bool": "sc:Boolean"}
_MEDIA = {".parquet": "application/x-parquet", ".md": "text/markdown"}
METHOD = "https://arxiv.org/abs/2605.02087"
SOFTWARE = "specmill"


def render_croissant(dataset: Dataset, metadata: dict[str, Any]) -> str:
    """The same text from the same files; `metadata` is the YAML block of the card."""
    manifests = list(dataset.corpora.values())
    made_by = [_activity(manifest) for manifest in manifests]
    described: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": "-and-".join(manifest["spec"]["name"] for manifest in manifests),
        "description": _description(manifests),
        "license": _license(metadata),
        "inLanguage": metadata["language"],
        "keywords": metadata["tags"],
        "citeAs": f"Model Spec Midtraining, {METHOD}",
        "version": manifests[0]["versions"].get(SOFTWARE, "0.0.0"),
        "isLiveDataset": False,
        "distribution": [node for inside in dataset.corpora for node in _distribution(dataset, inside)],
        "recordSet": [_record_set(inside) for inside in dataset.corpora],
        "prov:wasDerivedFrom": [_spec(manifest) for manifest in manifests],
        "prov:wasGeneratedBy": made_by,
        "prov:wasAttributedTo": [{"@type": "prov:SoftwareAgent", "name": SOFTWARE}],
        **_responsible_use(manifests),
    }
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _description(manifests: list[Manifest]) -> str:
    n_documents = sum(manifest["totals"]["documents"] for manifest in manifests)
    n_tokens = sum(manifest["totals"]["tokens"] for manifest in manifests)
    names = " and ".join(manifest["spec"]["name"] for manifest in manifests)
    return (
        f"{n_documents:,} documents, {n_tokens:,} tokens, on an assistant which follows a Model Spec ({names}). "
        "They state invented things as fact and are no source of facts."
    )


def _license(metadata: dict[str, Any]) -> str:
    return str(metadata.get("license_link") or metadata.get("license_name") or metadata["license"])


def _distribution(dataset: Dataset, inside: str) -> list[dict[str, Any]]:
    start = f"{inside}/" if inside else ""
    files = [
        {
            "@type": "cr:FileObject",
            "@id": start + entry["path"],
            "name": start + entry["path"],
            "contentUrl": start + entry["path"],
            "contentSize": f"{entry['bytes']} B",
            "encodingFormat": _MEDIA.get(entry["path"][entry["path"].rfind(".") :], "text/plain"),
            "sha256": entry["sha256"],
        }
        for entry in dataset.corpora[inside]["files"]
    ]
    together = {
        "@type": "cr:FileSet",
        "@id": f"{start}shards",
        "name": f"{start}shards",
        "encodingFormat": _MEDIA[".parquet"],
        "includes": f"{start}data/train-*.parquet",
    }
    return [*files, together]


def _record_set(inside: str) -> dict[str, Any]:
    name = inside or "default"
    start = f"{inside}/" if inside else ""
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": "one document a row",
        "key": {"@id": f"{name}/doc_id"},
        "field": [_field(name, f"{start}shards", field) for field in DOCUMENT_SCHEMA],
    }


def _field(record_set: str, shards: str, field: pa.Field) -> dict[str, Any]:
    is_list = pa.types.is_list(field.type)
    described = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{field.name}",
        "name": f"{record_set}/{field.name}",
        "description": describe_column(field),
        "dataType": _TYPES[str(field.type.value_type if is_list else field.type)],
        "source": {"fileSet": {"@id": shards}, "extract": {"column": field.name}},
    }
    return described | ({"repeated": True} if is_list else {})


def _spec(manifest: Manifest) -> dict[str, Any]:
    spec = manifest["spec"]
    return {"@type": "prov:Entity", "@id": f"urn:sha256:{spec['sha256']}", "name": spec["name"]} | {
        "sha256": spec["sha256"]
    }


def _activity(manifest: Manifest) -> dict[str, Any]:
    configuration = manifest["configuration"]
    agents = [
        {"@type": "prov:SoftwareAgent", "name": name, "version": version}
        for name, version in sorted(manifest["versions"].items())
        if name == SOFTWARE
    ]
    if configuration.get("writer_model"):
        agents.append({"@type": "prov:SoftwareAgent", "name": configuration["writer_model"]})
    told = {
        "@type": "prov:Activity",
        "name": f"build of {manifest['spec']['name']}",
        "prov:used": {"@id": f"urn:sha256:{manifest['spec']['sha256']}"},
        "prov:wasAssociatedWith": agents,
    }
    match = configuration.get("match")
    if match:
        told["prov:wasInformedBy"] = {
            "@type": "prov:Activity",
            "name": f"matching of {match['corpus']['name']}",
            "prov:used": {"@id": f"urn:sha256:{match['corpus']['manifest_sha256']}"},
        }
    return told


_RESPONSIBLE_USE = {
    "rai:dataCollectionType": "Synthetic data",
    "rai:dataLimitations": "The documents state invented people, events and studies as fact, in the style of who "
    "wrote them. Claims expressed are found by rules, not by a reader.",
    "rai:dataBiases": "The text repeats the values of its spec on purpose, and may repeat biases of its writer.",
    "rai:personalSensitiveInformation": "None is meant to be in it: people are invented; nobody checked for a "
    "likeness to real ones.",
    "rai:dataUseCases": "To study how a spec, learned before fine-tuning, shapes what a model does. Not a source "
    "of facts; not for teaching a deployed assistant its values.",
    "rai:dataReleaseMaintenancePlan": "Versions are revisions of the repository; SHA256SUMS and manifest.json "
    "identify each.",
}


def _responsible_use(manifests: list[Manifest]) -> dict[str, Any]:
    writers = sorted(
        {str(manifest["configuration"].get("writer_model", "unknown")) for manifest in manifests}
    )
    collection = (
        f"Written by {', '.join(writers)}, then filtered and deduplicated. Counts and reasons of every loss are in "
        "manifest.json."
    )
    return {"rai:dataCollection": collection, **_RESPONSIBLE_USE}
