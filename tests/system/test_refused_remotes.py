"""Remotes that do not answer, have no such bucket, take no streams or let nothing be removed: told early and with the reason, and
nothing is left there."""
import contextlib
import http.client
import http.server
import json
import threading
import time

import holdfast
import pytest
import servers
from test_ctl import ctl, ctl_json
from test_ground import told
from test_plain import SOURCE, plain_job, tree  # noqa: F401

S3 = "type = s3\nprovider = Other\naccess_key_id = S3RVER\nsecret_access_key = S3RVER\nendpoint = http://127.0.0.1:{port}\nforce_path_style = true"
needs_s3 = pytest.mark.skipif(servers.missing("s3") is not None, reason="there is no S3 server here")


def add_remote(name, configuration):
    with holdfast.RCLONE_CONFIG.open("a") as file:
        file.write(f"[{name}]\n{configuration}\n")
    holdfast.RCLONE_CONFIG.chmod(0o600)


def refused(document):
    with pytest.raises(holdfast.BusError) as refusal:
        holdfast.create_job(document)
    return str(refusal.value)


@pytest.fixture
def s3():
    with servers.served("s3") as (remote, _):
        yield remote


@contextlib.contextmanager
def front(port):
    """A server before the S3 server that lets nobody delete."""
    class Front(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.command == "DELETE":
                return self.answer(403, [("Content-Type", "application/xml")],
                                   b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
            there = http.client.HTTPConnection("127.0.0.1", port)
            there.request(self.command, self.path, body, dict(self.headers))
            found = there.getresponse()
            return self.answer(found.status, found.getheaders(), found.read())

        def answer(self, status, headers, body):
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = dict((name.lower(), value) for name, value in headers).get("content-length", len(body))
            self.send_header("Content-Length", length if self.command == "HEAD" else len(body))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@needs_s3
def test_no_bucket_is_refused_and_none_is_made(s3, tree):  # noqa: F811
    document = {"name": "bucketless", "remoteName": s3.name, "sourcePath": str(SOURCE), "layout": "versions"}
    assert "must begin with one" in refused(document | {"destinationPath": ""})
    assert "There is no bucket" in refused(document | {"destinationPath": "mistyped/backups"})
    for path in (None, "mistyped"):
        report = ctl_json("remote", "check", s3.name, *(("--path", path) if path else ()), status=1)
        assert not report["writable"] and "bucket" in report["error"]
    assert ctl_json("remote", "check", s3.name, "--path", "bucket")["deletable"]

    holdfast.create_job(document | {"destinationPath": "bucket/backups"})
    file = holdfast.sh("sh", "-c", "echo /etc/holdfast/jobs/bucketless.json").stdout.strip()
    with open(file, "r+") as job:
        text = job.read().replace("bucket/backups", "gone/backups")
        job.seek(0), job.write(text), job.truncate()
    ctl("reload")
    last = holdfast.start("bucketless").wait()
    assert last["Result"] == "failed" and "There is no bucket for" in last["Error"] and last["Attempt"] <= 1
    assert sorted(folder.name for folder in s3.folder.iterdir()) == ["bucket"]


def test_endpoint_that_refuses_is_told_with_the_reason(tree):  # noqa: F811
    add_remote("dead", S3.format(port=servers.free_port()))
    began = time.monotonic()
    report = ctl_json("remote", "check", "dead", "--path", "bucket", status=1)
    assert "connection refused" in report["error"] and time.monotonic() - began < 20
    job = plain_job("to-the-dead", holdfast_remote("dead"), destinationPath="bucket/copies")
    last = holdfast.start(job).wait(90)
    assert last["Result"] == "failed" and "connection refused" in last["Error"]


def holdfast_remote(name):
    remote = holdfast.Remote.__new__(holdfast.Remote)
    remote.name = name
    return remote


def test_remote_without_streams_is_refused_when_the_job_is_made(repository):
    add_remote("spooling", f"type = webdav\nurl = http://127.0.0.1:{servers.free_port()}\nvendor = other")
    words = refused(holdfast.flash_job("spooled", holdfast_remote("spooling"), repository))
    assert "cannot take a stream" in words


@needs_s3
def test_who_may_not_delete_is_told(s3, tree):  # noqa: F811
    with front(s3.port) as port:
        add_remote("appending", S3.format(port=port))
        report = ctl_json("remote", "check", "appending", "--path", "bucket")
        assert report["writable"] and not report["deletable"] and "cannot be removed" in report["notice"]
        job = plain_job("kept", holdfast_remote("appending"), destinationPath="bucket/copies", layout="versions", keep={"last": 1})
        holdfast.start(job).completes()
        last = holdfast.start(job).completes()
        assert "AccessDenied" in last["Metadata"]["pruneProblem"] and told(job, "cannot prune")
        mirror = plain_job("mirrored", holdfast_remote("appending"), destinationPath="bucket/mirror")
        holdfast.start(mirror).completes()
        assert '"layout": "versions"' in holdfast.start(mirror).wait()["Error"]
        assert json.loads((s3.folder / "bucket/mirror/mirrored.mirror.manifest.json._S3rver_object").read_text())["job"] == "mirrored"


def test_what_is_encrypted_or_has_a_tilde_is_explained(tree):  # noqa: F811
    add_remote("home", "type = sftp\nhost = 127.0.0.1\nport = 9\nuser = u\nkey_file = ~/.ssh/id_backup")
    report = ctl("remote", "check", "home", status=1)
    assert "stands for /var/lib/holdfast" in report.stdout + report.stderr
