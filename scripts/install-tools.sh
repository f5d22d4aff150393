#!/usr/bin/env bash
# Debian packages that the tests use; installs what is missing where that is possible, and says what is not.
set -uo pipefail
missing=()
command -v go >/dev/null || missing+=(golang-go)
command -v psql >/dev/null && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
python3 -c 'import botocore' 2>/dev/null || /usr/bin/python3 -c 'import botocore' 2>/dev/null || missing+=(python3-botocore)
command -v openssl >/dev/null || missing+=(openssl)
command -v nginx >/dev/null || missing+=(nginx-light)
command -v varnishd >/dev/null || [ -x /usr/sbin/varnishd ] || missing+=(varnish)
command -v slapd >/dev/null || [ -x /usr/sbin/slapd ] || missing+=(slapd)
command -v radosgw-admin >/dev/null && command -v ceph-osd >/dev/null || missing+=(ceph-mon ceph-osd radosgw ceph-common)
command -v swift-object-server >/dev/null && command -v memcached >/dev/null ||
  missing+=(swift-proxy swift-object swift-account swift-container memcached)
command -v systemd-analyze >/dev/null || missing+=(systemd)
command -v mount.exfat-fuse >/dev/null || missing+=(exfat-fuse)
for tool in podman runc buildah iptables debootstrap; do command -v "$tool" >/dev/null || missing+=("$tool"); done
[ -x /usr/lib/podman/netavark ] && [ -x /usr/lib/podman/aardvark-dns ] || missing+=(netavark aardvark-dns)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v chromium >/dev/null || missing+=(chromium)
command -v mkfs.exfat >/dev/null || missing+=(exfatprogs)
[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing: ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "cannot install here; the tests that need them will say so"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# servers come from their packages without being started: the tests run their own
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
wait_for_others=(-o DPkg::Lock::Timeout=300)
apt-get update -qq && apt-get install "${wait_for_others[@]}" -y -qq --no-install-recommends "${missing[@]}" >/dev/null
status=$?
# nor do Swift, memcached, Ceph and podman start with the machine
if [[ " ${missing[*]} " == *" memcached "* ]]; then
  systemctl disable memcached swift-proxy swift-account swift-container swift-object ceph.target >/dev/null 2>&1
fi
if [[ " ${missing[*]} " == *" podman "* ]]; then
  systemctl disable podman.service podman.socket podman-restart.service podman-auto-update.timer >/dev/null 2>&1
fi
exit "$status"
