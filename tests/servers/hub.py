"""A small Hub over real HTTP: what huggingface_hub asks of it, with revisions, LFS and commits that are all or nothing.

Repositories are in memory. A commit is a whole map from path to (sha256, is it LFS); blobs are kept by sha256 as on
the Hub, so a blob that was uploaded stays there though its commit never came.
"""

import base64
import contextlib
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote

from aiohttp import web

from .in_thread import ThreadServer

LFS_SUFFIXES = {".parquet", ".duckdb", ".bin", ".zip"}
LFS_BYTES = 10 << 20


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str
    message: str
    files: dict[str, tuple[str, bool]]


@dataclass
class Repo:
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def add(self, branch, message, files):
        parent = self.branches.get(branch, "")
        told = json.dumps([parent, message, len(self.commits), sorted(files.items())])
        commit = Commit(hashlib.sha1(told.encode()).hexdigest(), parent, message, files)
        self.commits[commit.oid] = commit
        self.branches[branch] = commit.oid
        return commit

    def find(self, revision):
        return self.commits.get(self.branches.get(revision, revision))


def git_oid(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class HubServer(ThreadServer):
    """`faults` maps the number of a request, from 0, to how it fails: "500", "drop" (before it has any effect), "lose"
    (its reply is lost after it had its effect). `dead_from` drops every request from that number on.
    `on_commit`, called once before a commit is looked at, lets a test commit something in between."""

    def __init__(self, token="hf_test"):
        self.token = token
        self.repos, self.blobs, self.uploads = {}, {}, Counter()
        self.requests = []
        self.faults, self.dead_from, self.on_commit = {}, None, None
        super().__init__(web.route("*", "/{path:.*}", self._answer))
        self.endpoint = self.url.removesuffix("/v1")

    def forget_requests(self):
        self.requests.clear()
        self.faults, self.dead_from = {}, None

    def contents(self, repo, revision="main"):
        """path -> bytes of a revision."""
        return {path: self.blobs[sha] for path, (sha, _) in self.repos[repo].find(revision).files.items()}

    def history(self, repo, branch="main"):
        """Messages of the commits of a branch, newest first."""
        found, oid = [], self.repos[repo].branches[branch]
        while oid:
            commit = self.repos[repo].commits[oid]
            found.append(commit.message)
            oid = commit.parent
        return found

    def commit_file(self, repo, path, data, branch="main"):
        """What somebody else does on the Hub."""
        old = self.repos[repo].find(branch)
        sha = self._store(data)
        return self.repos[repo].add(branch, f"edit {path}", old.files | {path: (sha, False)})

    def _store(self, data):
        sha = hashlib.sha256(data).hexdigest()
        self.blobs[sha] = data
        return sha

    # --- requests ---

    async def _answer(self, request):
        number = len(self.requests)
        path = unquote(request.raw_path.split("?")[0])
        self.requests.append(f"{request.method} {path}")
        body = await request.read()
        dead = self.dead_from is not None and number >= self.dead_from
        fault = "drop" if dead else self.faults.pop(number, None)
        if fault == "500":
            return web.json_response({"error": "Internal error, try again"}, status=500)
        if fault == "drop":
            request.transport.abort()
            return web.Response()
        try:
            reply = self._route(request, body)
        except _Refused as error:
            reply = error.reply
        if fault == "lose":
            request.transport.abort()
            return web.Response()
        return reply

    def _route(self, request, body):
        parts = [unquote(part) for part in request.raw_path.split("?")[0].strip("/").split("/")]
        is_upload = parts[0] == "blobs"  # signed addresses, as S3's
        allowed = is_upload or request.headers.get("authorization") == f"Bearer {self.token}"
        match parts:
            case ["blobs", sha] if request.method == "PUT":
                return self._put(sha, body)
            case ["api", "validate-yaml"]:
                return self._validate(json.loads(body))
            case _ if not allowed and parts[0] == "api" and request.method != "GET":
                return _error(401, "", "Invalid username or password.")
            case ["api", "whoami-v2"]:
                return web.json_response({"type": "user", "name": "anna"})
            case ["api", "repos", "create"]:
                return self._create(json.loads(body))
            case ["api", "datasets", owner, name, *rest]:
                repo = self._repo(f"{owner}/{name}", allowed)
                return self._api(request, repo, f"{owner}/{name}", rest, body)
            case ["datasets", owner, git, "info", "lfs", "objects", "batch"] if git.endswith(".git"):
                name = f"{owner}/{git.removesuffix('.git')}"
                self._repo(name, allowed)
                return self._batch(name, json.loads(body))
            case ["datasets", owner, name, "lfs-verify"]:
                self._repo(f"{owner}/{name}", allowed)
                asked = json.loads(body)
                whole = len(self.blobs.get(asked["oid"], b"")) == asked["size"]
                return web.Response() if whole else _error(422, "", "size differs")
            case ["datasets", owner, name, "resolve", revision, *path]:
                return self._resolve(self._repo(f"{owner}/{name}", allowed), revision, "/".join(path))
        return _error(404, "", f"no endpoint {request.path}")

    def _repo(self, name, allowed):
        repo = self.repos.get(name)
        if repo is None or (repo.private and not allowed):
            raise _Refused(404 if allowed else 401, "RepoNotFound", "Repository not found")
        return repo

    def _create(self, asked):
        name = f"{asked['organization'] or 'anna'}/{asked['name']}"
        if asked["organization"] == "forbidden":
            return _error(403, "", "You don't have the rights to create a dataset under this namespace")
        if name in self.repos:
            there = {
                "error": "You already created this dataset repo",
                "url": f"{self.endpoint}/datasets/{name}",
            }
            return web.json_response(there, status=409)
        repo = self.repos[name] = Repo(asked.get("visibility") == "private" or bool(asked.get("private")))
        repo.add(
            "main", "initial commit", {".gitattributes": (self._store(b"*.parquet filter=lfs\n"), False)}
        )
        return web.json_response({"url": f"{self.endpoint}/datasets/{name}", "name": name, "id": name})

    def _validate(self, asked):
        import yaml

        try:
            block = yaml.safe_load(asked["content"].split("---\n")[1]) or {}
            errors = (
                [] if isinstance(block.get("license"), str) else [{"message": "license must be a string"}]
            )
        except Exception as error:
            errors = [{"message": str(error)}]
        return web.json_response({"errors": errors, "warnings": []}, status=400 if errors else 200)

    def _api(self, request, repo, name, rest, body):
        match rest:
            case []:
                return self._info(repo, name, "main")
            case ["revision", revision]:
                return self._info(repo, name, revision)
            case ["refs"]:
                branches = [
                    {"name": branch, "ref": f"refs/heads/{branch}", "targetCommit": oid}
                    for branch, oid in repo.branches.items()
                ]
                return web.json_response({"branches": branches, "tags": [], "converts": []})
            case ["branch", branch]:
                start = json.loads(body or b"{}").get("startingPoint", "main")
                if branch in repo.branches:
                    return _error(409, "", "Reference already exists")
                repo.branches[branch] = self._commit(repo, start).oid
                return web.json_response({})
            case ["preupload", revision]:
                return self._preupload(self._commit(repo, revision), json.loads(body))
            case ["commit", branch]:
                return self._accept(repo, name, branch, body)
            case ["tree", revision, *path]:
                recursive = request.query.get("recursive", "").lower() == "true"
                return self._tree(self._commit(repo, revision), "/".join(path), recursive)
            case ["paths-info", revision]:
                commit, paths = self._commit(repo, revision), json.loads(body)["paths"]
                return web.json_response([self._file(commit, path) for path in paths if path in commit.files])
        return _error(404, "", "no such endpoint")

    def _commit(self, repo, revision):
        commit = repo.find(revision)
        if commit is None:
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def _info(self, repo, name, revision):
        commit = self._commit(repo, revision)
        return web.json_response(
            {
                "id": name,
                "sha": commit.oid,
                "private": repo.private,
                "gated": False,
                "disabled": False,
                "tags": [],
                "downloads": 0,
                "likes": 0,
                "siblings": [{"rfilename": path} for path in sorted(commit.files)],
            }
        )

    def _file(self, commit, path):
        sha, lfs = commit.files[path]
        data = self.blobs[sha]
        entry = {"type": "file", "path": path, "size": len(data), "oid": git_oid(data)}
        if lfs:
            pointer = (
                f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize {len(data)}\n".encode()
            )
            entry |= {"oid": git_oid(pointer)}
            entry |= {"lfs": {"oid": sha, "size": len(data), "pointerSize": len(pointer)}}
        return entry

    def _tree(self, commit, folder, recursive):
        inside = [path for path in sorted(commit.files) if not folder or path.startswith(f"{folder}/")]
        depth = len(PurePosixPath(folder).parts)
        folders = sorted({str(parent) for path in inside for parent in PurePosixPath(path).parents} - {"."})
        folders = [path for path in folders if len(PurePosixPath(path).parts) > depth]
        if not recursive:
            inside = [path for path in inside if len(PurePosixPath(path).parts) == depth + 1]
            folders = [path for path in folders if len(PurePosixPath(path).parts) == depth + 1]
        if folder and not inside and not folders:
            return _error(404, "EntryNotFound", f"{folder} does not exist on this revision")
        entries = [
            {"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0}
            for path in folders
        ]
        return web.json_response([*entries, *(self._file(commit, path) for path in inside)])

    # --- uploads ---

    def _preupload(self, commit, asked):
        files = []
        for entry in asked["files"]:
            lfs = PurePosixPath(entry["path"]).suffix in LFS_SUFFIXES or entry["size"] > LFS_BYTES
            told = {"path": entry["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
            if entry["path"] in commit.files:
                sha, was_lfs = commit.files[entry["path"]]
                told["oid"] = sha if was_lfs else git_oid(self.blobs[sha])
            files.append(told)
        return web.json_response({"files": files})

    def _batch(self, name, asked):
        objects = []
        for entry in asked["objects"]:
            told = {"oid": entry["oid"], "size": entry["size"]}
            if entry["oid"] not in self.blobs:
                told["actions"] = {"upload": {"href": f"{self.endpoint}/blobs/{entry['oid']}"}}
                told["actions"]["verify"] = {"href": f"{self.endpoint}/datasets/{name}/lfs-verify"}
            objects.append(told)
        return web.json_response({"transfer": "basic", "objects": objects})

    def _put(self, sha, body):
        if hashlib.sha256(body).hexdigest() != sha:
            return _error(400, "", "BadDigest")
        self.uploads[sha] += 1
        self._store(body)
        return web.Response()

    def _accept(self, repo, name, branch, body):
        if self.on_commit:
            callback, self.on_commit = self.on_commit, None
            callback()
        header, *lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        head = self._commit(repo, branch)
        parent = header["value"].get("parentCommit")
        if parent and parent != head.oid:
            return _error(412, "", "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "deletedFile":
                if files.pop(value["path"], None) is None:
                    return _error(404, "EntryNotFound", "A file with this name doesn't exist")
            elif line["key"] == "file":
                files[value["path"]] = (self._store(base64.b64decode(value["content"])), False)
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.blobs:
                    return _error(
                        400, "", f"LFS pointer pointed to a file that does not exist: {value['path']}"
                    )
                files[value["path"]] = (value["oid"], True)
            else:
                return _error(400, "", f"unknown operation {line['key']}")
        commit = repo.add(branch, header["value"]["summary"], files)
        url = f"{self.endpoint}/datasets/{name}/commit/{commit.oid}"
        return web.json_response(
            {"success": True, "commitOid": commit.oid, "commitUrl": url, "hookOutput": ""}
        )

    # --- downloads ---

    def _resolve(self, repo, revision, path):
        commit = self._commit(repo, revision)
        if path not in commit.files:
            return _error(404, "EntryNotFound", f"Entry not found: {path}", {"X-Repo-Commit": commit.oid})
        sha, lfs = commit.files[path]
        data = self.blobs[sha]
        headers = {"ETag": f'"{sha if lfs else git_oid(data)}"', "X-Repo-Commit": commit.oid}
        if lfs:
            headers |= {"X-Linked-Etag": f'"{sha}"', "X-Linked-Size": str(len(data))}
        return web.Response(body=data, headers=headers, content_type="application/octet-stream")


def _error(status, code, message, headers=None):
    told = {"X-Error-Code": code} if code else {}
    return web.json_response(
        {"error": message}, status=status, headers=told | {"X-Error-Message": message} | (headers or {})
    )


class _Refused(Exception):
    def __init__(self, status, code, message):
        self.reply = _error(status, code, message)


@contextlib.contextmanager
def serve_hub(**options):
    server = HubServer(**options)
    try:
        yield server
    finally:
        server.stop()
