"""Signs the cases on stdin (JSON) with botocore, the reference implementation; prints the URLs as JSON."""
import datetime
import json
import sys
from unittest import mock
from urllib.parse import quote

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class Bound(auth.S3SigV4QueryAuth):
    """Takes a signed x-amz-content-sha256 header for the payload hash; botocore itself always presigns UNSIGNED-PAYLOAD."""

    def payload(self, request):
        return request.headers.get("x-amz-content-sha256", super().payload(request))


def sign(case):
    moment = datetime.datetime.strptime(case["date"], "%Y-%m-%dT%H:%M:%SZ")

    class Clock(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return moment

        @classmethod
        def now(cls, tz=None):
            return moment.replace(tzinfo=tz)

    keys = case["credentials"]
    signer = Bound(Credentials(keys["accessKeyId"], keys["secretAccessKey"], keys.get("sessionToken")), "s3", case["region"], expires=case["expiresSeconds"])
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in case.get("query", {}).items())
    url = case["bucketUrl"].rstrip("/").replace(":80/", "/") + "/" + quote(case["object"], safe="/-._~") + (f"?{query}" if query else "")
    request = AWSRequest(method=case["method"], url=url, headers=case.get("headers", {}))
    patches = [mock.patch.object(auth.datetime, "datetime", Clock)] if hasattr(auth, "datetime") else []
    if hasattr(auth, "get_current_datetime"):
        patches.append(mock.patch.object(auth, "get_current_datetime", lambda remove_tzinfo=True: moment))
    for patch in patches:
        patch.start()
    try:
        signer.add_auth(request)
    finally:
        for patch in patches:
            patch.stop()
    return request.url


json.dump([sign(case) for case in json.load(sys.stdin)], sys.stdout)
