#!/bin/sh
# Makes the bucket of the registry in MinIO, and a user who may do what the registry needs and nothing else
# (docs/stores/minio.md). compose.yml runs it at every start: what is there already stays, and a changed
# password is taken. It waits for MinIO for a minute.
# Wants MinIO's client `mc`, and in the environment: MINIO_URL (where MinIO listens), MINIO_ROOT_USER, MINIO_ROOT_PASSWORD,
# MINIO_REGISTRY_USER, MINIO_REGISTRY_PASSWORD.
set -eu
bucket=images

# by standard input: arguments can be read by whoever lists the processes
tries=60
until printf '%s\n%s\n' "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" | mc alias set root "$MINIO_URL"; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || exit 1
  sleep 1
done
mc mb --ignore-existing "root/$bucket"
mc admin policy create root sif-library /dev/stdin <<POLICY
{
  "Version": "2012-10-17",
  "Statement": [
    { "Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"], "Resource": "arn:aws:s3:::$bucket" },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
      "Resource": "arn:aws:s3:::$bucket/*"
    }
  ]
}
POLICY
printf '%s\n%s\n' "$MINIO_REGISTRY_USER" "$MINIO_REGISTRY_PASSWORD" | mc admin user add root
# fails where it is attached already; the last line tells whether it is
mc admin policy attach root sif-library --user "$MINIO_REGISTRY_USER" || true

printf '%s\n%s\n' "$MINIO_REGISTRY_USER" "$MINIO_REGISTRY_PASSWORD" | mc alias set registry "$MINIO_URL"
mc ls "registry/$bucket" >/dev/null
