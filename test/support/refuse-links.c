/*
 * Preloaded by tests: makes the folders of a test behave like a file system without hard links. Only paths with "/sif-library-" are touched.
 *
 * REFUSE_LINKS is what link() fails with: EPERM, ENOTSUP, or EXDEV, which is said only between two folders.
 * REFUSE_MOUNT is a part of a path, such as "/keys/": link() and rename() fail with EXDEV when one of their two paths has it and the other one has not.
 * REFUSE_RENAME is a part of a path: rename() to a path that has it fails with EPERM.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int is_ours(const char *from, const char *to) {
  return strstr(from, "/sif-library-") != NULL && strstr(to, "/sif-library-") != NULL;
}

static int is_same_folder(const char *one, const char *other) {
  const char *a = strrchr(one, '/'), *b = strrchr(other, '/');
  return a != NULL && b != NULL && a - one == b - other && strncmp(one, other, (size_t)(a - one)) == 0;
}

static int crosses_mount(const char *from, const char *to) {
  const char *mount = getenv("REFUSE_MOUNT");
  return mount != NULL && (strstr(from, mount) != NULL) != (strstr(to, mount) != NULL);
}

int link(const char *from, const char *to) {
  int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "link");
  const char *how = getenv("REFUSE_LINKS");
  if (!is_ours(from, to)) return real(from, to);
  errno = 0;
  if (crosses_mount(from, to)) errno = EXDEV;
  else if (how != NULL && strcmp(how, "EPERM") == 0) errno = EPERM;
  else if (how != NULL && strcmp(how, "ENOTSUP") == 0) errno = EOPNOTSUPP;
  else if (how != NULL && strcmp(how, "EXDEV") == 0 && !is_same_folder(from, to)) errno = EXDEV;
  return errno == 0 ? real(from, to) : -1;
}

int rename(const char *from, const char *to) {
  int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
  const char *refused = getenv("REFUSE_RENAME");
  if (!is_ours(from, to)) return real(from, to);
  errno = 0;
  if (crosses_mount(from, to)) errno = EXDEV;
  else if (refused != NULL && strstr(to, refused) != NULL) errno = EPERM;
  return errno == 0 ? real(from, to) : -1;
}
